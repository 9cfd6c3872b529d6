"""Bundles: rendering them from one template and one table, and what their configs need at run time."""

from seat_components.bundles.configs import check_config
from seat_components.bundles.overrides import check_overrides
from seat_components.bundles.run_record import write_run_record
from seat_components.bundles.tracking import check_tracking, end_tracking
from seat_components.bundles.values import check_values
from seat_components.networks.fit import check_network

__all__ = [
    "check_config",
    "check_network",
    "check_overrides",
    "check_tracking",
    "check_values",
    "end_tracking",
    "write_run_record",
]
