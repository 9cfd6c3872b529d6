"""A plan in gives its runs out, and what cannot be done is refused before anything runs."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from seat_components.experiments import read_plan, steps_of
from seat_components.refusals import RefusalError

PLANS = Path(__file__).parents[2] / "seat_components" / "experiments" / "plans"


@pytest.fixture
def write(tmp_path, bundle, task04_phantom):
    """Write a plan over the phantom; entries are added or replaced by keyword."""

    def file(**entries):
        plan = {"bundle": str(bundle), "dataset_dir": str(task04_phantom), "out": str(tmp_path / "out")}
        (tmp_path / "plan.json").write_text(json.dumps({**plan, "runs": {"seat": {}}, **entries}))
        return tmp_path / "plan.json"

    return file


@pytest.mark.parametrize("file", sorted(PLANS.glob("*.json")), ids=lambda file: file.stem)
def test_shipped_plans_can_be_read(file, bundle, task04_phantom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bundles").symlink_to(PLANS.parents[2] / "bundles")
    content = json.loads(file.read_text())
    if not Path(content["bundle"]).exists():  # a second organ's, which new-bundle makes
        shutil.copytree(bundle, content["bundle"])
    for weights in {run.get("pretrained", "") for run in content["runs"].values()}:
        if "/" in weights:  # another experiment's
            Path(weights).parent.mkdir(parents=True)
            Path(weights).touch()
    plan = read_plan(file, dataset_dir=task04_phantom)
    assert "clean" in plan.runs, "what all else is compared with"
    assert len(list(steps_of(plan))) > len(plan.runs)


def test_steps_are_training_then_examinations_for_each_seed_and_weights(write):
    plan = read_plan(write(seeds=[0, 1], weights=["model.pt", "model_final.pt"], attacks={"quick": {}}))
    names = [step.name for step in steps_of(plan)]
    places = [f"seat/seed0/{weights}" for weights in ("model", "model_final")]
    kinds = ("evaluate", "quick", "theory")
    assert names[:7] == ["seat/seed0/train", *(f"{place}/{kind}" for place in places for kind in kinds)]
    assert names[7] == "seat/seed1/train"
    assert len(names) == 14


def test_a_run_may_have_seeds_of_its_own(write):
    plan = read_plan(write(seeds=[0, 1], runs={"seat": {}, "long": {"seeds": [1]}}, theory=False))
    trainings = [step.name for step in steps_of(plan) if step.kind == "train"]
    assert trainings == ["seat/seed0/train", "seat/seed1/train", "long/seed1/train"]


def test_an_attack_is_made_on_all_runs_or_on_those_that_are_named(write):
    attacked = {"attacks": {"quick": {}, "strong": {}}, "attacked": {"strong": ["clean"]}, "theory": False}
    names = [step.name for step in steps_of(read_plan(write(runs={"seat": {}, "clean": {}}, **attacked)))]
    assert [name for name in names if name.endswith(("quick", "strong"))] == [
        "seat/seed0/model/quick",
        "clean/seed0/model/quick",
        "clean/seed0/model/strong",
    ]


@pytest.mark.parametrize(("attacks", "cases"), [({"a": 4, "b": 6}, "6"), ({"a": 4, "b": None}, "0"), ({}, "0")])
def test_the_theory_is_of_all_cases_that_any_attack_sees(write, attacks, cases):
    plan = read_plan(write(attacks={name: {"max_cases": count} for name, count in attacks.items()}))
    *_, theory = steps_of(plan)
    assert theory.words[theory.words.index("--cases") + 1] == cases


def test_a_run_starts_from_the_weights_or_the_checkpoint_of_an_earlier_one(write):
    runs = {"clean": {"overlays": ["clean"]}, "ft": {"pretrained": "clean"}, "more": {"continues": "clean"}}
    plan = read_plan(write(runs=runs, train={"epochs": 3}))
    steps = {step.name: step for step in steps_of(plan)}
    words = steps["ft/seed0/train"].words
    assert words[words.index("--pretrained") + 1] == str(steps["clean/seed0/train"].folder / "model.pt")
    assert "configs/finetune.json" in words[words.index("--config_file") + 1]
    assert steps["more/seed0/train"].start == steps["clean/seed0/train"].folder
    assert steps["ft/seed0/train"].start is None


def test_a_run_starts_from_a_file_of_weights_which_may_move_but_not_change(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.pt").write_bytes(b"one")
    first, _ = steps_of(read_plan(write(runs={"ft": {"pretrained": "./other.pt"}}, weights=["model.pt"], theory=False)))
    assert first.words[first.words.index("--pretrained") + 1] == str(tmp_path / "other.pt")
    assert "configs/finetune.json" in first.words[first.words.index("--config_file") + 1]
    first.folder.mkdir(parents=True)
    replace(first, epochs=None).finish(1)
    (tmp_path / "there").mkdir()
    (tmp_path / "other.pt").rename(tmp_path / "there/other.pt")
    plan = read_plan(write(runs={"ft": {"pretrained": "there/other.pt"}}, weights=["model.pt"], theory=False))
    moved, _ = steps_of(plan)
    assert moved.seconds() == 1
    (tmp_path / "there/other.pt").write_bytes(b"two")
    with pytest.raises(RefusalError, match=r"from other weights than .*there/other\.pt"):
        moved.seconds()


def test_an_experiment_and_its_data_may_move_but_a_step_may_not_change(write, task04_phantom, tmp_path):
    file = write(attacks={"quick": {}})
    data = tmp_path / "data" / "Task04_Hippocampus"
    shutil.copytree(task04_phantom, data)
    here = [step.fingerprint for step in steps_of(read_plan(file))]
    assert len(set(here)) == len(here)
    moved = read_plan(file, dataset_dir=data, out=tmp_path / "elsewhere")
    assert [step.fingerprint for step in steps_of(moved)] == here
    changed = steps_of(read_plan(write(attacks={"quick": {"steps": 3}})))
    assert [ours == other.fingerprint for ours, other in zip(here, changed, strict=True)] == [True, True, False, True]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"run": {}}, "entry 'run'"),
        ({"seeds": 3}, "'seeds' is the number 3, but it must be a list"),
        ({"attacks": None}, "'attacks' is missing, but it must be an object"),
        ({"attacks": {"quick": 8}}, "'attacks.quick' is the number 8"),
        ({"attacks": {"evaluate": {}}}, "none can be named 'evaluate'"),
        ({"runs": {"../seat": {}}}, "names a file or folder"),
        ({"runs": {"seat": {"overlay": ["free"]}}}, "'runs.seat' has an entry 'overlay'"),
        ({"runs": {"seat": {"overlays": ["fre"]}}}, "overlay 'fre'"),
        ({"runs": {"ft": {"pretrained": "clean"}, "clean": {}}}, "'clean', which must be a run that stands before"),
        (
            {"runs": {"ft": {"pretrained": "there/model.pt"}}},
            r"'ft' starts from the weights there/model\.pt, which are",
        ),
        ({"runs": {"clean": {}, "ft": {"pretrained": "clean", "seeds": [2]}}}, "'ft' has the seed 2, which 'clean'"),
        ({"runs": {"clean": {"seeds": []}}}, r"'runs.clean.seeds' is \[\], but it must list whole numbers"),
        ({"runs": {}}, "at least"),
        ({"runs": {"seat": []}}, "'runs.seat' is a list, but it must be an object"),
        ({"bundle": "nowhere"}, "nowhere has no configs/train.json"),
        ({"dataset_dir": "nowhere"}, "nowhere has no dataset.json"),
        ({"train": {"seed": 3}}, 'a training\'s seed stands in "seeds"'),
        ({"weights": ["best.pt"]}, "model.pt, model_final.pt"),
        ({"attacks": {"quick": {}}, "attacked": {"strong": []}}, "\"attacked\" names 'strong', .* attacks: quick"),
        ({"attacks": {"quick": {}}, "attacked": {"quick": ["free"]}}, "\"attacked\" names 'free', .* none of the runs"),
        ({"yardsticks": ["free-5"]}, "\"yardsticks\" names 'free-5', which is none of the runs"),
    ],
)
def test_a_wrong_plan_is_refused_by_name(write, entries, message):
    file = write(**entries)
    with pytest.raises(RefusalError, match=message) as error:
        read_plan(file)
    assert str(file) in str(error.value)


def test_a_file_that_is_no_plan_is_refused(tmp_path):
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(RefusalError, match=r"plan.json is not valid JSON"):
        read_plan(tmp_path / "plan.json")
    with pytest.raises(RefusalError, match=r"other\.json does not exist\. A plan"):
        read_plan(tmp_path / "other.json")


def test_an_examination_is_of_the_weights_that_are_there_now(write):
    """Figures of weights that were trained anew since stood beside the new training."""
    steps = list(steps_of(read_plan(write(attacks={"quick": {}}, theory=False))))
    weights = Path(steps[0].folder) / "model.pt"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"one")
    for step in steps[1:]:
        step.prepare()
        step.finish(1.0)
        assert step.seconds() == 1.0
    weights.write_bytes(b"two")
    for step in steps[1:]:
        with pytest.raises(RefusalError, match="was done from other weights"):
            step.seconds()


def test_an_overlay_may_say_how_long_a_training_lasts_and_a_part_of_it_may_not(write, bundle, tmp_path):
    shutil.copytree(bundle, tmp_path / "own")
    (tmp_path / "own/configs/short.json").write_text('{"epochs": 2}')
    plan = read_plan(write(bundle=str(tmp_path / "own"), runs={"seat": {"overlays": ["short"]}, "long": {}}))
    assert [step.epochs for step in steps_of(plan) if step.kind == "train"] == [2, 300]
    with pytest.raises(RefusalError, match='how long a training lasts stands in "epochs"'):
        read_plan(write(train={"train#trainer#max_epochs": 3}))


def test_a_limit_of_null_reaches_the_attack_as_none(write):
    plan = read_plan(write(attacks={"quick": {"max_cases": None}}, theory=False))
    words = next(step for step in steps_of(plan) if step.kind == "attack quick").words
    assert words[words.index("--max_cases") + 1] == "$None"
