"""What is said about a device, when it is done, what is free on it, and which volumes it has no room for."""

import logging
import math

import pytest
import torch
from monai.inferers import SlidingWindowInferer

from seat_components import device as module
from seat_components.attacks import ATTACKS, WindowwiseInferer
from seat_components.device import (
    VOLUME_SHARE,
    attack_bytes,
    available_bytes,
    clock,
    described,
    home_of,
    inference_bytes,
)
from seat_components.evaluation import ForegroundDice
from seat_components.files import GIB
from seat_components.inference import VolumeInferer, stitching
from seat_components.records.computed import ComputedRecord
from tools.measure import tensor_peak

CPU, GPU, META = torch.device("cpu"), torch.device("cuda:1"), torch.device("meta")
# A CT of 512 × 512 × 600 voxels as Task03 resamples it.
CT = (1, 1, 534, 534, 750)


@pytest.fixture
def gpu(monkeypatch):
    """A GPU of 8 GiB, of which PyTorch has reserved one that it does not use; gives what it was asked to wait for."""
    waited = []
    stand_ins = {
        "get_device_name": lambda _: "Model X",
        "get_device_capability": lambda _: (8, 0),
        "mem_get_info": lambda _: (7 * GIB, 8 * GIB),
        "memory_reserved": lambda _: 3 * GIB,
        "memory_allocated": lambda _: 2 * GIB,
        "synchronize": waited.append,
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    return waited


def test_a_record_says_what_it_was_computed_on(gpu, monkeypatch):
    assert described("cpu", amp=False) == {"device": "cpu", "amp": False}
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    said = described(GPU, amp=False)
    assert said == {"device": "cuda:1", "amp": False, "gpu": "Model X", "tf32": True}
    assert ComputedRecord(**said).computed_on == "cuda:1 (Model X), float32 with TF32"
    assert ComputedRecord(**{**said, "amp": True, "operators": "stock"}).computed_on == (
        "cuda:1 (Model X), 16 bit, stock operators"
    )
    assert ComputedRecord(**described("cpu")).computed_on == "cpu"
    network = torch.nn.Identity()
    assert "operators" not in described("cpu", network=network)
    network.operators = "fast"
    assert described("cpu", network=network)["operators"] == "fast"
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    assert described(GPU)["tf32"] is False


def test_time_is_taken_once_the_device_is_done(gpu):
    before = clock(CPU)
    assert gpu == []
    assert clock(GPU) >= before
    assert gpu == [GPU]


def test_what_is_reserved_and_not_used_is_free(gpu):
    assert available_bytes(GPU) == 8 * GIB


def test_a_control_group_bounds_what_is_free_and_processes_of_a_machine_share_it(tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("2000\n")
    monkeypatch.setattr(module, "CONTROL_GROUP", tmp_path)
    assert available_bytes(CPU) == 3000
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    assert available_bytes(CPU) == 1000
    (tmp_path / "memory.max").write_text("max\n")
    assert available_bytes(CPU) > 3000


def test_a_large_ct_is_put_together_on_the_cpu_and_the_estimate_is_said(gpu, caplog):
    needed = inference_bytes(CT, 3)
    assert needed == pytest.approx(10.3 * GIB, rel=0.03), "as measured; see docs/data.md"
    with caplog.at_level(logging.INFO):
        assert home_of(CT, needed, GPU) == CPU
    assert "534 × 534 × 750 voxels needs about 10.4 GiB" in caplog.text
    assert "8.0 GiB are free on cuda:1" in caplog.text
    # All that the GPU then holds of it is the image.
    assert 4 * math.prod(CT) < 8 * GIB - 2.7 * GIB
    caplog.clear()
    assert home_of((1, 1, 64, 64, 64), inference_bytes((1, 1, 64, 64, 64), 3), GPU) == GPU
    assert home_of(CT, needed, CPU) == CPU
    assert caplog.text == ""


@pytest.mark.parametrize("attack", ["apgd-dlr", "fab"])
@pytest.mark.parametrize(("channels", "classes"), [(1, 3), (4, 3), (1, 6)])
def test_the_estimate_of_an_attack_holds_against_the_allocator(attack, channels, classes):
    network, inferer = torch.nn.Conv3d(channels, classes, 1), WindowwiseInferer((8, 8, 8))
    image = torch.rand(1, channels, 24, 24, 24)
    label = torch.randint(classes, (1, 1, 24, 24, 24))

    def attack_it():
        ATTACKS[attack](lambda volume: inferer(volume, network), image, label, eps=8 / 255, steps=3)

    assert 0.45 < tensor_peak(attack_it, CPU) / attack_bytes(image.shape, classes) < 1.02


@pytest.mark.parametrize(
    "inferer", [VolumeInferer((8, 8, 8), 3), WindowwiseInferer((8, 8, 8))], ids=["volume", "windows"]
)
def test_inference_is_monais_own_to_the_bit(inferer):
    network, image = torch.nn.Conv3d(2, 3, 3, padding=1), torch.rand(1, 2, 13, 9, 20)
    with torch.no_grad():
        assert torch.equal(inferer(image, network), SlidingWindowInferer((8, 8, 8), 1, 0.5, "gaussian")(image, network))


def test_the_result_is_where_there_is_room_and_windows_stay_where_the_network_is(monkeypatch):
    """The meta device stands for another one, which has no values."""
    seen = []

    def network(windows):
        seen.append(windows.device)
        return windows.repeat(1, 3, 1, 1, 1)

    monkeypatch.setattr(stitching, "home_of", lambda *_: META)
    logits = VolumeInferer((8, 8, 8), 3)(torch.rand(1, 1, 16, 16, 16), network)
    assert set(seen) == {CPU}
    assert (logits.device, logits.shape) == (META, (1, 3, 16, 16, 16))


def test_windows_of_an_attacked_volume_go_to_the_network_and_their_logits_come_back():
    seen = []

    class Elsewhere(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1, device=META))

        def forward(self, windows):
            seen.append(windows.device)
            return torch.ones(1, 3, *windows.shape[2:])

    logits = WindowwiseInferer((8, 8, 8))(torch.rand(1, 1, 16, 16, 16), Elsewhere())
    assert set(seen) == {META}
    assert torch.equal(logits, torch.ones(1, 3, 16, 16, 16))


def test_dice_is_taken_where_the_label_is():
    shape = (1, 4, 4, 4)
    output = [{"pred": torch.zeros(shape), "label": torch.zeros(shape, device=META)}]
    predictions, labels = ForegroundDice(3)._output_transform(output)
    assert predictions[0].device == labels[0].device == META


def test_a_volume_takes_no_more_than_its_share(gpu):
    just = int(VOLUME_SHARE * available_bytes(GPU))
    assert home_of(CT, just, GPU) == GPU
    assert home_of(CT, just + 1, GPU) == CPU
