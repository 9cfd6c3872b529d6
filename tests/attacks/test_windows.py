"""Gradients window by window are those of the whole graph, and one window is the plain network."""

from __future__ import annotations

import pytest
import torch
from monai.inferers import SlidingWindowInferer
from torch import Tensor, nn

from seat_components.attacks import LOSSES, CountingPredictor, WindowwiseInferer, pgd


def network(rank: int) -> nn.Module:
    convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[rank - 1]
    made = nn.Sequential(
        convolution(2, 4, 3, padding=1), nn.SiLU(), convolution(4, 4, 3, padding=1), nn.SiLU(), convolution(4, 3, 1)
    ).double()
    generator = torch.Generator().manual_seed(1)
    for part in made.parameters():
        part.data = torch.randn(part.shape, generator=generator, dtype=torch.double) * 0.5
    return made


def volume(*spatial: int, batch: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    image = torch.randn((batch, 2, *spatial), generator=generator, dtype=torch.double)
    return image, torch.randint(0, 3, (batch, 1, *spatial), generator=generator)


def gradient(inferer: object, model: nn.Module, image: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    image = image.clone().requires_grad_()
    logits = inferer(image, model)  # type: ignore[operator]
    return logits.detach(), torch.autograd.grad(LOSSES["ce"](logits, label).sum(), image)[0]


@pytest.mark.parametrize("mode", ["gaussian", "constant"])
@pytest.mark.parametrize("sw_batch_size", [1, 3])
@pytest.mark.parametrize(
    ("spatial", "window"),
    [((19, 16, 11), (8, 8, 8)), ((13, 9), (6, 9)), ((40,), (8,)), ((5, 12, 8), (8, 8, 8)), ((3, 3), (8, 7))],
)
def test_is_the_gradient_of_the_whole_graph(
    mode: str, sw_batch_size: int, spatial: tuple[int, ...], window: tuple[int, ...]
) -> None:
    model, (image, label) = network(len(spatial)), volume(*spatial)
    whole = gradient(SlidingWindowInferer(window, sw_batch_size, 0.5, mode), model, image, label)
    windowwise = gradient(WindowwiseInferer(window, sw_batch_size, 0.5, mode), model, image, label)
    assert torch.equal(windowwise[0], whole[0]), "the prediction is MONAI's own"
    torch.testing.assert_close(windowwise[1], whole[1], rtol=1e-9, atol=1e-14)


def test_an_attack_on_one_window_is_the_attack_on_the_patch() -> None:
    model, (image, label) = network(3), volume(8, 6, 7)
    inferer = WindowwiseInferer((8, 6, 7))
    attacked = [
        pgd(predictor, image, label, eps=0.1, steps=5, generator=torch.Generator().manual_seed(0))
        for predictor in (model, lambda inputs: inferer(inputs, model))
    ]
    torch.testing.assert_close(attacked[0], attacked[1], rtol=0, atol=1e-12)


def test_no_graph_but_one_window_s_is_ever_alive() -> None:
    """Of each window's activations, none outlives the window."""
    alive: list[int] = []
    most = 0

    class Watched(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            nonlocal most
            if torch.is_grad_enabled():
                hidden = inputs * 2
                token = object.__new__(_Token)
                token.alive = alive
                alive.append(1)
                hidden.grad_fn.metadata["token"] = token
                most = max(most, len(alive))
                return torch.cat([hidden, hidden, hidden], dim=1)
            return torch.cat([inputs] * 3, dim=1)

    image, label = volume(30, batch=1)
    gradient(WindowwiseInferer((6,)), Watched(), image[:, :1], label)
    assert most == 1


class _Token:
    alive: list[int]

    def __del__(self) -> None:
        self.alive.pop()


def test_a_pass_over_the_volume_counts_once() -> None:
    model, (image, label) = network(1), volume(40)
    inferer = WindowwiseInferer((8,))
    counting = CountingPredictor(lambda inputs: inferer(inputs, model))
    pgd(counting, image, label, eps=0.1, steps=3)
    assert (counting.forwards, counting.backwards) == (2 * 4, 2 * 3)


def test_a_network_without_gradient_is_an_error_that_says_so() -> None:
    image, label = volume(20)
    with pytest.raises(ValueError, match="carry no gradient"):
        gradient(WindowwiseInferer((8,)), lambda inputs: torch.cat([inputs, inputs], 1).detach(), image, label)
