"""MLflow and TensorBoard get what a run measures, SEAT's g and K̃ among it; where MLflow is absent a run says so."""

import csv
import json
import math
import os
import shutil
import subprocess
from collections import defaultdict
from unittest.mock import Mock

import pytest
import torch
import warm_start
from bundle_runs import SMALL, UNET, command
from ignite.engine import Engine, Events
from monai.bundle import ConfigParser
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seat_components.running import tracking
from seat_components.running.command_line import given
from seat_components.training import TrackedStatistics

# MLflow reports its use to its makers unless told not to.
ENVIRONMENT = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}


def tracked(folder, configs, cwd, **overrides):
    return warm_start.run(command(folder, configs, tracking="mlflow", **overrides), cwd, ENVIRONMENT)


def runs(database):
    """The runs in MLflow's database, oldest first: ``(status, {metric: [(step, value), …]})``."""
    mlflow = pytest.importorskip("mlflow", reason="needs MLflow: pip install mlflow-skinny sqlalchemy alembic")
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{database}")
    found = client.search_runs([client.get_experiment_by_name("monai_experiment").experiment_id])
    found.sort(key=lambda run: run.info.start_time)
    return [
        (
            run.info.status,
            {
                name: [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, name)]
                for name in run.data.metrics
            },
        )
        for run in found
    ]


@pytest.fixture
def copy(bundle, tmp_path):
    """A bundle whose defaults may be written to."""
    return shutil.copytree(bundle, tmp_path / "bundle")


@pytest.mark.slow
def test_a_stopped_and_resumed_training_is_one_run_and_each_evaluation_another(copy, task04_phantom, tmp_path):
    pytest.importorskip("mlflow", reason="needs MLflow: pip install mlflow-skinny sqlalchemy alembic")
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    options = {**SMALL, "dataset_dir": str(task04_phantom)}
    for configs, stop in ((["train"], {"stop_after_minutes": 1e-4}), (["train", "resume"], {})):
        done = tracked(copy, configs, nowhere, **options, **stop)
        assert done.returncode == 0, done.stdout[-2000:]
    output = copy / "eval"
    ((status, metrics),) = runs(output / "mlruns.db")
    assert status == "FINISHED"
    rows = list(csv.DictReader((output / "training_history.csv").open()))
    assert [float(row["g"]) for row in rows][:2] == [1, 2]
    for name in ("g", "gradient_norm"):
        assert metrics[name] == [(int(row["epoch"]), float(row[name])) for row in rows]
    assert [step for step, _ in metrics["val_mean_dice"]] == [2, 4]
    assert [step for step, _ in metrics["train_loss"]] == list(range(1, 2 * SMALL["epochs"] + 1))
    assert list(output.glob("mlruns/*/artifacts/config_*.json")), "what was run is kept beside what it measured"
    assert not list(nowhere.iterdir()), "all of it hangs off the bundle"
    require_same_in_tensorboard(output, metrics)

    options = {"network_def": UNET, "dataset_dir": str(task04_phantom), "weights": copy / "models" / "model.pt"}
    for configs, further in ((["train", "evaluate"], {}), (["train", "attack"], {"attack_eps_255": [8], "steps": 2})):
        done = tracked(copy, configs, nowhere, **options, **further)
        assert done.returncode == 0, done.stdout[-2000:]
    found = runs(output / "mlruns.db")
    assert [status for status, _ in found] == ["FINISHED"] * 3
    assert found[1][1].keys() == {"val_mean_dice"}


def require_same_in_tensorboard(output, metrics):
    found = defaultdict(list)
    for file in output.glob("events.out.*"):
        events = EventAccumulator(str(file)).Reload()
        for tag in events.Tags()["scalars"]:
            found[tag] += [(event.step, event.value) for event in events.Scalars(tag)]
    for name in ("g", "gradient_norm", "val_mean_dice", "train_loss"):
        assert sorted(found[name]) == [(step, pytest.approx(value, rel=1e-5)) for step, value in metrics[name]], name


@pytest.mark.slow
def test_another_place_is_taken_and_inference_is_tracked(copy, task04_phantom, tmp_path):
    pytest.importorskip("mlflow", reason="needs MLflow: pip install mlflow-skinny sqlalchemy alembic")
    weights = tmp_path / "weights.pt"
    torch.save(ConfigParser(UNET).get_parsed_content("").state_dict(), weights)
    database = tmp_path / "elsewhere.db"
    options = {"network_def": UNET, "weights": weights, "output_dir": tmp_path / "masks"}
    done = tracked(
        copy, ["inference"], tmp_path, dataset_dir=str(task04_phantom), tracking_uri=f"sqlite:///{database}", **options
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert [status for status, _ in runs(database)] == ["FINISHED"]
    assert not list(copy.rglob("mlruns*"))
    assert not list((tmp_path / "masks").glob("mlruns*"))


def test_every_config_that_runs_asks_first(bundle):
    """Before anything is built, where MONAI would fail in the middle."""
    starts = [
        content["initialize"]
        for file in (bundle / "configs").glob("*.json")
        if "initialize" in (content := json.loads(file.read_text()))
    ]
    assert len(starts) == 6
    assert all("optional_import('seat_components')" in start[0] for start in starts)
    assert all(start[1] == "$seat_running.check_command_line()" for start in starts)


@pytest.mark.slow
def test_without_mlflow_the_last_line_says_what_to_install(bundle, task04_phantom, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['mlflow'] = None\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    options = {"dataset_dir": str(task04_phantom), "output_dir": tmp_path / "eval", "tracking": "mlflow"}
    words = command(bundle, ["train"], **options)
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ERROR: --tracking mlflow needs mlflow, not installed here. Install MLflow (pip install")
    assert "Traceback" not in done.stderr + done.stdout


def faults(monkeypatch, words, absent):
    monkeypatch.setattr("sys.argv", ["/anywhere/monai/bundle/__main__.py", "run", *words])
    monkeypatch.setattr(tracking, "find_spec", lambda name: None if name in absent else object())
    return " ".join(tracking.tracking_faults(given()))


DATABASE = {"sqlalchemy", "alembic"}


def test_the_database_is_needed_unless_a_server_keeps_the_runs(monkeypatch):
    assert "needs sqlalchemy, alembic" in faults(monkeypatch, ["--tracking", "mlflow"], DATABASE)
    server = ["--tracking=mlflow", "--tracking_uri", "https://tracking.example"]
    assert faults(monkeypatch, server, DATABASE) == ""
    assert "needs mlflow, not" in faults(monkeypatch, server, {"mlflow"})


def test_nothing_is_asked_of_other_runs(monkeypatch):
    assert faults(monkeypatch, ["--epochs", "3"], {"mlflow"}) == ""


@pytest.mark.parametrize("norm", [0.25, float("nan")])
def test_g_and_the_norm_are_metrics_where_they_are_numbers(norm):
    engine = Engine(Mock())
    engine.state.metrics["gradient_norm"] = 1.0  # the last epoch's
    TrackedStatistics().attach(engine)
    engine.state.replays, engine.state.gradient_norm = 3, norm
    engine.fire_event(Events.EPOCH_COMPLETED)
    expected = {"g": 3, "gradient_norm": norm} if math.isfinite(norm) else {"g": 3}
    assert engine.state.metrics == expected
