"""``python -m tools.range_over_std``: how many standard deviations an image's range is, over a task's training cases.

The images are those that ``attack.json`` attacks: preprocessed, and one patch around each foreground. The median on
Task04 is ``RANGE_OVER_STD`` of seat_components/budget.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import torch
from monai.bundle import ConfigParser
from torch import Tensor

from seat_components.budget import IntensityBudget, standard_deviation

BUNDLE = Path(__file__).parents[1] / "bundles" / "msd_task04_hippocampus"


def ratios(bundle: Path, dataset_dir: Path) -> list[float]:
    """(max − min) / standard deviation of each training case's patch, mean over channels, constant ones left out."""
    config = ConfigParser()
    config.read_config([str(bundle / "configs" / f"{name}.json") for name in ("train", "attack")])
    config["dataset_dir"], config["device"] = str(dataset_dir), "cpu"
    cases = config.get_parsed_content("cases").training
    preprocessing = config.get_parsed_content("validate#preprocessing")
    return [ratio(preprocessing(case)["image"].as_tensor()[None]) for case in cases]


def ratio(image: Tensor) -> float:
    """That of one image (1, C, *spatial)."""
    spread = standard_deviation(image).flatten()
    span = IntensityBudget.of(image, 1.0).whole.flatten()
    return float((span / spread)[spread > 0].mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the median, the extremes, and what 8/255 of the range is in standard deviations."""
    parser = argparse.ArgumentParser(prog="python -m tools.range_over_std", description=main.__doc__)
    parser.add_argument("--dataset_dir", required=True, type=Path, help="the task's folder, with its dataset.json")
    parser.add_argument("--bundle", default=BUNDLE, type=Path, help="whose fold and preprocessing; Task04's by default")
    options = parser.parse_args(arguments)
    found = torch.tensor(ratios(options.bundle, options.dataset_dir), dtype=torch.float64)
    for name, value in (("least", found.min()), ("median", median(found.tolist())), ("most", found.max())):
        print(f"{name:>6}: {value:6.3f} standard deviations; 8/255 of it is {8 / 255 * value:.3f}")
    print(f"{len(found)} training cases")


if __name__ == "__main__":
    main()
