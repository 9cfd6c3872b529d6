"""Scans of every kind that the tests of this room write, and the inference runs over them."""

from dataclasses import dataclass

import itk
import nibabel as nib
import numpy as np
import torch
from bundle_runs import workflow
from scan_writing import itk_image
from threshold_network import Threshold, network_def

from seat_components.tasks import load_task

PATCH = [16, 16, 16]


@dataclass(frozen=True)
class Geometry:
    """How a scan lies in the world."""

    codes: str = "RAS"
    spacing: tuple = (1.0, 1.0, 1.0)
    degrees: tuple = (0.0, 0.0)

    @property
    def affine(self):
        """Voxel axes along ``codes``, then turned about two of the world's axes."""
        axes = np.zeros((3, 3))
        for axis, (world, sign) in enumerate(nib.orientations.axcodes2ornt(tuple(self.codes))):
            axes[int(world), axis] = sign * self.spacing[axis]
        (a, b), affine = np.deg2rad(self.degrees), np.eye(4)
        about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
        about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
        affine[:3, :3] = about_x @ about_z @ axes
        affine[:3, 3] = [7.5, -11.25, 130]
        return affine


def noise(shape, seed=0):
    """A random volume in which no flip, shift or exchange of axes goes unnoticed."""
    return np.random.default_rng(seed).integers(0, 2000, size=shape).astype(np.int16)


def above_mean(array, task="Task04_Hippocampus"):
    """What ``Threshold`` must give: intensities above the task's mean, which counts in [0, 1] for MRI."""
    scaled = (array - array.min()) / (array.max() - array.min())
    return (scaled > load_task(task).mean[0]).astype(np.uint8)


def save_nifti(array, affine, path, sform=1, qform=1, units=("mm", "sec")):
    """Write NIfTI with the given codes and units."""
    image = nib.Nifti1Image(array, affine)
    image.set_sform(affine, sform)
    image.set_qform(affine, qform)
    image.header.set_xyzt_units(*units)
    nib.save(image, path)


def save_dicom(array, affine, folder, series="1.2.826.0.1.1.1"):
    """Write a series of MR slices, one per file."""
    folder.mkdir(parents=True)
    io = itk.GDCMImageIO.New(KeepOriginalUID=True)
    for index in range(array.shape[2]):
        origin = affine.copy()
        origin[:3, 3] += index * affine[:3, 2]
        image = itk_image(array[:, :, index : index + 1], origin)
        tags = image.GetMetaDataDictionary()
        tags["0008|0060"] = "MR"
        tags["0020|000d"], tags["0020|000e"] = "1.2.826.0.1.1", series
        tags["0020|0013"] = str(index + 1)
        itk.imwrite(image, str(folder / f"IM{index:04d}.dcm"), imageio=io)


def infer(bundle, scans, out, network=None, **overrides):
    """Run inference.json with small patches; ``network`` is (its definition, its weights), or thresholds."""
    definition, weights = network or (network_def(3), Threshold(3).state_dict())
    file = out.parent / f"{out.name}_weights.pt"
    torch.save(weights, file)
    options = {"val_patch_size": PATCH, "device": "$torch.device('cpu')", **overrides}
    workflow(
        bundle,
        ["inference"],
        dataset_dir=str(scans),
        output_dir=str(out),
        weights=str(file),
        network_def=definition,
        **options,
    ).run()
