"""Two processes under torchrun agree with one process at the same effective batch."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from bundle_runs import SMALL, command, workflow
from several import free_port

from seat_components.refusals import RefusalError
from seat_components.running import join_processes
from seat_components.running.processes import PATIENCE

SLURM_SCRIPT = Path(__file__).parents[2] / "docs" / "slurm_train.sh"


def ended(words, **environment):
    """The result of a command; its ``stdout`` holds both streams."""
    return subprocess.run(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, **environment},
    )


def torchrun(bundle, configs, **overrides):
    words = command(bundle, configs, **overrides)
    run = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", f"--master_port={free_port()}"]
    return ended([*run, *words[1:]])


def slurm_job(folder, bundle, dataset_dir, ckpt_dir, output_dir, **overrides):
    """What SLURM does with the script of the page on GPUs, on one machine with two of them; it has none of SLURM."""
    assert ckpt_dir == output_dir
    for name, lines in (
        ("srun", 'while [[ $1 == --* ]]; do shift; done\nexec "$@"'),
        ("scontrol", "echo localhost"),
    ):
        (folder / name).write_text(f"#!/bin/bash\n{lines}\n")
        (folder / name).chmod(0o755)
    given = command(bundle, [], **overrides)
    options = given[given.index("--bundle_root") + 2 :]
    places = [str(folder), str(Path(sys.executable).parent), os.environ["PATH"]]
    return ended(
        ["bash", str(SLURM_SCRIPT), str(bundle), dataset_dir, output_dir, *options],
        PATH=os.pathsep.join(places),
        SLURM_JOB_ID="7",
        SLURM_JOB_NODELIST="localhost",
        SLURM_JOB_NUM_NODES="1",
        SLURM_GPUS_ON_NODE="2",
        SLURM_CPUS_PER_TASK="2",
    )


def history(folder):
    with (folder / "training_history.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_two_processes_agree_with_one(bundle, task04_phantom, tmp_path):
    common = {**SMALL, "dataset_dir": str(task04_phantom)}
    folders = {count: tmp_path / str(count) for count in (1, 2)}
    one = {**common, "batch_size": 4, "ckpt_dir": str(folders[1]), "output_dir": str(folders[1])}
    workflow(bundle, ["train"], **one).run()
    # Two processes with half the batch: the same samples make a step, in two halves.
    half = {**common, "batch_size": 2, "ckpt_dir": str(folders[2]), "output_dir": str(folders[2])}
    result = torchrun(bundle, ["train", "multi_gpu_train"], **{**half, "stop_after_minutes": 1e-4})
    assert result.returncode == 0, result.stdout
    # The second time inside a job of SLURM, which says nothing about this machine's processes.
    result = slurm_job(tmp_path, bundle, **half)
    assert result.returncode == 0, result.stdout
    alone, together = history(folders[1]), history(folders[2])
    assert [row["g"] for row in alone] == [row["g"] for row in together]
    for row, other in zip(alone, together, strict=True):
        for name in ("gradient_norm", "train_loss", "val_mean_dice", "threshold", "backpropagations"):
            if row[name]:
                assert float(other[name]) == pytest.approx(float(row[name]), rel=1e-3, abs=1e-3), name
    weights = [torch.load(folder / "model_final.pt", weights_only=True) for folder in folders.values()]
    assert all(torch.allclose(weights[0][name], weights[1][name], atol=1e-3) for name in weights[0])
    checkpoint = torch.load(folders[2] / "training_checkpoint.pt", weights_only=True)
    assert len(checkpoint["parts"]["update"]["noise"]) == 2


def test_several_processes_and_one_config_must_fit(monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    join_processes(False, "cpu")
    with pytest.raises(RefusalError, match="torchrun --nproc_per_node"):
        join_processes(True, "cpu")
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RefusalError, match="multi_gpu_train"):
        join_processes(False, "cpu")


@pytest.mark.parametrize(("device", "taken", "backend"), [("cuda:1", "cuda:1", "nccl"), ("cpu", None, "gloo")])
def test_each_process_takes_its_own_gpu_before_it_joins(monkeypatch, device, taken, backend):
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    calls = []
    monkeypatch.setattr(torch.cuda, "set_device", calls.append)
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda name, **options: calls.append((name, options)))
    join_processes(True, device)
    own = None if taken is None else torch.device(taken)
    assert calls == [*([] if own is None else [own]), (backend, {"timeout": PATIENCE, "device_id": own})]
    with pytest.raises(RefusalError, match="a GPU of its own"):
        join_processes(True, "cuda")
