"""docs/fine_tuning.md: its commands run one after the other on a phantom, and do what the page says."""

import csv
import json
from pathlib import Path

import pytest
import torch
from bundle_commands import repeats
from bundle_runs import UNET
from excused import EXCUSED
from monai.bundle import ConfigParser
from shown_commands import blocks, text_of, typed_in
from small_bundles import small_bundle
from typed import typed

from seat_components.data import write_phantom
from seat_components.evaluation.identity import sha256
from seat_components.records.history import FILE as HISTORY
from seat_components.tasks import load_task
from seat_components.tasks.folds import folds_json, read_fold

PAGE = text_of("docs/fine_tuning.md")
BLOCKS = blocks(PAGE)
BEFORE = {"before_model_clean": "model_clean.pt", "before_model": "model.pt"}
AFTER = {
    "seat_ft": "model_clean.pt",
    "seat_ft_of_robust": "model.pt",
    "free_ft": "model_clean.pt",
    "clean_ft": "model_clean.pt",
}
CASES = (10, 3)


def test_the_page_lists_a_fold_of_ten_scans_and_some_that_are_held_out(tmp_path):
    (text,) = blocks(PAGE, "json")
    file = tmp_path / "folds.json"
    file.write_text(text)
    training, validation = read_fold(file, 0)
    assert (len(training), len(validation)) == CASES


def test_backpropagations_of_the_table_are_those_of_its_replays():
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| ")]
    trained = {(row[0], row[1]): row[5:7] for row in rows if row[-1].isdigit()}
    assert len(trained) == len(AFTER)
    for count, replays in trained.values():
        assert int(count) == sum(map(int, replays))


class Session:
    """The blocks of the page, typed one after the other in a bundle with a small network and untrained weights."""

    def __init__(self, folder):
        data, self.out, folds = folder / "data", folder / "out", folder / "folds.json"
        write_phantom(load_task("Task04_Hippocampus"), data, cases=CASES)
        names = [Path(entry["image"]).name.removesuffix(".nii.gz") for entry in listed(data)]
        folds.write_text(folds_json([(names[: CASES[0]], names[CASES[0] :])]))
        self.bundle = small_bundle("Task04_Hippocampus", folder)
        for seed, name in enumerate(BEFORE.values()):
            torch.manual_seed(seed)
            torch.save(ConfigParser(UNET).get_parsed_content("").state_dict(), self.bundle / "models" / name)
        self.variables = {"DATA": str(data), "FOLDS": str(folds), "OUT": str(self.out)}
        self.typed = 0

    def up_to(self, count):
        """Type what is left of the first ``count`` blocks. One loops over several commands."""
        while self.typed < count:
            block = BLOCKS[self.typed]
            typed(block, self.bundle, warm=repeats(block, typed_in("bundle", EXCUSED)), **self.variables)
            self.typed += 1


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    return Session(tmp_path_factory.mktemp("page"))


@pytest.fixture
def done(session):
    """The bundle's folder and OUT, after all blocks of the page."""
    session.up_to(len(BLOCKS))
    return session.bundle, session.out


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_block_runs_and_leaves_the_bundle_as_it_is(session, number):
    before = {file: sha256(file) for file in (session.bundle / "models").glob("*.pt")}
    session.up_to(number + 1)
    assert {file: sha256(file) for file in (session.bundle / "models").glob("*.pt")} == before


def listed(data):
    return json.loads((data / "dataset.json").read_text())["training"]


def history(folder):
    return list(csv.DictReader((folder / HISTORY).open()))


@pytest.mark.slow
def test_runs_replay_as_their_methods_say_and_keep_their_last_weights(done):
    _, out = done
    runs = {name: history(out / name) for name in AFTER}
    counts = {name: [int(row["g"]) for row in rows] for name, rows in runs.items()}
    for name in ("seat_ft", "seat_ft_of_robust"):
        assert counts[name][:4] == [1, 1, 1, 2]
        assert min(counts[name][3:]) >= 2
        assert len(counts[name]) == 12
    assert counts["free_ft"] == [5] * 5
    assert counts["clean_ft"] == [1] * 12
    for name, rows in runs.items():
        assert float(rows[-1]["backpropagations"]) == sum(counts[name])
        assert [bool(row["val_mean_dice"]) for row in rows] == [False] * (len(rows) - 1) + [True]
        assert sha256(out / name / "model_final.pt") == sha256(out / name / "model.pt"), "validated once, at the end"


@pytest.mark.slow
@pytest.mark.parametrize("name", AFTER)
def test_what_was_tuned_lies_nearer_to_the_weights_that_it_started_from(done, name):
    bundle, out = done
    tuned = flat(out / name / "model.pt")
    distance = {file: float((tuned - flat(bundle / "models" / file)).norm()) for file in BEFORE.values()}
    assert 0 < distance.pop(AFTER[name]) < 0.5 * min(distance.values())


def flat(file):
    return torch.cat([value.flatten() for value in torch.load(file, weights_only=True).values()])


@pytest.mark.slow
def test_before_and_after_are_measured_on_the_held_out_scans_only(done):
    bundle, out = done
    files = {name: bundle / "models" / file for name, file in BEFORE.items()}
    files |= {name: out / name / "model.pt" for name in AFTER}
    for name, weights in files.items():
        record = json.loads((out / name / "robustness.json").read_text())
        assert record["weights_sha256"] == sha256(weights)
        assert {"clean", "apgd-dice", "apgd-dice-normalised", "worst"} <= {row["attack"] for row in record["summary"]}
        assert {row["eps_255"] for row in record["summary"]} == {0, 8}
        cases = {row["case"] for row in record["cases"]}
        assert len(cases) == CASES[1]
        assert {row["case"] for row in json.loads((out / name / "metrics.json").read_text())["cases"]} == cases
    assert (out / "report.html").is_file()
