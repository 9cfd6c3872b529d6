"""Several processes end, and agree, whatever their shares: of validation cases, of windows, of signals."""

import os
import signal
import time

import ignite.distributed as idist
import pytest
import torch
from bundle_runs import SMALL, UNET, workflow
from several import together

from seat_components.data import own_share, write_phantom
from seat_components.tasks import load_task

QUICK = {
    **{name: value for name, value in SMALL.items() if name != "num_workers"},
    "network_def": {**UNET, "norm": "batch"},
    "epochs": 2,
    "val_interval": 1,
    "batch_size": 2,
    "val_patch_size": [16, 16, 16],
}


def settings(folder, cases, **more):
    """Of a small training on a phantom with so many training and validation cases, in a folder of its own."""
    data = folder / "Task04_Hippocampus"
    write_phantom(load_task("Task04_Hippocampus"), data, cases=cases)
    out = str(folder / "run")
    return {**QUICK, "dataset_dir": str(data), "ckpt_dir": out, "output_dir": out, **more}


def train(rank, bundle, given):
    flow = workflow(bundle, ["train", "multi_gpu_train"], **given)
    flow.run()
    trainer = flow.parser.get_parsed_content("train#trainer")
    return {
        "dice": trainer.history.rows[-1].get("val_mean_dice"),
        "cases": len(flow.parser.get_parsed_content("validate#dataset")),
        "stopped": (trainer.stopped_by, trainer.state.iteration),
    }


def dice_of_saved(bundle, given):
    """What one process finds for model_final.pt."""
    flow = workflow(bundle, ["train"], **{**given, "num_workers": 0})
    flow.parser.get_parsed_content("network").load_state_dict(torch.load(f"{given['ckpt_dir']}/model_final.pt"))
    evaluator = flow.parser.get_parsed_content("validate#evaluator")
    evaluator.run()
    return evaluator.state.metrics["val_mean_dice"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("processes", "cases", "shares", "more"),
    [
        (2, (4, 3), [2, 1], {}),  # with the default number of workers
        (3, (3, 2), [2, 2, 2], {"num_workers": 0}),
    ],
)
def test_what_is_validated_is_what_is_saved_whatever_the_shares(bundle, tmp_path, processes, cases, shares, more):
    given = settings(tmp_path, cases, **more)
    ran = together(processes, train, str(bundle), given)
    assert [one["cases"] for one in ran] == shares
    assert [one["dice"] for one in ran] == pytest.approx([dice_of_saved(bundle, given)] * processes, abs=1e-6)


@pytest.mark.slow
def test_a_signal_to_one_process_stops_all_with_the_same_batch(bundle, tmp_path):
    given = settings(tmp_path, (4, 2), epochs=10_000, val_interval=10_000, num_workers=0)

    def stop_the_second(processes):
        while not (tmp_path / "run" / "training_history.csv").is_file():
            assert all(process.is_alive() for process in processes)
            time.sleep(0.05)
        os.kill(processes[1].pid, signal.SIGTERM)

    first, second = together(2, train, str(bundle), given, meanwhile=stop_the_second)
    assert first["stopped"] == second["stopped"]
    assert first["stopped"][0] == signal.SIGTERM
    content = torch.load(tmp_path / "run" / "training_checkpoint.pt", weights_only=True)
    assert content["position"]["iteration"] == first["stopped"][1]


@pytest.mark.parametrize("processes", [1, 2, 3, 7])
@pytest.mark.parametrize("cases", [1, 2, 3, 7, 26])
def test_shares_are_all_cases_once_or_every_time_all(monkeypatch, processes, cases):
    monkeypatch.setattr(idist, "get_world_size", lambda: processes)
    shares = []
    for rank in range(processes):
        monkeypatch.setattr(idist, "get_rank", lambda rank=rank: rank)
        shares.append(list(own_share(range(cases))))
    if cases < processes:
        assert shares == [list(range(cases))] * processes
    else:
        assert sorted(case for share in shares for case in share) == list(range(cases))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
