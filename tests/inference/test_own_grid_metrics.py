"""``evaluate.json`` measures in the scan's own grid: a perfect answer there scores 1, whatever the grid."""

import csv
import json

import nibabel as nib
import numpy as np
import pytest
import torch
from bundle_runs import workflow
from scan_files import PATCH, Geometry, noise, save_nifti
from threshold_network import Threshold, network_def

from seat_components.tasks import fold_cases, load_task

TASK = load_task("Task04_Hippocampus")
GEOMETRIES = [
    Geometry("PIR", (1.0, 1.0, 1.0), (12.0, -7.0)),
    Geometry("LAS", (0.6, 0.6, 4.0)),
    Geometry("ASR", (1.3, 2.7, 0.8), (0.0, 25.0)),
]


def blocks(geometry):
    """A box of class 1 of at least 15 mm along each axis in a volume that leaves 10 mm around it: (label, image)."""
    inner = [int(np.ceil(15 / size)) for size in geometry.spacing]
    border = [int(np.ceil(10 / size)) for size in geometry.spacing]
    label = np.zeros([n + 2 * b + axis for axis, (n, b) in enumerate(zip(inner, border, strict=True))], np.uint8)
    label[tuple(slice(b, b + n) for n, b in zip(inner, border, strict=True))] = 1
    return label, 1000.0 * label


def write_dataset(folder, geometries):
    names = fold_cases(TASK)[1][: len(geometries)]
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
    for name, geometry in zip(names, geometries, strict=True):
        label, image = blocks(geometry)
        save_nifti(image.astype(np.float32), geometry.affine, folder / "imagesTr" / f"{name}.nii.gz")
        save_nifti(label, geometry.affine, folder / "labelsTr" / f"{name}.nii.gz")
    entries = [{"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in names]
    (folder / "dataset.json").write_text(json.dumps({"training": entries, "test": []}))
    return names


def evaluate(bundle, data, out):
    torch.save(Threshold(3).state_dict(), out / "weights.pt")
    workflow(
        bundle,
        ["train", "evaluate"],
        dataset_dir=str(data),
        output_dir=str(out),
        ckpt_dir=str(out),
        weights=str(out / "weights.pt"),
        network_def=network_def(3),
        val_patch_size=PATCH,
        device="$torch.device('cpu')",
    ).run()
    return json.loads((out / "metrics.json").read_text())


def test_a_perfect_answer_without_resampling_is_exactly_right(bundle, tmp_path):
    names = write_dataset(tmp_path / "data", GEOMETRIES[:1])
    record = evaluate(bundle, tmp_path / "data", tmp_path)
    (row,) = record["cases"]
    assert row["case"] == names[0]
    # "Posterior" is in neither label nor prediction, which the record's rule counts as 1.
    assert row["dice"] == {"Anterior": 1.0, "Posterior": 1.0}
    assert row["hausdorff95_mm"]["Anterior"] == 0


@pytest.mark.parametrize("geometry", GEOMETRIES[1:], ids=lambda geometry: geometry.codes)
def test_resampling_there_and_back_costs_at_most_a_voxel(bundle, tmp_path, geometry):
    write_dataset(tmp_path / "data", [geometry])
    (row,) = evaluate(bundle, tmp_path / "data", tmp_path)["cases"]
    # In another grid than the label's this box would lose much more; here its faces move by less than a voxel.
    assert row["dice"]["Anterior"] > 0.9
    assert row["hausdorff95_mm"]["Anterior"] <= max(geometry.spacing) + 1e-3


def test_distances_are_those_of_the_scans_own_voxels(bundle, tmp_path):
    """A label moved by two voxels along the 4 mm axis lies 8 mm away."""
    geometry = Geometry("LAS", (1.0, 1.0, 4.0))
    (name,) = write_dataset(tmp_path / "data", [geometry])
    file = tmp_path / "data" / "labelsTr" / f"{name}.nii.gz"
    label = np.roll(np.asarray(nib.load(file).dataobj), 2, axis=2)
    save_nifti(label, geometry.affine, file)
    (row,) = evaluate(bundle, tmp_path / "data", tmp_path)["cases"]
    assert row["hausdorff95_mm"]["Anterior"] == pytest.approx(8)
    # The box has four voxels along that axis, of which two are left in common.
    assert row["dice"]["Anterior"] == pytest.approx(2 / 4)


def test_any_labels_are_met_voxel_by_voxel(bundle, tmp_path):
    """Salt and pepper, where one voxel's shift would halve the Dice."""
    (name,) = write_dataset(tmp_path / "data", GEOMETRIES[:1])
    image = noise((21, 18, 15))
    threshold = image.min() + TASK.mean[0] * (image.max() - image.min())
    save_nifti(image, GEOMETRIES[0].affine, tmp_path / "data" / "imagesTr" / f"{name}.nii.gz")
    label = (image > threshold).astype(np.uint8)
    save_nifti(label, GEOMETRIES[0].affine, tmp_path / "data" / "labelsTr" / f"{name}.nii.gz")
    (row,) = evaluate(bundle, tmp_path / "data", tmp_path)["cases"]
    assert row["dice"]["Anterior"] == 1
    with (tmp_path / "metrics.csv").open() as file:
        assert float(next(csv.DictReader(file))["dice_Anterior"]) == 1


def test_a_second_evaluation_has_nothing_left_to_do(bundle, tmp_path):
    write_dataset(tmp_path / "data", GEOMETRIES[:1])
    first = evaluate(bundle, tmp_path / "data", tmp_path)
    assert evaluate(bundle, tmp_path / "data", tmp_path) == first
