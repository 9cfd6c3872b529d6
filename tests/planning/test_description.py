"""Datasets that cannot be planned for are refused, by file and rule, before anything is written."""

import gzip
import json
import shutil
import struct

import itk
import nibabel as nib
import numpy as np
import pytest
from own_datasets import blobs

from seat_components.planning import measure_dataset, read_description
from seat_components.refusals import RefusalError


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return blobs(tmp_path_factory.mktemp("sound") / "Belly", count=3)


@pytest.fixture
def dataset(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "Belly")


def index(dataset, **changes):
    """Replace sections of dataset.json; None removes one."""
    file = dataset / "dataset.json"
    content = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def image_of(dataset, part="imagesTr", number=1):
    return dataset / part / f"belly_{number:02}.nii.gz"


def save(file, volume, affine):
    nib.save(nib.Nifti1Image(volume, affine), file)


def refused(dataset):
    with pytest.raises(RefusalError) as caught:
        measure_dataset(read_description(dataset), progress=False)
    return str(caught.value)


def test_a_sound_dataset_is_described(dataset):
    index(dataset, modality={"0": "ct"}, reference="Two  lines\nof {text}")
    description = read_description(dataset)
    assert (description.title, description.licence, description.reference) == ("Belly", "CC0 1.0", "Two lines of text")
    assert description.labels == ("background", "organ", "lesion")
    assert description.modalities == ("ct",) and description.is_ct
    assert list(description.cases) == ["belly_00", "belly_01", "belly_02"]


@pytest.mark.parametrize(
    ("names", "is_ct"),
    [
        (["CT"], True),
        (["ct arterial", "CT_venous"], True),
        (["CT", "PET"], False),
        (["CTA"], True),
        (["Computed tomography"], True),
        (["MRI"], False),
        (["T1", "T2"], False),
    ],
)
def test_a_dataset_is_ct_if_all_its_channels_are(dataset, names, is_ct):
    index(dataset, modality={str(number): name for number, name in enumerate(names)})
    assert read_description(dataset).is_ct is is_ct


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": []}, "no case"),
        ({"training": [], "test": ["./imagesTr/belly_00.nii.gz"]}, 'lists 0 labelled case(s) under "training"'),
        (
            {"training": [{"image": "imagesTr/belly_00.nii.gz", "label": "labelsTr/belly_00.nii.gz"}]},
            "lists 1 labelled",
        ),
        ({"training": ["imagesTr/belly_00.nii.gz"]}, 'each "training" entry must be'),
        ({"training": [{"image": "../x.nii.gz", "label": "../y.nii.gz"}] * 2}, "outside the dataset"),
        ({"labels": None}, '"labels" is missing'),
        ({"labels": ["background", "organ"]}, '"labels" is missing, or no JSON object'),
        ({"labels": {"0": "background"}}, '"labels" names 1 classes'),
        ({"labels": {"0": "background", "2": "organ"}}, '"labels" has the numbers 0, 2'),
        ({"labels": {"background": 0, "organ": 1}}, '"labels" has the numbers background, organ'),
        ({"labels": {"0": "background", "1": "organ", "2": "Organ"}}, "has two names that say the same"),
        ({"labels": {"0": "background", "1": "$print(1)", "2": "lesion"}}, "has the name '$print(1)'"),
        ({"labels": {"0": "background", "1": "@device", "2": "lesion"}}, "has the name '@device'"),
        ({"labels": {"0": "background", "1": 'or"gan', "2": "lesion"}}, "begins with a letter or digit"),
        ({"labels": {"0": "background", "1": "{{task}}", "2": "lesion"}}, "begins with a letter or digit"),
        ({"modality": {"0": "CT", "1": "CT"}}, "has two names that say the same"),
        ({"modality": None}, '"modality" is missing'),
        ({"modality": {"0": "%x"}}, "has the name '%x'"),
        ({"modality": {"0": "CT", "1": "PET"}}, "has 1 channel(s), but the task needs 2"),
        ({"labels": {"0": "background", "1": "organ"}}, "has label value(s) 2, but the task's are 0, 1"),
    ],
)
def test_a_dataset_json_that_does_not_fit(dataset, changes, message):
    index(dataset, **changes)
    told = refused(dataset)
    assert message in told
    assert str(dataset) in told


def test_no_dataset_json(tmp_path):
    assert "dataset.json does not exist" in refused(tmp_path)


def test_a_listed_file_that_is_missing(dataset):
    image_of(dataset, "labelsTr").unlink()
    assert "labelsTr/belly_01.nii.gz" in (told := refused(dataset))
    assert "do not exist" in told


def test_images_with_different_numbers_of_channels(dataset):
    image = nib.load(image_of(dataset))
    save(image_of(dataset), np.stack([np.asarray(image.dataobj)] * 2, axis=-1), image.affine)
    assert "belly_01.nii.gz: has 2 channel(s)" in refused(dataset)


def test_a_label_of_another_shape(dataset):
    label = nib.load(image_of(dataset, "labelsTr"))
    save(image_of(dataset, "labelsTr"), np.asarray(label.dataobj)[1:], label.affine)
    assert "labelsTr/belly_01.nii.gz: has shape" in refused(dataset)


@pytest.mark.parametrize("spacing", [0.0, -1.0, float("nan")])
def test_a_spacing_that_is_not_positive(dataset, spacing):
    """Readers mend such a header silently, so the file is written byte by byte."""
    raw = bytearray(nib.load(image_of(dataset)).to_bytes())
    raw[76 + 4 * 2 : 80 + 4 * 2] = struct.pack("<f", spacing)  # pixdim[2]
    image_of(dataset).write_bytes(gzip.compress(bytes(raw)))
    told = refused(dataset)
    assert "imagesTr/belly_01.nii.gz: has voxel spacing" in told
    assert "spacings must be positive" in told


def test_workers_below_one(dataset):
    with pytest.raises(RefusalError, match="--workers is 0"):
        measure_dataset(read_description(dataset), workers=0, progress=False)


def test_other_formats_are_measured_as_nifti_is(dataset):
    other = dataset / "imagesTr" / "belly_01.nrrd"
    itk.imwrite(itk.imread(str(image_of(dataset, number=1))), str(other))
    measured = []
    for image in ("imagesTr/belly_01.nii.gz", "imagesTr/belly_01.nrrd"):
        index(
            dataset,
            training=[
                {"image": image, "label": "labelsTr/belly_01.nii.gz"},
                {"image": "imagesTr/belly_00.nii.gz", "label": "labelsTr/belly_00.nii.gz"},
            ],
        )
        measured.append(measure_dataset(read_description(dataset), progress=False))
    assert measured[0] == measured[1]
