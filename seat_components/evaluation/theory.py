"""The quantities of the method's theory (SEAT, Section 3.1) for a checkpoint; run in a bundle's folder.

``python -m seat_components.evaluation.theory --weights FILE --dataset DIR --out DIR`` writes ``theory.json``.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any, cast

import torch
import torch.nn.functional as F
from monai.bundle import ConfigParser
from torch import Tensor, nn
from tqdm import tqdm

from seat_components.files import write_text_atomically
from seat_components.records.theory import FILE, Theory

_Convolution = (nn.Conv3d, nn.ConvTranspose3d)


def mean_margin(logits: Tensor, label: Tensor) -> Tensor:
    """Mean over voxels of f(x)[y] − max_{j≠y} f(x)[j] (Eq. 2).

    Args:
        logits: (B, K, *spatial).
        label: (B, 1, *spatial), integer.

    Returns:
        (B,).
    """
    of_label = logits.gather(1, label)
    others = logits.scatter(1, label, -math.inf).amax(1, keepdim=True)
    return (of_label - others).flatten(1).mean(1)


def margin_loss(margins: Sequence[float], gamma: float) -> float:
    """Empirical L_γ: the share of examples whose mean margin is at most γ (Eq. 2)."""
    return fmean(margin <= gamma for margin in margins)


def operator_norms(
    weight: Tensor,
    shape: Sequence[int],
    convolution: dict[str, Any],
    steps: int = 50,
    operator: Callable[..., Tensor] = F.conv3d,
) -> Tensor:
    """Squared spectral and Frobenius norms of a convolution as a linear map of inputs of ``shape``.

    The spectral norm is by power iteration on the convolution itself, whose kernel alone does not tell it; the
    Frobenius norm is exact, the sum of squares of the map's matrix: each place of the output takes the squares of
    the kernel's entries that lie inside the input.

    Args:
        weight: the kernel (K, C / groups, …).
        shape: (C, *spatial).
        convolution: stride, padding, dilation and groups.
        steps: power iterations.
        operator: ``F.conv3d``, or ``F.conv_transpose3d``.

    Returns:
        (2,): ‖W‖₂², ‖W‖_F².
    """
    generator = torch.Generator().manual_seed(0)
    vector = torch.randn(1, *shape, generator=generator).to(weight)
    squared = torch.zeros((), dtype=weight.dtype, device=weight.device)
    for _ in range(steps):
        vector = (vector / vector.norm()).requires_grad_()
        result = operator(vector, weight, **convolution)
        (gradient,) = torch.autograd.grad(result.square().sum() / 2, vector)
        squared, vector = gradient.norm(), gradient
    ones = torch.ones_like(vector)
    return torch.stack([squared.detach(), operator(ones, weight.square(), **convolution).sum()])


def log_complexity(network: nn.Module, image: Tensor) -> float | None:
    """log Φ, Φ = ∏‖W_i‖₂² · Σ‖W_i‖_F² / ‖W_i‖₂² over the convolutions (Eq. 3), at inputs of the image's size.

    None for a network whose weights are not all in 3-D convolutions, transposed ones included.
    """
    weighted = [
        part
        for part in network.modules()
        if any(name == "weight" and value.ndim > 1 for name, value in part.named_parameters(recurse=False))
    ]
    if not weighted or not all(isinstance(part, _Convolution) for part in weighted):
        return None
    norms: list[Tensor] = []
    with _input_shapes(network) as shapes, torch.no_grad():
        network(image)
    for module, shape in tqdm(shapes.items(), desc="Operator norms", leave=False):
        names = ["stride", "padding", "dilation", "groups"]
        operator: Callable[..., Tensor] = F.conv3d
        if isinstance(module, nn.ConvTranspose3d):
            operator = F.conv_transpose3d
            names.append("output_padding")
        settings = {name: getattr(module, name) for name in names}
        norms.append(operator_norms(module.weight.detach(), shape, settings, operator=operator))
    spectral, frobenius = torch.stack(norms).double().unbind(1)
    return float(spectral.log().sum() + (frobenius / spectral).sum().log())


@contextmanager
def _input_shapes(network: nn.Module) -> Iterator[dict[nn.Conv3d | nn.ConvTranspose3d, tuple[int, ...]]]:
    shapes: dict[nn.Conv3d | nn.ConvTranspose3d, tuple[int, ...]] = {}

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        shapes[cast("nn.Conv3d | nn.ConvTranspose3d", module)] = tuple(inputs[0].shape[1:])

    parts = [part for part in network.modules() if isinstance(part, _Convolution)]
    hooks = [part.register_forward_pre_hook(note) for part in parts]
    try:
        yield shapes
    finally:
        for hook in hooks:
            hook.remove()


def theory_of(network: nn.Module, loss: nn.Module, batches: Sequence[tuple[Tensor, Tensor]]) -> Theory:
    """Each example's margin, log Φ, and the mean ‖∇_x ℓ‖₁ and ‖∇_x ℓ‖₂ over ``batches`` of image and label."""
    network.eval()
    margins, gradients = [], []
    for image, label in tqdm(batches, desc="Margins"):
        inputs = image.clone().requires_grad_()
        logits = network(inputs)
        (gradient,) = torch.autograd.grad(loss(logits, label), inputs)
        margins.append(mean_margin(logits.detach(), label.long()))
        gradients.append(torch.stack([gradient.abs().sum(), gradient.norm()]))
    mean_gradient = torch.stack(gradients).mean(0)
    complexity = log_complexity(network, batches[0][0])
    return Theory(
        cases=len(batches),
        margins=tuple(torch.cat(margins).tolist()),
        log_complexity=math.nan if complexity is None else complexity,
        gradient_norm_1=float(mean_gradient[0]),
        gradient_norm_2=float(mean_gradient[1]),
    )


def _main() -> None:
    """Read the bundle in the current folder, and write ``theory.json`` for the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=0, help="validation cases (0: all)")
    parser.add_argument("--overrides", type=json.loads, default={}, help="of the bundle, as JSON")
    options = parser.parse_args()
    config = ConfigParser()
    config.read_config(["configs/train.json", "configs/attack.json"])
    places = {"dataset_dir": options.dataset, "weights": options.weights, "output_dir": options.out}
    config.update({name: str(path) for name, path in places.items()})
    config.update({"num_workers": 0, "max_cases": options.cases or None, **options.overrides})
    device = torch.device(config.get_parsed_content("device"))
    network, loss = config.get_parsed_content("network"), config.get_parsed_content("loss")
    loader = config.get_parsed_content("validate#dataloader")
    batches = [(item["image"].as_tensor().to(device), item["label"].as_tensor().to(device)) for item in loader]
    write_text_atomically(theory_of(network, loss, batches).text(), options.out / FILE)


if __name__ == "__main__":
    _main()
