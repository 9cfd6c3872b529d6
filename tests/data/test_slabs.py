"""Volumes are read slab by slab: the same values as at once, in a fraction of the memory."""

import tracemalloc

import nibabel as nib
import numpy as np
import pytest
from data_volumes import save
from monai.transforms import LoadImage

from seat_components.data import ScanReader, check_cases, open_scan, slabs

SHAPE = (40, 30, 20)


def label_of(shape=SHAPE, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, 3, size=shape).astype(dtype)


@pytest.mark.parametrize("slab_bytes", [1, 3 * 8 * 40 * 30, 2**30])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("channels", [1, 2])
def test_slabs_put_together_are_the_volume(tmp_path, monkeypatch, name, channels, slab_bytes):
    monkeypatch.setattr(slabs, "SLAB_BYTES", slab_bytes)
    values = np.random.default_rng(0).random((*SHAPE, channels), dtype=np.float32)
    volume = open_scan(save(values[..., 0] if channels == 1 else values, tmp_path / name))
    together = np.full((*SHAPE, channels), np.nan)
    for channel, place, slab in volume.slabs():
        together[:, :, place, channel] = slab
    assert np.array_equal(together, values)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_labels_of_every_type_load_as_uint8_with_the_usual_metadata(tmp_path, dtype):
    path = save(label_of(dtype=dtype), tmp_path / "label.nii.gz")
    label, usual = LoadImage(reader=ScanReader(labels=True), dtype=None)(path), LoadImage()(path)
    assert label.numpy().dtype == np.uint8
    assert np.array_equal(label.numpy(), label_of())
    assert np.array_equal(label.affine, usual.affine)
    assert label.meta["filename_or_obj"] == usual.meta["filename_or_obj"]


def test_scaled_labels_load_with_their_scaled_values(tmp_path):
    image = nib.Nifti1Image(label_of(dtype=np.int16), np.eye(4))
    image.header.set_slope_inter(2, 1)
    nib.save(image, tmp_path / "label.nii.gz")
    stored = nib.load(tmp_path / "label.nii.gz").get_fdata()
    read = LoadImage(reader=ScanReader(labels=True), dtype=None)(tmp_path / "label.nii.gz")
    assert np.array_equal(read, stored)


@pytest.mark.parametrize("value", [0.5, 1.002, -1, 256, np.nan, np.inf])
def test_a_value_that_uint8_cannot_hold_is_an_error_not_another_value(tmp_path, value):
    label = label_of(dtype=np.float64)
    label[1, 2, 3] = value
    path = save(label, tmp_path / "label.nii.gz")
    reader = ScanReader(labels=True)
    with pytest.raises(ValueError, match=r"label\.nii\.gz has label values that are not whole"):
        reader.get_data(reader.read(path))


def test_rounding_errors_of_whole_labels_are_whole(tmp_path):
    label = label_of(dtype=np.float32)
    near = label + np.random.default_rng(1).uniform(-9e-4, 9e-4, SHAPE).astype(np.float32)
    path = save(near, tmp_path / "label.nii.gz")
    assert np.array_equal(LoadImage(reader=ScanReader(labels=True), dtype=None)(path), label)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A stand-in for a label of several GB: 96 MB of float64, and its image."""
    folder = tmp_path_factory.mktemp("large")
    shape = (256, 256, 192)
    label = np.zeros(shape)
    label[100:120, 100:120, 50:60] = 1
    image = np.zeros(shape, np.int16)
    image[0, 0, 0] = 1
    return {"image": save(image, folder / "image.nii"), "label": save(label, folder / "label.nii.gz")}


def peak_bytes(action):
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_checking_a_large_label_needs_a_fraction_of_its_size(large):
    size = nib.load(large["label"]).get_data_dtype().itemsize * np.prod(nib.load(large["label"]).shape)
    assert peak_bytes(lambda: check_cases([large], range(2), 1, progress=False)) < 0.9 * size
    assert peak_bytes(lambda: [slab.sum() for *_, slab in open_scan(large["label"]).slabs()]) < 0.5 * size


def test_loading_a_large_label_needs_a_fraction_of_its_size(large):
    size = 8 * 256 * 256 * 192
    reader = ScanReader(labels=True)
    assert peak_bytes(lambda: reader.get_data(reader.read(large["label"]))) < 0.8 * size


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
def test_the_least_value_of_an_integer_type_is_no_class(tmp_path, dtype):
    """Its distance to 0 overflows, to a negative number, which is within any tolerance."""
    label = label_of(dtype=dtype)
    label[1, 2, 3] = np.iinfo(dtype).min
    path = save(label, tmp_path / "label.nii.gz")
    with pytest.raises(ValueError, match="has label values that are not whole"):
        open_scan(path).whole_label()
