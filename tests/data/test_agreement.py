"""A dataset.json that contradicts the bundle on channels or labels is refused; other words for the same are not."""

import json

import pytest

from seat_components.data import fold_datalist, inference_datalist, read_dataset
from seat_components.data.agreement import require_agreement
from seat_components.refusals import RefusalError
from seat_components.tasks import all_tasks, load_task


def named(names):
    return {str(number): name for number, name in enumerate(names)}


@pytest.fixture
def dataset(tmp_path):
    """``dataset(modality, labels)``: the index of a dataset.json with these names."""

    def write(modality=None, labels=None):
        content = {"training": [{"image": "imagesTr/a.nii.gz", "label": "labelsTr/a.nii.gz"}], "test": []}
        names = {"modality": modality, "labels": labels}
        content |= {section: given for section, given in names.items() if given is not None}
        (tmp_path / "dataset.json").write_text(json.dumps(content))
        return read_dataset(tmp_path)

    return write


@pytest.mark.parametrize("task", all_tasks(), ids=lambda task: task.name)
def test_every_task_agrees_with_its_own_names(dataset, task):
    names = named(task.modalities), named(task.labels)
    require_agreement(dataset(*names), *names)


@pytest.mark.parametrize("task", all_tasks(), ids=lambda task: task.name)
def test_two_classes_in_each_others_place_are_refused(dataset, task):
    names = named(task.modalities), named(task.labels)
    swapped = named([task.labels[1], task.labels[0], *task.labels[2:]])
    with pytest.raises(RefusalError, match='its "labels" is 0') as refusal:
        require_agreement(dataset(names[0], swapped), *names)
    assert "dataset.json" in str(refusal.value)


WANTED = named(("FLAIR", "T1w", "t1gd", "T2w"))
PASS = {
    "the same": WANTED,
    "case and punctuation": named(("flair", "T1-w", "T1Gd", "T2W")),
    "other words": named(("FLAIR", "T1", "T1ce", "T2")),
    "no names": None,
    "an empty section": {},
}
CONTRADICT = {
    "order": named(("T1w", "FLAIR", "t1gd", "T2w")),
    "order among other words": named(("FLAIR", "T2w", "T1ce", "T1")),
    "fewer": named(("FLAIR", "T1w")),
    "more": named(("FLAIR", "T1w", "t1gd", "T2w", "ADC")),
    "CT": named(("CT", "T1w", "t1gd", "T2w")),
}


@pytest.mark.parametrize("kind", PASS)
def test_names_that_may_mean_the_same_pass(dataset, kind):
    require_agreement(dataset(PASS[kind]), WANTED)


@pytest.mark.parametrize("kind", CONTRADICT)
def test_another_order_or_number_of_channels_is_refused(dataset, kind):
    with pytest.raises(RefusalError, match='its "modality" is 0') as refusal:
        require_agreement(dataset(CONTRADICT[kind]), WANTED)
    assert "0 FLAIR, 1 T1w, 2 t1gd, 3 T2w" in str(refusal.value)
    assert "dataset.json" in str(refusal.value)


@pytest.mark.parametrize(("declared", "wanted"), [("MRI", "CT"), ("CT", "MRI"), ("T1", "CT"), ("CTA", "MRI")])
def test_ct_and_mri_are_told_apart(dataset, declared, wanted):
    with pytest.raises(RefusalError, match=f'"modality" is 0 {declared}, but this bundle is made for 0 {wanted}'):
        require_agreement(dataset({"0": declared}), {"0": wanted})


@pytest.mark.parametrize("names", [("CTA",), ("Computed tomography",), ("CT", "PET"), ("PET/CT",), ("CT1", "T2")])
def test_the_bundle_planned_for_a_dataset_agrees_with_it(dataset, names):
    require_agreement(dataset(named(names)), named(names))


@pytest.mark.parametrize("name", ["CTA", "Computed tomography", "CT (portal venous)"])
def test_other_words_for_ct_are_ct(dataset, name):
    require_agreement(dataset({"0": name}), {"0": "CT"})


@pytest.mark.parametrize("declared", [("PET", "CT"), ("T1", "T2"), ("CT", "CTA")])
def test_ct_in_another_channel_or_beside_another_kind_is_a_contradiction(dataset, declared):
    with pytest.raises(RefusalError, match="made for 0 CT, 1 PET"):
        require_agreement(dataset(named(declared)), named(("CT", "PET")))


def test_without_names_of_the_bundle_nothing_is_compared(dataset):
    require_agreement(dataset(WANTED, named(("background", "tumour"))))


def test_both_datalists_compare(dataset, tmp_path):
    dataset({"0": "CT"})
    task = load_task("Task04_Hippocampus")
    with pytest.raises(RefusalError, match="made for 0 MRI"):
        fold_datalist(tmp_path, task, channel_names={"0": "MRI"})
    with pytest.raises(RefusalError, match="made for 0 MRI"):
        inference_datalist(tmp_path, channel_names={"0": "MRI"})


def test_the_real_dataset_agrees(real_task04):
    task = load_task("Task04_Hippocampus")
    require_agreement(read_dataset(real_task04), named(task.modalities), named(task.labels))
