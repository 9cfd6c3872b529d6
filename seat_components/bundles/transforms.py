"""The preprocessing of a task, and what its scans are like, as MONAI config data."""

from __future__ import annotations

from typing import Any

from seat_components.tasks import Task

Config = dict[str, Any]
_READER = "seat_components.data.ScanReader"
LOAD_LABEL: Config = {
    "_target_": "LoadImaged",
    "keys": "label",
    "reader": {"_target_": _READER, "labels": True, "values": "$list(@label_names)"},
    "dtype": None,  # labels arrive as uint8, whatever their file's type
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
    reader: Any = _READER if series is None else {"_target_": _READER, "series": series}
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
