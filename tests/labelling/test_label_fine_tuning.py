"""``make label`` as a person gives it: FREE fine-tuning of the shipped clean weights, over HTTP."""

import csv
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import torch
from label_sessions import BUNDLES, image_id, phantom_cases, studies_of

from seat_components.evaluation.identity import sha256
from seat_components.labelling.client import LabelClient
from seat_components.labelling.server import free_port
from seat_components.tasks import load_task

pytestmark = pytest.mark.slow
ROOT = BUNDLES.parent
DOCS = (ROOT / "docs" / "monai_label.md").read_text(encoding="utf-8")
BUNDLE = "msd_task04_hippocampus"


def command(label_python, studies, further):
    """The words of ``make label`` as docs/monai_label.md gives it for FREE, with other folders and a free port."""
    make = shutil.which("make")
    if make is None:
        pytest.skip("needs make")
    (line,) = (line for line in DOCS.splitlines() if line.startswith("make label") and "FixedSchedule" in line)
    words = shlex.split(line.replace("/path/to/scans", str(studies)))
    words[-1] += f" {further}"
    recipe = subprocess.run([make, "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (start,) = (shlex.split(line) for line in recipe.splitlines() if "seat_components label --env" in line)
    start[0] = sys.executable
    start[start.index("--env") + 1] = str(label_python.parents[1])
    return start


def test_free_from_the_clean_weights(label_python, tmp_path):
    task = load_task("Task04_Hippocampus")
    cases = phantom_cases(task, tmp_path / "data", 2)
    studies = studies_of(cases, tmp_path / "studies")
    app = tmp_path / "app"
    words = command(label_python, studies, f"batch_size=1 num_workers=0 --port {free_port()} --app {app}")
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            said = ""
            while not (found := re.search(r"MONAI Label is ready: (\S+)", said)):
                line = server.stdout.readline()
                assert line, said
                said += line
            require_fine_tuned(LabelClient(found[1]), app / "model" / BUNDLE, cases)
        finally:
            # Not SIGINT, which programs ignore that a script started in the background.
            server.terminate()
            try:
                server.wait(60)
            finally:
                server.kill()
    assert server.returncode == 0


def require_fine_tuned(client, copy, cases):
    clean, weights = copy / "models" / "model_clean.pt", copy / "models" / "model.pt"
    served, start = sha256(weights), sha256(clean)
    for image, label in cases:
        client.upload_label(image_id(image), label)
    job = client.train(BUNDLE, model_filename="model_clean.pt", max_epochs=2, val_split=0.0)
    assert job["status"] == "DONE", job
    rows = list(csv.DictReader((copy / "eval" / "training_history.csv").open()))
    assert [row["g"] for row in rows] == ["5", "5"]
    assert [float(row["backpropagations"]) for row in rows] == [5, 10]
    assert sha256(clean) == start
    assert sha256(weights) != served
    tuned, before, shipped = map(flat, (weights, clean, BUNDLES / BUNDLE / "models" / "model.pt"))
    assert 0 < (tuned - before).norm() < (tuned - shipped).norm(), "it started from the clean weights"
    assert client.infer(BUNDLE, image_id(cases[0][0]))


def flat(file):
    return torch.cat([value.flatten().float() for value in torch.load(file, weights_only=True).values()])
