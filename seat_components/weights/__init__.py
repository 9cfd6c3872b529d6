"""Weights of bundles: which there are, whether they are what was registered, and making files of them."""

from seat_components.weights.archive import bundle_zip, zip_bundles
from seat_components.weights.bundle import convert_weights
from seat_components.weights.hub import hub_folders
from seat_components.weights.inventory import Entry, inventory, verify
from seat_components.weights.shipped import keep_shipped, restore_shipped
from seat_components.weights.untrained import init_weights, is_untrained, notice_untrained

__all__ = [
    "Entry",
    "bundle_zip",
    "convert_weights",
    "hub_folders",
    "init_weights",
    "inventory",
    "is_untrained",
    "keep_shipped",
    "notice_untrained",
    "restore_shipped",
    "verify",
    "zip_bundles",
]
