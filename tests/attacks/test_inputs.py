"""What attacks refuse, and that the message says which value and which rule."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from linear_voxels import LinearVoxels
from torch import Tensor

from seat_components.attacks import ATTACKS, apgd, pgd, random_noise, segpgd, square

PROBLEM = LinearVoxels.draw(2, 2, classes=3)
IMAGE, LABEL = PROBLEM.image, PROBLEM.label


def with_value(value: float) -> Tensor:
    """The image with one voxel replaced."""
    image = IMAGE.clone()
    image[0, 0, 0, 0] = value
    return image


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "rank": ({"image": IMAGE[0, 0]}, r"\(B, C, \*spatial\)"),
    "empty": ({"image": IMAGE[:0], "label": LABEL[:0]}, "not be empty"),
    "integer image": ({"image": IMAGE.long()}, "floating-point"),
    "NaN": ({"image": with_value(float("nan"))}, "NaN or infinity"),
    "infinity": ({"image": with_value(float("inf"))}, "NaN or infinity"),
    "outside bounds": ({"bounds": (0.0, 1.0)}, r"outside bounds \(0.0, 1.0\)"),
    "bounds turned round": ({"bounds": (900.0, -900.0)}, "bounds"),
    "negative eps": ({"eps": -0.1}, "eps is -0.1"),
    "label shape": ({"label": LABEL[:, 0]}, "label has shape"),
    "label of another batch": ({"label": LABEL[:1]}, "label has shape"),
    "float label": ({"label": LABEL.float()}, r"pass label.long\(\)"),
    "negative label": ({"label": LABEL - 1}, "start at 0"),
    "steps": ({"steps": 0}, "steps is 0"),
    "restarts": ({"restarts": 0}, "restarts is 0"),
}


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("case", REFUSED)
def test_refuses(name: str, case: str) -> None:
    changed, message = REFUSED[case]
    arguments = {"image": IMAGE, "label": LABEL, "eps": 0.1, **changed}
    with pytest.raises(ValueError, match=message):
        ATTACKS[name](PROBLEM, **arguments)


ASKED: dict[str, tuple[Any, str]] = {
    "a list": (lambda x: [PROBLEM(x)], "returned list"),
    "no class axis": (lambda x: PROBLEM(x)[:, 0], "logits of shape"),
    "one class": (lambda x: PROBLEM(x)[:, :1], "K ≥ 2"),
    "another size": (lambda x: PROBLEM(x)[..., 1:], "logits of shape"),
}


@pytest.mark.parametrize("name", [name for name in ATTACKS if name != "random"])
@pytest.mark.parametrize("case", ASKED)
def test_refuses_what_the_predictor_returns(name: str, case: str) -> None:
    predictor, message = ASKED[case]
    with pytest.raises(ValueError, match=message):
        ATTACKS[name](predictor, IMAGE, LABEL, eps=0.1)


@pytest.mark.parametrize("name", [name for name in ATTACKS if name != "random"])
def test_refuses_a_label_that_the_logits_lack(name: str) -> None:
    with pytest.raises(ValueError, match=r"class 4, but the logits have the classes 0 … 2"):
        ATTACKS[name](PROBLEM, IMAGE, LABEL * 2, eps=0.1)


@pytest.mark.parametrize("attack", [pgd, apgd, segpgd, square, random_noise])
def test_an_unknown_loss_lists_the_known_ones(attack: Any) -> None:
    with pytest.raises(
        ValueError, match=r"no loss 'hinge'.*ce, dice, dice-normalised, dlr, margin, mask-ce, mask-ce-balanced, js"
    ):
        attack(PROBLEM, IMAGE, LABEL, eps=0.1, loss="hinge")


def test_a_loss_must_give_one_value_per_sample() -> None:
    with pytest.raises(ValueError, match="one value per sample"):
        pgd(PROBLEM, IMAGE, LABEL, eps=0.1, loss=lambda logits, _: logits.mean())


@pytest.mark.parametrize("weight", [1.0, torch.ones((), requires_grad=True)])
def test_a_predictor_without_gradient_is_named(weight: Any) -> None:
    def predictor(image: Tensor) -> Tensor:
        return PROBLEM(image).detach() * weight

    with pytest.raises(ValueError, match=r"no gradient.*'square'"):
        pgd(predictor, IMAGE, LABEL, eps=0.1)
    square(predictor, IMAGE, LABEL, eps=0.1)


@pytest.mark.parametrize("options", [{"step_ratio": 0.0}, {"momentum": -1.0}])
def test_refuses_numbers_of_the_ascent(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="step_ratio is"):
        pgd(PROBLEM, IMAGE, LABEL, eps=0.1, **options)


@pytest.mark.parametrize("window", [0.0, 1.5])
def test_refuses_a_window_that_is_no_share(window: float) -> None:
    with pytest.raises(ValueError, match="window is"):
        square(PROBLEM, IMAGE, LABEL, eps=0.1, window=window)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.bool])
def test_takes_labels_of_any_integer_type(dtype: torch.dtype) -> None:
    generators = [torch.Generator().manual_seed(0) for _ in range(2)]
    results = [
        pgd(PROBLEM, IMAGE, label, eps=0.1, generator=generator)
        for label, generator in zip((LABEL // 2, (LABEL // 2).to(dtype)), generators, strict=True)
    ]
    assert torch.equal(*results)
