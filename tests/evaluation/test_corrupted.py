"""corrupt.json on a phantom: every case, corruption and severity once; clean as under attack; a stopped run goes on."""

import json
from pathlib import Path

import pytest
from bundle_runs import SMALL, refusal, save_unet, workflow
from ignite.engine import Events

from seat_components.corruptions import CLEAN, table
from seat_components.evaluation import AttackSetting, Protocol
from seat_components.evaluation.protocols import PROTOCOLS
from seat_components.records.corruptions import CorruptedCase, kept_under, mean_under, read_corruptions

CASES = ["hippocampus_004", "hippocampus_011"]
FEW = ("rician-noise", "misplacement")
ASKED = {(CLEAN, 0), *((name, severity) for name in FEW for severity in range(1, 6))}


@pytest.fixture
def options(task04_phantom, tmp_path, monkeypatch):
    """A run of an untrained network under two of the corruptions."""
    few = {name: table.corruptions_of(False)[name] for name in FEW}
    monkeypatch.setattr(table, "_table", lambda: {"mri": few, "both": {}})
    return {
        **SMALL,
        "dataset_dir": str(task04_phantom),
        "output_dir": str(tmp_path / "eval"),
        "weights": str(save_unet(tmp_path / "model.pt")),
        "seed": 3,
    }


def corrupt(bundle, options, stop_after=None):
    flow = workflow(bundle, ["train", "corrupt"], **options)
    evaluator = flow.parser.get_parsed_content("validate#evaluator")
    if stop_after is not None:
        evaluator.add_event_handler(Events.ITERATION_COMPLETED(once=stop_after), evaluator.terminate)
    flow.run()
    return evaluator.state.iteration


def content(options, name="corruptions.json"):
    return json.loads((Path(options["output_dir"]) / name).read_text())


def test_every_result_is_there_once_and_a_stopped_run_goes_on_to_the_same_file(bundle, options, tmp_path):
    assert corrupt(bundle, options) == len(CASES) * len(ASKED)
    whole = content(options)
    assert [row["case"] for row in whole["cases"][:: len(ASKED)]] == CASES
    assert {(row["corruption"], row["severity"]) for row in whole["summary"]} == ASKED
    assert all(row["cases"] == len(CASES) for row in whole["summary"])
    record = read_corruptions(Path(options["output_dir"]) / "corruptions.json")
    kept = kept_under(record.summary)
    assert record.dice_kept == pytest.approx(sum(kept.values()) / len(kept))
    assert kept[record.worst_corruption] == min(kept.values())
    assert len({row["dice"]["Anterior"] for row in whole["cases"]}) > len(CASES), "corruptions change nothing"
    assert corrupt(bundle, options) == 0

    parts = {**options, "output_dir": str(tmp_path / "parts")}
    corrupt(bundle, {**parts, "max_cases": 1}, stop_after=7)
    stopped = content(parts)
    assert (len(stopped["cases"]), stopped["summary"], stopped["dice_kept"]) == (7, [], None)
    assert stopped["unfinished"] == CASES[:1]
    corrupt(bundle, parts)
    assert content(parts) == whole
    table = [(Path(one["output_dir"]) / "corruptions.csv").read_text() for one in (options, parts)]
    assert table[0] == table[1]


@pytest.mark.parametrize("scope", ["patch", "volume"])
def test_clean_is_clean_under_attack_to_the_bit(bundle, options, scope, monkeypatch):
    monkeypatch.setitem(PROTOCOLS, "quick", Protocol((AttackSetting("random"),)))
    given = {**options, "scope": scope, "max_cases": 1, "val_patch_size": [16, 24, 16]}
    corrupt(bundle, given, stop_after=1)
    workflow(bundle, ["train", "attack"], **given, attack_eps_255=[8]).run()
    (row,) = content(given)["cases"]
    attacked = next(row for row in content(given, "robustness.json")["cases"] if row["attack"] == "clean")
    assert row == {"case": CASES[0], "corruption": "clean", "severity": 0, "dice": attacked["dice"]}


def test_other_seeds_are_another_record(bundle, options):
    one = {**options, "max_cases": 1}
    corrupt(bundle, one, stop_after=3)
    first = content(one)
    corrupt(bundle, {**one, "seed": 4}, stop_after=3)
    second = content(one)
    assert second["cases"][0] == first["cases"][0]
    assert content(one, f"corruptions_{first['weights_sha256'][:8]}.json") == first


@pytest.mark.parametrize(
    ("change", "rule"), [({"scope": "volumes"}, "scope is 'volumes'"), ({"max_cases": 0}, "max_cases is 0")]
)
def test_what_does_not_fit_is_refused(bundle, options, change, rule):
    assert rule in refusal(corrupt, bundle, {**options, **change})


@pytest.mark.parametrize(
    ("to", "rule"),
    [
        ({"severity": 6}, r"'severity' is the number 6, but a severity is a whole number"),
        ({"severity": 0}, "misplacement has severity 0"),
        ({"dice": {"Anterior": None, "Posterior": 0.5}}, "'dice.Anterior' is missing"),
        ({"corruption": "fog"}, "'fog' is none of"),
    ],
)
def test_an_edited_record_is_refused_by_its_place(bundle, options, to, rule):
    one = {**options, "max_cases": 1}
    corrupt(bundle, one, stop_after=1)
    file = Path(one["output_dir"]) / "corruptions.json"
    record = json.loads(file.read_text())
    row = {"case": CASES[0], "corruption": "misplacement", "severity": 2, "dice": {"Anterior": 0.5, "Posterior": 0.5}}
    file.write_text(json.dumps({**record, "cases": [*record["cases"], {**row, **to}]}))
    message = refusal(corrupt, bundle, one)
    assert str(file) in message
    assert "cases[1]" in message
    assert rule in message


def rows(name, severity, *dice):
    return [
        CorruptedCase(case=str(place), corruption=name, severity=severity, dice={"a": value})
        for place, value in enumerate(dice)
    ]


def test_what_is_kept_is_the_mean_of_shares_of_the_clean_dice():
    made = [
        *rows(CLEAN, 0, 0.9, 0.7),
        *rows("blur", 1, 0.8, 0.8),
        *rows("blur", 2, 0.4, 0.4),
        *rows("gamma", 1, 0.2, 0.2),
    ]
    assert kept_under(mean_under(made, ["a"])) == {"blur": pytest.approx(0.75), "gamma": pytest.approx(0.25)}
    assert kept_under(mean_under([*rows(CLEAN, 0, 0.0), *rows("blur", 1, 0.5)], ["a"])) == {}
    assert kept_under([]) == {}
