"""A raw folder of nnU-Net lists what the same in MSD's form lists; what has no meaning here is refused by name."""

import json
import shutil

import pytest

from seat_components.data import inference_datalist, read_dataset
from seat_components.planning.dataset import read_description
from seat_components.refusals import RefusalError

CONTENT = {
    "channel_names": {"0": "MRI"},
    "labels": {"background": 0, "Posterior": 2, "Anterior": 1},
    "numTraining": 4,
    "file_ending": ".nii.gz",
}


@pytest.fixture
def raw(task04_phantom, tmp_path):
    """The phantom's files under nnU-Net's names."""
    folder = tmp_path / "Dataset004_Hippocampus"
    for part, ending in {"imagesTr": "_0000", "labelsTr": "", "imagesTs": "_0000"}.items():
        (folder / part).mkdir(parents=True)
        for file in (task04_phantom / part).glob("*.nii.gz"):
            shutil.copy(file, folder / part / file.name.replace(".nii.gz", f"{ending}.nii.gz"))
    (folder / "imagesTr" / "._odd_0000.nii.gz").touch()
    (folder / "dataset.json").write_text(json.dumps(CONTENT))
    return folder


def test_it_lists_what_the_folder_in_msds_form_lists(raw, task04_phantom):
    theirs, msds = read_dataset(raw), read_dataset(task04_phantom)
    assert theirs.labels == msds.labels
    assert theirs.modalities == msds.modalities
    assert {name.removesuffix("_0000") for name in theirs.training} == msds.training.keys()
    for case in theirs.training.values():
        name = case["label"].rpartition("/")[2].removesuffix(".nii.gz")
        assert case == {
            "image": str(raw / "imagesTr" / f"{name}_0000.nii.gz"),
            "label": str(raw / "labelsTr" / f"{name}.nii.gz"),
        }
    assert [scan["image"] for scan in inference_datalist(raw)] == list(theirs.test)
    assert len(theirs.test) == len(msds.test)


def test_a_bundle_can_be_planned_for_it(raw, task04_phantom):
    theirs, msds = read_description(raw), read_description(task04_phantom)
    assert (theirs.labels, theirs.modalities) == (msds.labels, msds.modalities)
    assert theirs.title == raw.name
    assert len(theirs.cases) == len(msds.cases)


REFUSED = {
    "regions": ({"labels": {"background": 0, "whole": [1, 2], "core": [2]}}, r"labels are regions.*whole"),
    "ignored": ({"labels": {"background": 0, "organ": 1, "ignore": 2}}, r'the label "ignore" \(2\)'),
    "channels": ({"channel_names": {"0": "T1", "2": "T2"}}, r'"channel_names" is .* names the channels 0, 1'),
    "no channel": ({"channel_names": {}}, r'"channel_names" is \{\}'),
    "twice": ({"labels": {"background": 0, "a": 1, "b": 1}}, r'"labels" must give each name'),
    "no number": ({"labels": {"background": 0, "a": True}}, r'"labels" must give each name'),
    "no labels": ({"labels": ["background", "a"]}, r'"labels" is \['),
    "ending": ({"file_ending": None}, '"file_ending" is None'),
    "listed": ({"dataset": {"a": {}}}, r'files under "dataset"'),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_has_no_meaning_here_is_refused_by_name(raw, kind):
    change, words = REFUSED[kind]
    (raw / "dataset.json").write_text(json.dumps({**CONTENT, **change}))
    with pytest.raises(RefusalError, match=rf"dataset\.json is of nnU-Net's form: .*{words}"):
        read_dataset(raw)


def test_a_label_without_image_is_named(raw, task04_phantom):
    gone = sorted((raw / "imagesTr").glob("hippo*"))[0]
    gone.unlink()
    with pytest.raises(RefusalError, match=gone.name):
        read_description(raw)
