"""From a dataset folder to batches: lists of cases, checks, transforms, a replayable dataset and its loader."""

from seat_components.data.cached import CachedDataset
from seat_components.data.cases import FoldCases
from seat_components.data.checks import check_cases
from seat_components.data.cropping import CropAroundCentreOfMassd, CropLongVolumed, PadDarkestd
from seat_components.data.datalist import fold_datalist
from seat_components.data.expectation import Expectation
from seat_components.data.index import DatasetIndex, read_dataset
from seat_components.data.intensity import ClipIntensityd, RandGaussianBrightnessd
from seat_components.data.loader import SteadyLoader, training_loader
from seat_components.data.phantom import phantom, write_phantom
from seat_components.data.reading import ScanReader, open_scan
from seat_components.data.replay import EpochSampler, ReplayableDataset
from seat_components.data.scans import inference_datalist
from seat_components.data.share import own_share
from seat_components.data.spacing import SafeSpacingd

__all__ = [
    "CachedDataset",
    "ClipIntensityd",
    "CropAroundCentreOfMassd",
    "CropLongVolumed",
    "DatasetIndex",
    "EpochSampler",
    "Expectation",
    "FoldCases",
    "PadDarkestd",
    "RandGaussianBrightnessd",
    "ReplayableDataset",
    "SafeSpacingd",
    "ScanReader",
    "SteadyLoader",
    "check_cases",
    "fold_datalist",
    "inference_datalist",
    "open_scan",
    "own_share",
    "phantom",
    "read_dataset",
    "training_loader",
    "write_phantom",
]
