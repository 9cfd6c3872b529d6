"""The preprocessing and augmentation of a task, as MONAI config data."""

from __future__ import annotations

from typing import Any

from seat_components.tasks import Task

Config = dict[str, Any]
READER = "seat_components.data.ScanReader"
# Labels arrive as uint8, whatever their file's type.
LOAD_LABEL: Config = {
    "_target_": "LoadImaged",
    "keys": "label",
    "reader": {"_target_": READER, "labels": True},
    "dtype": None,
}


def preprocessing(task: Task, labelled: bool, series: str | None = None) -> list[Config]:
    """The deterministic transforms, from file to network input.

    Args:
        task: the task.
        labelled: whether there is a label beside the image.
        series: a config reference to the DICOM series that is read, where scans may be folders.

    Source: the published preprocessing behind SEAT (MICCAI 2023): resample; in MRI scale each volume and channel to
    [0, 1]; clip to the task's percentiles; subtract the task's mean and divide by its standard deviation.
    """
    keys: Any = ["image", "label"] if labelled else "image"
    reader: Any = READER if series is None else {"_target_": READER, "series": series}
    scale = [] if task.is_ct else [{"_target_": "ScaleIntensityd", "keys": "image", "channel_wise": True}]
    return [
        {"_target_": "LoadImaged", "keys": "image", "reader": reader},
        *([LOAD_LABEL] if labelled else []),
        {"_target_": "EnsureChannelFirstd", "keys": keys},
        {"_target_": "Orientationd", "keys": keys, "axcodes": "RAS", "labels": None},
        {
            "_target_": "seat_components.data.SafeSpacingd",
            "keys": keys,
            "pixdim": list(task.spacing),
            "mode": [3, "nearest"] if labelled else 3,
        },
        *scale,
        {
            "_target_": "seat_components.data.ClipIntensityd",
            "keys": "image",
            "lower": list(task.p0_5),
            "upper": list(task.p99_5),
        },
        {
            "_target_": "NormalizeIntensityd",
            "keys": "image",
            "subtrahend": list(task.mean),
            "divisor": list(task.std),
            "channel_wise": True,
        },
        {
            "_target_": "EnsureTyped",
            "keys": keys,
            "dtype": "$[torch.float32, torch.uint8]" if labelled else "$torch.float32",
        },
    ]


def expectation(task: Task) -> Config:
    """What is said about a scan that is far from the task's."""
    return {
        "_target_": "seat_components.data.Expectation",
        "ct": task.is_ct,
        "spacing": list(task.spacing),
        "median_size": list(task.median_size),
        "p0_5": list(task.p0_5),
        "mean": list(task.mean),
    }


def augmentation() -> list[Config]:
    """The random transforms of training, ending at the training patch.

    Source: the published augmentation behind SEAT: patches centred on foreground every second time, rotation ±15°,
    scaling 0.85–1.15, mirroring, gamma 0.7–1.5, contrast, additive brightness N(0, 1).
    """
    both = ["image", "label"]
    modes = ["bilinear", "nearest"]
    affine = {"_target_": "RandAffined", "keys": both, "prob": 0.5, "mode": modes, "padding_mode": "border"}
    return [
        {
            "_target_": "RandCropByPosNegLabeld",
            "keys": both,
            "label_key": "label",
            "spatial_size": "@sampling_patch_size",
            "pos": 1,
            "neg": 1,
            "num_samples": 1,
        },
        {**affine, "rotate_range": "$[15 * 3.141592653589793 / 180] * 3"},
        {**affine, "scale_range": [0.15, 0.15, 0.15]},
        {"_target_": "CenterSpatialCropd", "keys": both, "roi_size": "@patch_size"},
        *({"_target_": "RandFlipd", "keys": both, "prob": 0.5, "spatial_axis": axis} for axis in range(3)),
        {"_target_": "RandAdjustContrastd", "keys": "image", "prob": 0.2, "gamma": [0.7, 1.5]},
        {"_target_": "RandScaleIntensityFixedMeand", "keys": "image", "prob": 0.2, "factors": 0.25},
        {"_target_": "seat_components.data.RandGaussianBrightnessd", "keys": "image", "prob": 0.2, "std": 1.0},
    ]


def padding(labelled: bool, size: str) -> Config:
    """Pad a volume that is smaller than ``size``, a config reference, with each channel's darkest value."""
    return {
        "_target_": "seat_components.data.PadDarkestd",
        "keys": ["image", "label"] if labelled else "image",
        **({"label_key": "label"} if labelled else {}),
        "size": size,
    }


def fit_for_training() -> list[Config]:
    """What makes a volume ready to be cut into training patches."""
    crop = {"_target_": "seat_components.data.CropLongVolumed", "keys": ["image", "label"], "label_key": "label"}
    return [padding(True, "@sampling_patch_size"), crop]
