"""What pages show of ``seat``: its lines have ids and configs that bundles have; one is typed, and one refused."""

import sys
from contextlib import suppress
from pathlib import Path

import pytest
from bundle_runs import save_unet
from excused import EXCUSED
from shown_commands import ROOT, typed_in
from small_bundles import small_bundle
from typed import environment, typed

from seat_components.__main__ import main
from seat_components.commands.bundle_runs import COMMANDS_OF_RUNS
from seat_components.launching import start
from seat_components.running.command_line import given
from seat_components.running.config_check import given_faults
from seat_components.running.ids import id_faults

RUN = typed_in("seat", EXCUSED)
# Of any other network nothing is started: docs/own_network.md is typed in a test of its own.
STARTS = [command for command in RUN if command.split()[1] in COMMANDS_OF_RUNS and " --model " not in command]
SCRIPT = "#!{}\nimport sys\nfrom seat_components.__main__ import main\nsys.exit(main())\n"


@pytest.mark.parametrize("command", RUN)
def test_a_line_that_a_page_shows_passes_the_rules_for_lines(command, monkeypatch, tmp_path, capsys):
    lines = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEAT_BUNDLES", str(ROOT / "bundles"))
    monkeypatch.setattr(start.os, "execv", lambda _, words: lines.append(words))
    words = command.replace('"', "").replace("BUNDLE", "msd_task04_hippocampus").split()[1:]
    with suppress(SystemExit):  # of --help
        main(words)
    assert len(lines) == (command in STARTS), capsys.readouterr()
    for line in lines:
        monkeypatch.setattr(sys, "argv", ["/x/monai/bundle/__main__.py", *line[3:]])
        assert id_faults(given()) + given_faults(given()) == []


@pytest.mark.slow
def test_a_scan_is_segmented_in_any_folder(task04_phantom, tmp_path):
    bundle = small_bundle("Task04_Hippocampus", tmp_path / "bundles")
    save_unet(bundle / "models" / "model.pt")
    program = tmp_path / "bin" / "seat"
    program.parent.mkdir()
    program.write_text(SCRIPT.format(sys.executable))
    program.chmod(0o755)
    variables = {"PATH": f"{program.parent}:{environment()['PATH']}", "PYTHONPATH": str(ROOT)}
    scan = sorted((task04_phantom / "imagesTs").glob("*.nii.gz"))[0]
    (tmp_path / scan.name).symlink_to(scan)
    (command,) = [command for command in STARTS if " predict " in command]
    meant = {"SCAN": scan.name, "MASKS": "masks", "BUNDLE": bundle.name}
    said = typed(command, tmp_path, meant, **variables)
    assert [file.name for file in (tmp_path / "masks").glob("*.nii.gz")] == [scan.name]
    assert "-m monai.bundle run" in said.splitlines()[0]
    refused = typed(f"{command} || echo status $?", tmp_path, {**meant, "SCAN": "nowhere"}, **variables)
    assert "nowhere is not a folder, nor a file" in refused
    assert refused.splitlines()[-1] == "status 1"
    assert {file.name for file in Path(tmp_path).iterdir()} == {"bundles", "bin", "masks", scan.name}
