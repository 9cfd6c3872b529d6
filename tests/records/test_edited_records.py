"""Records that were edited, cut off, nested, linked in a circle or no text: refused by name, or used; nothing else."""

import copy
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seat_components.data import fold_datalist
from seat_components.data.index import read_dataset
from seat_components.evaluation import AttackUpdate, MetricsRecord
from seat_components.evaluation.identity import data_description
from seat_components.evaluation.robustness import RobustnessRecords
from seat_components.experiments.plan import read_plan
from seat_components.experiments.steps import Step, steps_of
from seat_components.files import read_json_object
from seat_components.records.attacked import CheckedCase, LeastBudget
from seat_components.records.history import read_history
from seat_components.records.metrics import read_metrics
from seat_components.records.robustness import AttackedEvaluation, read_robustness
from seat_components.records.theory import read_theory
from seat_components.refusals import RefusalError
from seat_components.reporting import read_run
from seat_components.tasks.folds import read_fold

LABELS = {"0": "background", "1": "left", "2": "right"}
SHA = "a" * 64
HEADER = {"bundle": "b", "weights_sha256": SHA, "protocol": "quick", "settings": {"pgd-ce": {"steps": 2}}, "seed": 0}
CASES = ("one", "two")


def record():
    """A robustness.json as an evaluation writes it, stopped in its second case."""
    made = RobustnessRecords(None, AttackedEvaluation(**HEADER), ["left", "right"])
    for case in CASES:
        for attack, eps in (("clean", 0.0), ("random", 8.0), ("pgd-ce", 8.0)):
            made.add(case, attack, eps, [0.5, 0.25], 1.0 if eps else 0.0)
        made.checks.append(CheckedCase(check="zero gradients", case=case, value=0.0))
        made.checks.append(CheckedCase(check="more effort", case=case, value=0.2, attack="pgd-ce", eps_255=8.0))
        made.volumes[case] = {"left": 1.0, "right": 2.0}
        made.files[case] = "f"
    least = {"eps_255": 7.5, "kept_255": 7.25, "clean_dice": 0.5, "dice": 0.1, "forwards": 9, "backwards": 8}
    made.least_budgets["one"] = LeastBudget(case="one", **least)
    made.add_cost("pgd-ce", 3, 2, 0.5)
    made.unfinished.add("two")
    return made.content()


def metrics_record():
    row = {"case": "one", "files": "f", "mean_dice": 0.5, "dice": {"left": 0.25, "right": 0.75}}
    row |= {"hausdorff95_mm": {"left": 1.0, "right": None}, "surface_distance_mm": {"left": 0.5, "right": None}}
    summary = {name: row[name] for name in ("mean_dice", "dice", "hausdorff95_mm", "surface_distance_mm")}
    identity = {"bundle": "b", "weights_sha256": SHA, "data": "", "val_patch_size": None}
    return {**identity, "rule": "…", "versions": {"torch": "2"}, "summary": summary, "cases": [row]}


def go_on(file):
    """What a resumed attack does with its record before it attacks."""
    made = RobustnessRecords(file.parent, AttackedEvaluation(**HEADER), ["left", "right"])
    update = AttackUpdate.__new__(AttackUpdate)
    update.records = made
    made.drop_stale(dict.fromkeys([*CASES, "three"], "f"))
    made.write()
    update.report()


def evaluate_on(file):
    weights = file.parent / "model.pt"
    weights.write_bytes(b"weights")
    made = MetricsRecord(file.parent, weights, "b", LABELS)
    made.remaining([{"image": f"{name}.nii.gz"} for name in CASES])
    made.write()
    made.report()


def done(file):
    return Step("out", "train", file.parent, ("python", "x"), bundle="b").seconds()


FOLDS = {"folds": [{"training": ["a", "b"], "validation": ["c"]}, {"training": ["c"], "validation": ["a"]}]}
DATASET = {
    "name": "N", "description": "D", "modality": {"0": "CT"}, "labels": {"0": "background", "1": "left"},
    "training": [{"image": "./i/a.nii.gz", "label": "./l/a.nii.gz"}], "test": ["./t/b.nii.gz", {"image": "c.nii"}],
}  # fmt: skip
PLAN = {
    "title": "T", "bundle": "bundle", "dataset_dir": ".", "seeds": [0, 1], "weights": ["model.pt"], "remark": "r",
    "common": {"network_def": {"_target_": "UNet"}}, "train": {"epochs": 3}, "attacks": {"quick": {"max_cases": 2}},
    "runs": {"clean": {"overlays": ["clean"]}, "ft": {"pretrained": "clean", "train": {"epochs": 2}}},
}  # fmt: skip
MARK = {
    "fingerprint": Step("out", "train", Path(), ("python", "x"), bundle="b").fingerprint,
    "seconds": 1.5,
    "command": ["x"],
    "bundle": "b",
    "source_sha256": None,
}
THEORY = {"cases": 2, "margins": [0.5, 1], "log_complexity": None, "gradient_norm_1": 1.0, "gradient_norm_2": 0.5}
RUN = {"bundle": "b", "task": "Task04_Hippocampus", "method": "SEAT", "label_names": LABELS, "data": "D"}


HISTORY = (
    "epoch,g,gradient_norm,threshold,backpropagations,train_loss,val_mean_dice,val_dice_a,learning_rate,seconds\n"
    "1,1,3.5,,4,1.5,,,0.01,2\n2,2,inf,3.5,8,0.5,0.5,0.5,0.01,2.5\n"
)


def plan(file):
    (file.parent / "bundle" / "configs").mkdir(parents=True, exist_ok=True)
    for name in ("train", "clean", "finetune"):
        (file.parent / "bundle" / "configs" / f"{name}.json").write_text("{}")
    (file.parent / "dataset.json").write_text("{}")
    read = read_plan(file, dataset_dir=file.parent, out=file.parent / "out")
    return [step.name for step in steps_of(read)]


# file name → (what it holds, who reads it)
KINDS = {
    "resumed robustness": ("robustness.json", record(), go_on),
    "reported robustness": ("robustness.json", record(), read_robustness),
    "resumed metrics": ("metrics.json", metrics_record(), evaluate_on),
    "reported metrics": ("metrics.json", metrics_record(), read_metrics),
    "run": ("run.json", RUN, lambda file: read_run(file.parent)),
    "folds": ("folds.json", FOLDS, lambda file: [read_fold(file, fold) for fold in (0, 1)]),
    "dataset": ("dataset.json", DATASET, lambda file: read_dataset(file.parent)),
    "datalist": ("dataset.json", DATASET, lambda file: fold_datalist(file.parent, "Task04_Hippocampus")),
    "description": ("dataset.json", DATASET, lambda file: data_description(file.parent)),
    "plan": ("plan.json", PLAN, plan),
    "mark": ("out.done.json", MARK, done),
    "theory": ("theory.json", THEORY, read_theory),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def use(kind, file):
    """Whether the file was used; False where it was refused, by its name."""
    try:
        KINDS[kind][2](file)
    except RefusalError as error:
        assert file.name in str(error) or str(file.parent) in str(error), error
        return False
    return True


def write(kind, folder):
    name, content, _ = KINDS[kind]
    if kind == "plan":
        content = {**content, "bundle": str(folder / "bundle")}
    (folder / name).write_text(json.dumps(content))
    if kind == "run":
        (folder / "training_history.csv").write_text(HISTORY)
    return folder / name


@each_kind
def test_what_was_written_is_used(kind, tmp_path):
    used = use(kind, write(kind, tmp_path))
    assert used == (kind != "datalist"), "none of its cases are of the fold, which is refused, too"


SPOILT = {
    "empty": lambda file: file.write_bytes(b""),
    "binary": lambda file: file.write_bytes(bytes(range(256))),
    "UTF-16": lambda file: file.write_bytes(file.read_text().encode("utf-16")),
    "cut off": lambda file: file.write_text(file.read_text()[:-9]),
    "list": lambda file: file.write_text("[1]"),
    "nested": lambda file: file.write_text('{"cases": ' + "[" * 10_000 + "]" * 10_000 + "}"),
    "nested objects": lambda file: file.write_text('{"a":' * 10_000 + "1" + "}" * 10_000),
    "nested a little less": lambda file: file.write_text('{"a":' * 300 + "1" + "}" * 300),
    "NaN": lambda file: file.write_text('{"seed": NaN,' + file.read_text()[1:]),
    "infinity": lambda file: file.write_text('{"seed": -Infinity,' + file.read_text()[1:]),
    "beyond floating point": lambda file: file.write_text('{"x": 1e999,' + file.read_text()[1:]),
    "beyond 64 bits": lambda file: file.write_text('{"x": 1' + "0" * 5000 + "," + file.read_text()[1:]),
    "name twice": lambda file: file.write_text('{"cases": [], "folds": [], ' * 2 + "}}"),
    "same name twice": lambda file: file.write_text('{"x": 1, "x": 2,' + file.read_text()[1:]),
    "half a character": lambda file: file.write_text('{"x": "\\ud800",' + file.read_text()[1:]),
    "zero byte": lambda file: file.write_text('{"x": "\\u0000",' + file.read_text()[1:]),
    "folder": lambda file: (file.unlink(), file.mkdir()),
    "link in a circle": lambda file: (file.unlink(), file.symlink_to(file)),
    "link to nowhere": lambda file: (file.unlink(), file.symlink_to(file.parent / "nowhere")),
}


@each_kind
@pytest.mark.parametrize("fault", SPOILT)
def test_what_is_no_json_object_is_refused(kind, fault, tmp_path):
    file = write(kind, tmp_path)
    SPOILT[fault](file)
    assert not use(kind, file)


@pytest.mark.parametrize("fault", SPOILT)
def test_the_refusal_names_the_file(fault, tmp_path):
    file = write("theory", tmp_path)
    SPOILT[fault](file)
    with pytest.raises(RefusalError, match=r"theory\.json (is|does|must|holds|names|cannot)"):
        read_json_object(file)


def test_a_byte_order_mark_changes_nothing(tmp_path):
    file = write("folds", tmp_path)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert use("folds", file)


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.just(2**62), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5), st.sampled_from(["", "one", "clean", "$1", "../..", "x" * 5000, "worst", "\x1b[0m", "a\nb"]),
    st.just([]), st.just({}), st.lists(st.integers(0, 2), max_size=3), st.dictionaries(st.text(max_size=3), st.none()),
)  # fmt: skip


def places(value, at=()):
    """The path to each value within ``value``."""
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from places(part, (*at, key))


@st.composite
def edits(draw, content):
    """``content`` with some of its values replaced, removed, doubled or added."""
    edited = copy.deepcopy(content)
    for _ in range(draw(st.integers(1, 3))):
        *before, last = draw(st.sampled_from([place for place in places(edited) if place]))
        parent = edited
        for key in before:
            parent = parent[key]
        change = draw(st.sampled_from(["replace", "replace", "remove", "double", "add"]))
        if change == "replace":
            parent[last] = draw(ODD)
        elif change == "remove":
            del parent[last]
        elif isinstance(parent, list):
            parent.append(copy.deepcopy(parent[last]) if change == "double" else draw(ODD))
        else:
            parent[draw(st.text(max_size=3))] = draw(ODD)
        if not any(places(edited)) or not edited:
            break
    return edited


@each_kind
@given(data=st.data())
def test_an_edited_file_is_used_or_refused_by_name(kind, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("edited")
    file = write(kind, folder)
    file.write_text(json.dumps(data.draw(edits(json.loads(file.read_text())))))
    use(kind, file)
    shutil.rmtree(folder)


@given(data=st.data())
def test_an_edited_history_is_used_or_refused_by_name(data, tmp_path_factory):
    file = tmp_path_factory.mktemp("edited") / "training_history.csv"
    cells = [line.split(",") for line in HISTORY.splitlines()]
    odd = st.sampled_from(["", "x", "nan", "inf", "-1", "1e308", "1e999", "9" * 400, "1.5", '"', "\x00", "١", "epoch"])
    for _ in range(data.draw(st.integers(1, 3))):
        row = data.draw(st.sampled_from(cells))
        row[data.draw(st.integers(0, len(row) - 1))] = data.draw(odd)
    file.write_text("\n".join(",".join(row) for row in cells))
    try:
        history = read_history(file)
    except RefusalError as error:
        assert str(file) in str(error)
    else:
        assert history is None or (history.gradient_norm_windows() and history.epochs >= 1)
    shutil.rmtree(file.parent)


@pytest.mark.parametrize("fault", ["binary", "folder", "link in a circle", "link to nowhere"])
def test_a_history_that_is_no_text_is_refused(fault, tmp_path):
    file = tmp_path / "training_history.csv"
    file.write_text(HISTORY)
    SPOILT[fault](file)
    with pytest.raises(RefusalError, match=r"training_history\.csv"):
        read_history(Path(file))
    with pytest.raises(RefusalError, match=r"training_history\.csv"):
        read_run(tmp_path)
