"""ROG equals its stock form for every task's strides, in every memory mode."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seat_components.networks import ROG
from seat_components.networks.rog import MEMORY_MODES
from seat_components.tasks import load_task
from tools.measure import tensor_peak
from tools.stock_rog import StockROG
from tools.work import Geometry, random_batch, step

# The distinct strides of the ten tasks, with the image's channels, the batch, and a small size they divide.
# The coarsest level keeps 8 voxels or more: normalising fewer magnifies every rounding.
PLANS = [
    ([[1, 1, 1], [1, 1, 1], [2, 2, 2]], 1, 1, (16, 24, 16)),
    ([[1, 1, 1], [2, 2, 2], [2, 2, 2]], 4, 1, (32, 32, 32)),
    ([[1, 1, 1], [2, 2, 1], [2, 2, 1]], 2, 3, (16, 32, 16)),
    ([[1, 1, 1], [2, 2, 1], [2, 2, 2]], 1, 1, (32, 32, 16)),
    ([[2, 1, 1], [2, 2, 1], [2, 2, 2]], 1, 1, (64, 32, 16)),
    ([[2, 2, 1], [2, 2, 1], [2, 2, 2]], 1, 1, (64, 64, 16)),
    ([[2, 2, 1], [2, 2, 2], [2, 2, 2]], 1, 1, (64, 64, 32)),
]
T04 = PLANS[0][0]


def gradients(form: nn.Module, image: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, the gradient of the image, and those of all weights in one vector."""
    image = image.clone().requires_grad_()
    form.zero_grad()
    logits = form(image)
    nn.functional.cross_entropy(logits, label).backward()
    assert image.grad is not None
    weights = [parameter.grad.flatten() for parameter in form.parameters() if parameter.grad is not None]
    assert len(weights) == len(list(form.parameters()))
    return logits.detach(), image.grad, torch.cat(weights)


@pytest.fixture
def restored_threads() -> Iterator[None]:
    """Sets the number of threads back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def distance(one: Tensor, other: Tensor) -> float:
    """Global relative error."""
    return ((one - other).norm() / other.norm()).item()


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), pytest.param(torch.float64, 1e-12, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(("strides", "channels", "batch", "size"), PLANS)
def test_equals_the_stock_form(
    strides: list[list[int]],
    channels: int,
    batch: int,
    size: tuple[int, ...],
    dtype: torch.dtype,
    tolerance: float,
) -> None:
    torch.manual_seed(0)
    network = ROG(channels, 3, strides).to(dtype)
    image = torch.rand(batch, channels, *size, dtype=dtype)
    label = torch.randint(3, (batch, *size))
    expected = gradients(StockROG(network, strides), image, label)
    for ours, theirs in zip(gradients(network, image, label), expected, strict=True):
        assert distance(ours, theirs) < tolerance


# A small patch, and a large one with strides that differ by axis; those of all other tasks are in PLANS.
@pytest.mark.slow
@pytest.mark.parametrize("name", ["Task04_Hippocampus", "Task05_Prostate"])
def test_equals_the_stock_form_at_full_patch_size(name: str) -> None:
    torch.manual_seed(0)
    task = load_task(name)
    channels, classes = len(task.modalities), len(task.labels)
    network = ROG(channels, classes, task.strides)
    image, label = torch.randn(1, channels, *task.train_patch), torch.randint(classes, (1, *task.train_patch))
    expected = gradients(StockROG(network, task.strides), image, label)
    for ours, theirs in zip(gradients(network, image, label), expected, strict=True):
        assert distance(ours, theirs) < 1e-5


@pytest.mark.parametrize("mode", MEMORY_MODES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_memory_modes_and_layouts_change_nothing(mode: str, layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    strides, channels, batch, size = [[1, 1, 1], [2, 2, 1], [2, 1, 2]], 2, 3, (16, 16, 16)
    network = ROG(channels, 3, strides).double()
    image = torch.rand(batch, channels, *size, dtype=torch.float64)
    label = torch.randint(3, (batch, *size))
    expected = gradients(network, image, label)
    network.memory = mode
    for ours, theirs in zip(gradients(network, image.contiguous(memory_format=layout), label), expected, strict=True):
        assert distance(ours, theirs) < 1e-12


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.usefixtures("restored_threads")
def test_one_channel_images_run_channels_last(threads: int) -> None:
    # The number of threads decides which pointwise convolution runs.
    torch.set_num_threads(threads)
    network = ROG(1, 2, T04)
    layouts: list[bool] = []

    def note_layout(_module: nn.Module, _inputs: Any, output: Any) -> None:
        for tensor in output if isinstance(output, tuple) else (output,):
            if tensor is not None:
                last = tensor.is_contiguous(memory_format=torch.channels_last_3d)
                layouts.append(last and not tensor.is_contiguous())

    for module in (network.stem.conv2, network.stem.norm2, network.stem.conv4, *network.lattice.modules()):
        module.register_forward_hook(note_layout)
    network(torch.rand(1, 1, 16, 16, 16))
    assert layouts
    assert all(layouts)


def test_logits_can_be_viewed_in_any_shape() -> None:
    logits = ROG(2, 4, T04)(torch.rand(2, 2, 16, 8, 8).contiguous(memory_format=torch.channels_last_3d))
    assert logits.view(-1).shape == (2 * 4 * 1024,)


@pytest.mark.parametrize("size", [(16, 12, 16), (0, 16, 16)])
def test_size_that_the_strides_do_not_divide_names_axis_size_and_multiple(size: tuple[int, ...]) -> None:
    axis, voxels = next((axis, voxels) for axis, voxels in enumerate(size) if voxels != 16)
    with pytest.raises(ValueError, match=rf"axis {axis} .*{voxels} voxels.*multiple of 8"):
        ROG(1, 2, T04)(torch.zeros(1, 1, *size))


def test_single_voxel_on_the_coarsest_level_is_refused() -> None:
    with pytest.raises(ValueError, match="single voxel"):
        ROG(1, 2, T04)(torch.zeros(3, 1, 8, 8, 8))
    ROG(1, 2, T04)(torch.zeros(1, 1, 8, 8, 16))


@pytest.mark.parametrize("shape", [(1, 2, 16, 16, 16), (1, 16, 16, 16)])
def test_image_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(batch, 1, depth, height, width\)"):
        ROG(1, 2, T04)(torch.zeros(shape))


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="default, recompute, checkpoint"):
        ROG(1, 2, T04, memory="little")
    network = ROG(1, 2, T04)
    with pytest.raises(ValueError, match="'little'"):
        network.memory = "little"
    assert network.memory == "default"
    for strides in ([[1, 1, 1], [2, 2, 2]], [[1, 1], [1, 1], [1, 1]], [[0, 1, 1], [1, 1, 1], [1, 1, 1]]):
        with pytest.raises(ValueError, match="three lists of three"):
            ROG(1, 2, strides)


def test_dropout_drops_whole_channels_in_training_only_and_adds_no_weights() -> None:
    torch.manual_seed(0)
    network, plain = ROG(1, 2, T04, dropout=0.5, memory="recompute"), ROG(1, 2, T04)
    plain.load_state_dict(network.state_dict())
    image = torch.rand(1, 1, 16, 16, 16)
    assert torch.equal(network.eval()(image), plain(image))
    assert not torch.equal(network.train()(image), network(image))
    # Recomputing must drop the same channels again, or the gradient belongs to another network.
    torch.manual_seed(1)
    kept = gradients(network, image, torch.zeros(1, 16, 16, 16, dtype=torch.int64))
    network.memory = "default"
    torch.manual_seed(1)
    expected = gradients(network, image, torch.zeros(1, 16, 16, 16, dtype=torch.int64))
    assert all(distance(ours, theirs) < 1e-5 for ours, theirs in zip(kept, expected, strict=True))


@pytest.mark.parametrize("mode", MEMORY_MODES)
def test_copies_and_meta_twins_keep_the_mode(mode: str) -> None:
    network = ROG(1, 2, T04, memory=mode)
    image = torch.rand(1, 1, 16, 16, 16)
    twin = copy.deepcopy(network)
    assert twin.memory == mode
    assert torch.equal(twin(image), network(image))
    assert network.to("meta")(image.to("meta")).shape == (1, 2, 16, 16, 16)


@pytest.mark.parametrize("mode", MEMORY_MODES)
def test_autocast_is_close_and_gradients_are_float32(mode: str) -> None:
    torch.manual_seed(0)
    network = ROG(1, 2, T04, memory=mode)
    image, label = torch.rand(1, 1, 16, 16, 16), torch.randint(2, (1, 16, 16, 16))
    expected = gradients(network, image, label)
    with torch.autocast("cpu", torch.bfloat16):
        ours = gradients(network, image, label)
    assert ours[0].dtype == torch.bfloat16
    assert ours[1].dtype == ours[2].dtype == torch.float32
    assert distance(ours[0].float(), expected[0]) < 0.1
    assert distance(ours[2], expected[2]) < 0.2


def test_function_transforms_differentiate_it_any_number_of_times() -> None:
    torch.manual_seed(0)
    network = ROG(1, 2, T04, memory="checkpoint").double()
    image, direction = torch.rand(2, 1, 1, 16, 24, 16, dtype=torch.float64)

    def energy(image: Tensor) -> Tensor:
        return network(image).square().sum()

    attacked = image.clone().requires_grad_()
    (expected,) = torch.autograd.grad(energy(attacked), attacked)
    assert distance(torch.func.grad(energy)(image), expected) < 1e-12
    _, slope = torch.func.jvp(energy, (image,), (direction,))
    assert slope.item() == pytest.approx((expected * direction).sum().item())
    # A Hessian-vector product against the difference of two gradients.
    _, bend = torch.func.jvp(torch.func.grad(energy), (image,), (direction,))
    ahead = torch.func.grad(energy)(image + 1e-5 * direction)
    assert distance((ahead - expected) / 1e-5, bend) < 1e-2


@pytest.mark.slow
def test_modes_keep_their_memory_promise() -> None:
    network, device = ROG(1, 3, T04), torch.device("cpu")
    batch = random_batch(Geometry("Task04", (1, 1, 32, 48, 32), ()), device)
    stock = tensor_peak(lambda: step(StockROG(network, T04), batch), device)
    for mode, share in zip(MEMORY_MODES, (0.72, 0.38, 0.23), strict=True):
        network.memory = mode
        assert tensor_peak(lambda: step(network, batch), device) < share * stock, mode
