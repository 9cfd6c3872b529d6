"""A bundle rendered for the tests, so that no test writes into the committed ones."""

import pytest

from seat_components.bundles.render import write_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    return write_bundle("Task04_Hippocampus", tmp_path_factory.mktemp("bundles"))
