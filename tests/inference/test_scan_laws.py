"""For every geometry, header and type: masks are exact where nothing is resampled, else within half a voxel."""

from __future__ import annotations

import itk
import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.bundle import ConfigParser
from scan_files import above_mean
from scan_writing import ANGLES, CODES, SPACINGS, affine_of, itk_image, noise, write_frames, write_slices
from threshold_network import Threshold

from seat_components.planning.measure import measure_case
from seat_components.tasks import load_task

SHAPE = (12, 13, 11)
FORMS = st.tuples(st.sampled_from([0, 1, 2]), st.sampled_from([0, 1, 4])).filter(any)
KINDS = {"nii": nib.Nifti1Image, "nii.gz": nib.Nifti2Image, "hdr": nib.Nifti1Pair}


@pytest.fixture(scope="module")
def segment(bundle, tmp_path_factory):
    """``segment(scan)``: its mask, as the steps of inference.json write it, and what the network saw."""
    folder = tmp_path_factory.mktemp("laws")
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.json"))
    parser.config.update(output_dir=str(folder / "masks"), dataset_dir=str(folder), val_patch_size=[8, 8, 8])
    before, after = (parser.get_parsed_content(part) for part in ("preprocessing", "postprocessing"))
    network = Threshold(3)

    def run(scan):
        data = before({"image": str(scan)})
        seen = data["image"]
        with torch.no_grad():
            data["pred"] = network(seen[None])[0]
        after(data)
        name = scan.name if scan.is_dir() else scan.name.split(".")[0]
        return nib.load(folder / "masks" / f"{name}.nii.gz"), seen

    run.folder = folder
    return run


def write_nifti(folder, kind, array, affine, codes):
    image = KINDS[kind](array, None)
    image.set_sform(affine if codes[0] else None, codes[0])
    image.set_qform(affine, codes[1])
    image.header.set_xyzt_units("mm")
    nib.save(image, folder / f"scan.{'img' if kind == 'hdr' else kind}")
    return folder / f"scan.{kind}"


@given(
    codes=CODES,
    degrees=ANGLES,
    forms=FORMS,
    kind=st.sampled_from(sorted(KINDS)),
    dtype=st.sampled_from([np.uint8, np.int16, np.float32, np.float64]),
    seed=st.integers(0, 99),
)
def test_the_mask_is_exact_where_nothing_is_resampled(segment, codes, degrees, forms, kind, dtype, seed):
    array = noise(SHAPE, seed, high=200).astype(dtype)
    scan = write_nifti(segment.folder, kind, array, affine_of(codes, (1.0, 1.0, 1.0), degrees), forms)
    mask, _ = segment(scan)
    assert np.array_equal(mask.dataobj, above_mean(array))
    header = nib.load(scan).header
    assert np.array_equal(mask.affine, nib.load(scan).affine)
    for name in ("sform_code", "qform_code", "srow_x", "srow_y", "srow_z", "quatern_b", "quatern_c", "quatern_d"):
        assert np.array_equal(mask.header[name], header[name]), name
    assert np.array_equal(mask.header["pixdim"], header["pixdim"])


@given(
    codes=CODES,
    spacing=SPACINGS,
    degrees=ANGLES,
    shear=st.sampled_from([0.0, 0.0, 0.2]),
    kind=st.sampled_from(["nii", "nii.gz", "nrrd", "mha"]),
)
def test_the_mask_lies_where_the_structure_lies_to_half_a_voxel(segment, codes, spacing, degrees, shear, kind):
    affine = affine_of(codes, spacing, degrees, shear)
    shape = np.ceil(14 / np.array(spacing)).astype(int)
    points = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1) @ affine[:3, :3].T + affine[:3, 3]
    centre = (affine @ [*((shape - 1) / 2), 1])[:3]
    # Falls by 1 per mm between two plateaus, which resampling does not miss: they are what MRI is scaled by.
    ramp = 200 - np.linalg.norm(points - centre, axis=-1).clip(2.6, 5.5)
    if kind in KINDS:
        scan = write_nifti(segment.folder, kind, ramp.astype(np.float32), affine, (1, 0))
    else:
        scan = segment.folder / f"scan.{kind}"
        itk.imwrite(itk_image(ramp.astype(np.float32), affine), str(scan))
    mask, seen = segment(scan)
    assert np.allclose(mask.affine, affine, atol=1e-3)
    edge = ramp.min() + load_task("Task04_Hippocampus").mean[0] * (ramp.max() - ramp.min())
    half = 0.5 * max(*spacing, 1.0)
    found = np.asarray(mask.dataobj)
    assert (found[ramp > edge + half] == 1).all()
    assert (found[ramp < edge - half] == 0).all()
    assert nib.aff2axcodes(seen.affine.numpy()) == ("R", "A", "S")
    assert np.allclose(seen.pixdim, 1, atol=1e-4)


@given(codes=CODES, degrees=ANGLES, seed=st.integers(0, 99))
def test_every_format_gives_the_same_mask_in_the_same_place(segment, codes, degrees, seed):
    array, affine = noise(SHAPE, seed), affine_of(codes, (1.0, 1.0, 1.0), degrees)
    scans = [write_nifti(segment.folder, "nii.gz", array, affine, (1, 1))]
    for kind in ("nrrd", "mha"):
        scans.append(segment.folder / f"scan.{kind}")
        itk.imwrite(itk_image(array, affine), str(scans[-1]))
    scans.append(segment.folder / "series")
    write_slices(scans[-1], array, affine)
    scans.append(segment.folder / "frames.dcm")
    write_frames(scans[-1], array, affine, np.random.default_rng(seed).permutation(SHAPE[2]))
    for scan in scans:
        mask, _ = segment(scan)
        there = np.linalg.inv(mask.affine) @ affine
        flipped = tuple(np.flatnonzero(np.diag(there)[:3] < 0))
        assert np.allclose(np.abs(there[:3, :3]), np.eye(3), atol=1e-4)
        assert np.array_equal(np.flip(np.asarray(mask.dataobj), flipped), above_mean(array)), scan.name
        corner = [n - 1 if axis in flipped else 0 for axis, n in enumerate(SHAPE)]
        assert np.allclose((mask.affine @ [*corner, 1])[:3], affine[:3, 3], atol=1e-3), scan.name


@settings(max_examples=10)  # each plans, loads and predicts
@given(codes=CODES, spacing=SPACINGS, degrees=ANGLES, pixdim=st.booleans())
def test_planner_training_and_inference_see_the_same_grid(bundle, segment, codes, spacing, degrees, pixdim):
    array, affine = noise(SHAPE), affine_of(codes, spacing, degrees)
    scan = write_nifti(segment.folder, "nii", array, affine, (1, 0))
    if pixdim:  # header and sform disagree a little, and the qform is unset
        raw = bytearray(scan.read_bytes())
        raw[80:92] = np.float32(np.array(spacing) * 1.001).tobytes()
        scan.write_bytes(raw)
    label = segment.folder / "label.nii"
    nib.save(nib.Nifti1Image((array > 500).astype(np.uint8), affine), label)
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "train.json"))
    steps = [step for step in parser["train#deterministic_transforms"] if "Spacing" not in step["_target_"]][:4]
    parser["train#deterministic_transforms"] = steps
    data = {"image": str(scan), "label": str(label)}
    for step in parser.get_parsed_content("train#deterministic_transforms"):
        data = step(data)
    planned = measure_case({"image": str(scan), "label": str(label)}, 1, 2, is_ct=False)
    assert planned.shape == tuple(data["image"].shape[1:]) == tuple(data["label"].shape[1:])
    assert np.allclose(planned.spacing, data["image"].pixdim, rtol=1e-5)
    _, seen = segment(scan)
    assert np.allclose(
        seen.affine[:3, :3] / seen.pixdim, data["image"].affine[:3, :3] / data["image"].pixdim, atol=1e-5
    )
