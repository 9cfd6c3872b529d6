"""docs/own_data.md: its lines one after the other, from a dataset to a bundle that trains on it."""

import pytest
from excused import EXCUSED
from projects import project_copy
from shown_commands import typed_in
from small_bundles import make_small
from typed import typed

from seat_components.data import write_phantom
from seat_components.tasks import load_task

PAGE = "docs/own_data.md"
TASK = load_task("Task09_Spleen")


@pytest.mark.slow
def test_a_dataset_becomes_a_bundle_that_trains_on_it(tmp_path):
    data = tmp_path / "data"
    write_phantom(TASK, data, cases=(4, 2))
    folder = project_copy(tmp_path / "project")
    for command in typed_in(PAGE, EXCUSED):
        if command.startswith("cd "):
            folder = folder / command.removeprefix("cd ")
            make_small(folder, len(TASK.labels))
        else:
            typed(command, folder, {"DIR": data})
    assert (folder / "models" / "model_final.pt").is_file()
