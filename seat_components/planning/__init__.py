"""Planning: a dataset's fingerprint, the plan that follows from it, and a bundle for it."""

from seat_components.planning.commands import new_bundle
from seat_components.planning.dataset import DatasetDescription, read_description
from seat_components.planning.fingerprint import Fingerprint, measure_dataset
from seat_components.planning.patches import Patches, plan_patches, published_patches
from seat_components.planning.plan import BundlePlan, make_plan

__all__ = [
    "BundlePlan",
    "DatasetDescription",
    "Fingerprint",
    "Patches",
    "make_plan",
    "measure_dataset",
    "new_bundle",
    "plan_patches",
    "published_patches",
    "read_description",
]
