"""Bundles as files to hand out: one reproducible zip each."""

from seat_components.distribution.archive import bundle_zip, zip_bundles

__all__ = ["bundle_zip", "zip_bundles"]
