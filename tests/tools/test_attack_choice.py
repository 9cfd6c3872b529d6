"""Attacks run one by one and compared, on a phantom: what is there is not run again, and the tables add up."""

import json

import pytest
from bundle_runs import UNET, save_unet

from seat_components.bundles.render import write_bundle
from tools import protocol_choice, single_attacks

TASK = "Task04_Hippocampus"


@pytest.fixture(scope="module")
def network_folder(task04_phantom, tmp_path_factory):
    folder = tmp_path_factory.mktemp("choice")
    bundle = write_bundle(TASK, folder / "bundles")
    save_unet(folder / "weights.pt")

    def run(*attacks):
        words = ["--bundle", bundle, "--weights", folder / "weights.pt", "--dataset", task04_phantom]
        words += ["--network", json.dumps(UNET), "--cases", 2, "--out", folder / "unet", "--attacks", *attacks]
        single_attacks.main(list(map(str, words)))

    run("apgd-dice:2", "pgd-ce:2", "features-last:2", "features-deepest:2")
    return folder / "unet", run


def test_what_is_there_is_not_run_again(network_folder):
    folder, run = network_folder
    before = {file: file.read_bytes() for file in folder.rglob("*.json")}
    run("apgd-dice:2", "pgd-ce:2")
    assert {file: file.read_bytes() for file in folder.rglob("*.json")} == before
    assert len(before) == 4


def test_no_set_leaves_more_than_its_members(network_folder, capsys):
    folder, _ = network_folder
    protocol_choice.main([str(folder), "--steps", "2"])
    lines = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    left = {cells[0]: float(cells[1]) for cells in lines if len(cells) == 3 and cells[0] != "attacks"}
    alone = {name: dice for name, dice in left.items() if "+" not in name}
    assert set(alone) == {"apgd-dice-2", "pgd-ce-2", "features-last-2", "features-deepest-2"}
    pairs = {name: dice for name, dice in left.items() if "+" in name}
    assert len(pairs) == 6
    for name, dice in pairs.items():
        assert dice <= min(alone[part] for part in name.split(" + "))
