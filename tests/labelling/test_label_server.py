"""The real MONAI Label server serves, trains and scores the bundles, driven over HTTP as by a viewer."""

import csv
import math
import os
import time

import nibabel as nib
import numpy as np
import pytest
import torch
from label_client import LabelClient
from label_sessions import (
    dice,
    image_id,
    phantom_cases,
    read_mask,
    real_cases,
    require_clean_log,
    small_app,
    studies_of,
)

from seat_components.evaluation.identity import sha256
from seat_components.labelling.server import LabelServer
from seat_components.refusals import RefusalError
from seat_components.tasks import all_tasks, load_task

pytestmark = pytest.mark.slow
SECONDS = 400


def session(python, folder, task, cases):
    """Segment, correct, train, score: what a person does, in order; the first answer's Dice comes back."""
    app = folder / "app"
    (model,) = small_app(python, app, [task])
    weights = app / "model" / model / "models" / "model.pt"
    studies = studies_of(cases, folder / "studies")
    (image, label), *others = cases
    with LabelServer(python, app, studies, [model]) as server:
        client = LabelClient(server.address, SECONDS)
        info = client.info()
        assert info["models"][model]["labels"] == {name.lower(): i for i, name in enumerate(task.labels) if i}
        assert info["models"][model]["config"]["model_filename"][0] == "model.pt"
        assert model in info["trainers"]
        assert model in info["scoring"]

        before = client.infer(model, image_id(image))
        quality = require_mask_fits(before, image, label, task, folder)

        # One labelled image: none is left for validation, and the weights are replaced all the same.
        served = sha256(weights)
        client.upload_label(image_id(image), label)
        assert client.train(model, max_epochs=1, val_split=0.25)["status"] == "DONE"
        assert sha256(weights) != served
        assert "before SEAT's first adversarial epoch" in server.log.read_text(errors="replace")
        after = client.infer(model, image_id(image))
        require_mask_fits(after, image, label, task, folder)
        assert reloaded(server), "the next inference must use the new weights"

        # Four epochs: what MONAI Label trains becomes adversarial. Shipped clean weights are fine-tuned (SEAT-FT).
        start = "model_clean.pt" if (weights.parent / "model_clean.pt").is_file() else "model.pt"
        served = sha256(weights)
        for other, its_label in others[:-1]:
            client.upload_label(image_id(other), its_label)
        assert client.train(model, max_epochs=4, val_split=0.34, model_filename=start)["status"] == "DONE"
        assert f"Add Checkpoint Loader for Path: {weights.parent / start}" in server.log.read_text(errors="replace")
        assert sha256(weights) != served
        rows = list(csv.DictReader((app / "model" / model / "eval" / "training_history.csv").open()))
        assert [row["g"] for row in rows] == ["1", "1", "1", "2"]
        assert [float(row["backpropagations"]) for row in rows] == [1, 2, 3, 5]
        assert math.isfinite(float(rows[-1]["val_mean_dice"]))
        content = torch.load(weights, weights_only=True)
        assert all(bool(value.isfinite().all()) for value in content.values())

        # The one image without a label is scored, and is the one to label next.
        last = image_id(others[-1][0])
        assert client.score(model, simulation_size=2)["executed"] == 1
        entropy = client.datastore()["objects"][last]["image"]["info"]["epistemic_entropy"]
        # Of probabilities: between none and ln(number of classes).
        assert 0 < entropy <= math.log(len(task.labels)) + 1e-3
        assert client.next_image("first")["id"] == last

        assert client.batch_infer(model)["status"] == "DONE"
        labels = client.datastore()["objects"][last]["labels"]
        assert labels["original"]["info"]["model"] == model
        colour = folder / "colour.nii.gz"
        nib.save(nib.Nifti1Image(np.zeros((8, 8, 8), [(name, "u1") for name in "RGB"]), np.eye(4)), colour)
        with pytest.raises(RefusalError, match="is an RGB colour image"):
            client.infer_own(model, colour)
        require_clean_log(server)
    require_ended(server)
    return quality


def require_mask_fits(content, image, label, task, folder):
    """The mask lies in the image's grid and holds labels of the task; its Dice comes back."""
    mask, values = read_mask(content, folder)
    scan = nib.load(image)
    assert mask.shape == scan.shape[:3]
    assert np.allclose(mask.affine, scan.affine, atol=1e-4)
    assert set(np.unique(values)) <= set(range(len(task.labels)))
    return dice(values, np.asarray(nib.load(label).dataobj), len(task.labels))


def reloaded(server):
    return "Reload model from cache" in server.log.read_text(errors="replace")


def require_ended(server):
    """No process of the server's group is left, once those that were killed are buried."""
    for _ in range(50):
        try:
            os.killpg(server.group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail(f"processes of group {server.group} outlive their server")


def test_a_session_with_the_shipped_weights_on_real_volumes(label_python, real_task04, tmp_path):
    task = load_task("Task04_Hippocampus")
    quality = session(label_python, tmp_path, task, real_cases(real_task04, 4))
    assert quality > 0.7


@pytest.mark.parametrize("name", ["Task01_BrainTumour", "Task09_Spleen"])
def test_a_session_on_phantoms(label_python, tmp_path, name):
    """Four channels of MRI, and CT with two classes, from untrained weights."""
    task = load_task(name)
    session(label_python, tmp_path, task, phantom_cases(task, tmp_path / "data", 4))


def test_all_ten_bundles_in_one_server(label_python, tmp_path):
    tasks = all_tasks()
    app = tmp_path / "app"
    models = small_app(label_python, app, tasks)
    cases = {task.bundle: phantom_cases(task, tmp_path / task.name, 1)[0] for task in tasks}
    studies = studies_of(cases.values(), tmp_path / "studies")
    with LabelServer(label_python, app, studies, models) as server:
        client = LabelClient(server.address, SECONDS)
        info = client.info()
        assert sorted(info["models"]) == sorted(info["trainers"]) == sorted(info["scoring"]) == sorted(models)
        for task in tasks:
            shipped = task.name == "Task04_Hippocampus"
            assert info["models"][task.bundle]["description"].startswith("UNTRAINED") is not shipped
            image, label = cases[task.bundle]
            require_mask_fits(client.infer(task.bundle, image_id(image)), image, label, task, tmp_path)
        with pytest.raises(RefusalError, match="failed"):
            client.infer("msd_task99", image_id(cases[models[0]][0]))
        require_clean_log(server)
    require_ended(server)
