"""Weights are read exactly, and what does not fit is refused with its names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seat_components.networks import ROG, load_pretrained
from seat_components.refusals import RefusalError

DATA = Path(__file__).parent / "data"
GOLDEN: dict[str, dict[str, Any]] = json.loads((DATA / "rog_parity.json").read_text())
AUTHORS_SHAPES: dict[str, list[int]] = GOLDEN["hippocampus"]["state"]


def filled(name: str, shape: list[int]) -> Tensor:
    """The published fill rule of the golden numbers."""
    steps = np.arange(1, np.prod(shape) + 1)
    values = 0.1 * np.sin(0.37 * steps + crc32(name.encode()) % 1000)
    if name.endswith("norm.weight"):
        values = 1 + values
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def authors_state(in_channels: int, out_channels: int) -> dict[str, Tensor]:
    """The authors' state dict for other channels than those of the golden list, which differ in three shapes."""
    shapes = dict(AUTHORS_SHAPES)
    shapes["ROG.stem.0.0.conv.weight"] = [in_channels, 1, 3, 3, 3]
    shapes["ROG.stem.0.0.pointwise.weight"] = [32, in_channels, 1, 1, 1]
    shapes["ROG.final.1.weight"] = [out_channels, 32, 1, 1, 1]
    return {name: filled(name, shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("case", GOLDEN)
def test_authors_checkpoint_gives_the_authors_logits(case: str, tmp_path: Path) -> None:
    golden = GOLDEN[case]
    state = authors_state(golden["in_channels"], golden["out_channels"])
    file = tmp_path / "authors.pth"
    torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}, "epoch": 7}, file)
    network = load_pretrained(ROG(golden["in_channels"], golden["out_channels"], golden["strides"]), file)
    size = (1, golden["in_channels"], *golden["input_size"])
    image = torch.from_numpy(np.sin(0.05 * np.arange(np.prod(size))).astype(np.float32).reshape(size))
    with torch.no_grad():
        logits = network(image)
    assert sum(parameter.numel() for parameter in network.parameters()) == golden["parameters"]
    assert list(logits.shape) == golden["output_shape"]
    expected = np.load(DATA / "rog_parity.npz")[f"{case}_logits_every_7th"]
    np.testing.assert_allclose(logits.flatten()[::7].numpy(), expected, rtol=0, atol=1e-4)
    assert logits.mean().item() == pytest.approx(golden["output_mean"], abs=1e-5)
    assert logits.std().item() == pytest.approx(golden["output_std"], abs=1e-5)


def small_rog(**options: Any) -> ROG:
    return ROG(1, 3, [[1, 1, 1], [1, 1, 1], [2, 2, 2]], **options)


@pytest.mark.parametrize("wrap", [dict, lambda state: {"state_dict": state, "epoch": 3}])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_saved_weights_come_back_bit_by_bit(tmp_path: Path, wrap: Any, prefix: str) -> None:
    saved, other = small_rog(), small_rog(dropout=0.2, memory="checkpoint")
    torch.save(wrap({prefix + name: value for name, value in saved.state_dict().items()}), tmp_path / "model.pt")
    assert load_pretrained(other, tmp_path / "model.pt") is other
    for name, value in other.state_dict().items():
        assert torch.equal(value, saved.state_dict()[name]), name


def test_any_network_and_a_wrapped_one_are_read(tmp_path: Path) -> None:
    saved = nn.Conv3d(1, 2, 3)
    torch.save(saved.state_dict(), tmp_path / "model.pt")
    wrapped = nn.DataParallel(nn.Conv3d(1, 2, 3))
    assert load_pretrained(wrapped, tmp_path / "model.pt") is wrapped
    assert torch.equal(wrapped.module.weight, saved.weight)


def test_what_does_not_fit_is_listed_and_nothing_is_loaded(tmp_path: Path) -> None:
    state = small_rog().state_dict()
    state.pop("stem.norm4.bias")
    state["head.extra.weight"] = torch.zeros(3)
    state["head.conv2.weight"] = torch.zeros(5, 32, 1, 1, 1)
    torch.save(state, tmp_path / "other.pt")
    network = small_rog()
    before = network.stem.norm4.weight.clone()
    with pytest.raises(RefusalError) as refusal:
        load_pretrained(network, tmp_path / "other.pt")
    message = str(refusal.value)
    assert "other.pt" in message
    assert "ROG" in message
    assert "1 missing in the file: stem.norm4.bias" in message
    assert "1 unknown to the network: head.extra.weight" in message
    assert "head.conv2.weight (5, 32, 1, 1, 1) instead of (3, 32, 1, 1, 1)" in message
    assert torch.equal(network.stem.norm4.weight, before)


def test_authors_checkpoint_with_an_unknown_or_missing_name_is_refused(tmp_path: Path) -> None:
    state = authors_state(1, 3)
    state["ROG.backbone.9.cells.0.up.1.weight"] = state.pop("ROG.final.1.weight")
    torch.save(state, tmp_path / "authors.pth")
    with pytest.raises(RefusalError, match=r"(?s)head\.conv2\.weight.*ROG\.backbone\.9\.cells\.0\.up\.1\.weight"):
        load_pretrained(small_rog(), tmp_path / "authors.pth")


def test_long_lists_are_cut(tmp_path: Path) -> None:
    torch.save(nn.Conv3d(1, 2, 3).state_dict(), tmp_path / "conv.pt")
    with pytest.raises(RefusalError, match=r"missing in the file: .*… and \d+ more") as refusal:
        load_pretrained(small_rog(), tmp_path / "conv.pt")
    assert len(str(refusal.value)) < 1500


class Unsafe:
    """An object that, once unpickled, has left a file behind."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    torch.save({"state_dict": {"weight": Unsafe(tmp_path / "trace")}}, tmp_path / "model.pt")
    with pytest.raises(RefusalError, match=r"model\.pt .*could run code"):
        load_pretrained(nn.Conv3d(1, 2, 3), tmp_path / "model.pt")
    assert not (tmp_path / "trace").exists()


def no_checkpoints() -> dict[str, Any]:
    return {
        "text": lambda file: file.write_text("these are no weights"),
        "empty": lambda file: file.write_bytes(b""),
        "cut": lambda file: (
            torch.save(nn.Conv3d(1, 2, 3).state_dict(), file),
            file.write_bytes(file.read_bytes()[:500]),
        ),
        "tensor": lambda file: torch.save(torch.zeros(3), file),
        "numbers": lambda file: torch.save({"epoch": 3}, file),
        "nothing": lambda file: torch.save({}, file),
        "missing": lambda file: file.unlink(missing_ok=True),
    }


@pytest.mark.parametrize("kind", no_checkpoints())
def test_what_is_no_checkpoint_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    file = tmp_path / f"{kind}.pt"
    no_checkpoints()[kind](file)
    with pytest.raises(RefusalError, match=rf"{kind}\.pt"):
        load_pretrained(nn.Conv3d(1, 2, 3), file)
