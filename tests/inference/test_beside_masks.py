"""What a user may ask for on top of masks: probabilities in the scan's grid, and the largest piece of each label."""

from itertools import product

import nibabel as nib
import numpy as np
import pytest
import torch
from bundle_runs import UNET, unet
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scan_files import Geometry, infer, noise, save_nifti

from seat_components.inference import LargestComponentd, ProbabilityWriter

GEOMETRIES = {"turned": Geometry("PIR", (0.7, 1.6, 1.2), (10.0, 20.0)), "plain": Geometry("LAS")}


@pytest.fixture(scope="module")
def written(bundle, tmp_path_factory):
    """The folders of scans, of their masks, and of what is written when more is asked for."""
    folder = tmp_path_factory.mktemp("asked")
    (folder / "scans").mkdir()
    for name, geometry in GEOMETRIES.items():
        save_nifti(noise((17, 23, 12)), geometry.affine, folder / "scans" / f"{name}.nii.gz")
    network = (UNET, unet().state_dict())
    infer(bundle, folder / "scans", folder / "masks", network)
    infer(bundle, folder / "scans", folder / "more", network, probabilities=True, largest_component=True)
    return folder


@pytest.mark.parametrize("name", GEOMETRIES)
def test_probabilities_are_those_of_the_mask_in_the_scans_grid(written, name):
    scan, mask = (nib.load(written / folder / f"{name}.nii.gz") for folder in ("scans", "masks"))
    written_ = nib.load(written / "more" / f"{name}_probabilities.nii")
    shares = written_.get_fdata()
    assert shares.shape == (*scan.shape, UNET["out_channels"])
    assert written_.get_data_dtype() == np.float32
    assert np.array_equal(written_.affine, scan.affine)
    assert np.abs(shares.sum(axis=-1) - 1).max() < 1e-6
    assert shares.min() >= 0
    assert np.array_equal(shares.argmax(axis=-1), np.asarray(mask.dataobj))


@pytest.mark.parametrize("name", GEOMETRIES)
def test_only_the_largest_pieces_of_the_mask_are_left(written, name):
    plain, largest = (np.asarray(nib.load(written / folder / f"{name}.nii.gz").dataobj) for folder in ("masks", "more"))
    assert len(pieces(plain, 1)) > 1, "the law would say nothing"
    assert np.array_equal(largest_of(plain), largest)


def test_nothing_is_written_that_was_not_asked_for(written):
    assert {file.name for file in (written / "masks").iterdir() if not file.name.startswith(".")} == {
        *(f"{name}.nii.gz" for name in GEOMETRIES),
        "volumes.json",
    }


def largest_of(mask):
    return LargestComponentd("pred")({"pred": torch.as_tensor(mask)[None]})["pred"][0].numpy()


def pieces(mask, label):
    """The connected sets of a label's voxels, corners counted, found by walking from voxel to voxel."""
    left, found = set(map(tuple, np.argwhere(mask == label))), []
    while left:
        piece, edge = set(), [left.pop()]
        while edge:
            piece.add(voxel := edge.pop())
            near = {tuple(np.add(voxel, step)) for step in product((-1, 0, 1), repeat=mask.ndim)} & left
            left -= near
            edge += near
        found.append(piece)
    return found


@given(arrays(np.uint8, st.tuples(*[st.integers(1, 5)] * 3), elements=st.sampled_from([0, 0, 0, 1, 2])))
def test_each_label_keeps_one_of_its_largest_pieces_and_nothing_else(mask):
    before, kept = mask.copy(), largest_of(mask)
    assert np.array_equal(mask, before)
    for label in (1, 2):
        were, are = pieces(mask, label), pieces(kept, label)
        assert [len(piece) for piece in are] == ([max(map(len, were))] if were else [])
        assert all(piece in were for piece in are)
    assert not kept[mask == 0].any()


def test_probabilities_for_a_scan_of_several_channels_have_its_geometry(tmp_path):
    save_nifti(noise((4, 5, 6, 2)), Geometry("LPI").affine, tmp_path / "scan.nii.gz")
    writer = ProbabilityWriter()
    writer.set_data_array(torch.rand(3, 4, 5, 6))
    writer.set_metadata({"filename_or_obj": str(tmp_path / "scan.nii.gz")})
    writer.write(tmp_path / "probabilities.nii")
    image = nib.load(tmp_path / "probabilities.nii")
    assert image.shape == (4, 5, 6, 3)
    assert np.array_equal(image.affine, Geometry("LPI").affine)
