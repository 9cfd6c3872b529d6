"""Planning: a dataset's fingerprint, the plan that follows from it, and a bundle for it."""

from seat_components.planning.dataset import Description, read_description
from seat_components.planning.fingerprint import Fingerprint, measure_dataset
from seat_components.planning.new_bundle import new_bundle
from seat_components.planning.patches import Patches, plan_patches, published_patches
from seat_components.planning.plan import Plan, make_plan

__all__ = [
    "Description",
    "Fingerprint",
    "Patches",
    "Plan",
    "make_plan",
    "measure_dataset",
    "new_bundle",
    "plan_patches",
    "published_patches",
    "read_description",
]
