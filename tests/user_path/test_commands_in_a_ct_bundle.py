"""Every command that a card shows, in the bundle of Task09, whose images are CT."""

import pytest
from bundle_commands import repeats, require_run, trained_bundle
from excused import EXCUSED
from shown_commands import CARDS, place_of, shown_by, typed_in

from seat_components.data import write_phantom
from seat_components.tasks import load_task

TASK = load_task("Task09_Spleen")
RUN = [command for command in shown_by(CARDS[TASK.name]) if command not in EXCUSED and place_of(command) == "bundle"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / TASK.name
    write_phantom(TASK, folder, cases=(3, 2))
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory, data):
    return trained_bundle(TASK.name, tmp_path_factory.mktemp("ct"), data)


@pytest.mark.parametrize("command", RUN)
def test_command_runs(command, trained, data, tmp_path):
    require_run(command, trained, data, tmp_path, warm=repeats(command, typed_in("bundle", EXCUSED)))
