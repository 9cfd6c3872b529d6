"""The losses against values worked out by hand, and what they owe to class numbers and to wrong voxels."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seat_components.attacks import LOSSES, loss_function
from seat_components.attacks.cospgd import aligned_cross_entropy
from seat_components.attacks.segpgd import weighted_cross_entropy
from seat_components.evaluation import dice_per_class


def example(classes: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn((2, classes, 5, 4), generator=generator)
    return logits, torch.randint(0, classes, (2, 1, 5, 4), generator=generator)


def voxel(probabilities: list[float], label: int) -> tuple[Tensor, Tensor]:
    """One voxel with these class probabilities."""
    return torch.tensor(probabilities).log().reshape(1, -1, 1), torch.tensor([[[label]]])


@pytest.mark.parametrize("name", LOSSES)
def test_one_value_per_sample_that_does_not_depend_on_the_others(name: str) -> None:
    logits, label = example()
    together = LOSSES[name](logits, label)
    alone = torch.cat([LOSSES[name](logits[i : i + 1], label[i : i + 1]) for i in range(2)])
    assert together.shape == (2,)
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("name", LOSSES)
def test_classes_may_be_renumbered(name: str) -> None:
    logits, label = example()
    # Soft Dice knows one class by its number: 0, the background.
    order = torch.tensor([0, 2, 1] if name.startswith("dice") else [2, 0, 1])
    torch.testing.assert_close(LOSSES[name](logits, label), LOSSES[name](logits[:, order], order.argsort()[label]))


@pytest.mark.parametrize("name", LOSSES)
def test_a_shift_of_all_logits_changes_nothing(name: str) -> None:
    logits, label = example()
    torch.testing.assert_close(LOSSES[name](logits, label), LOSSES[name](logits + 5, label), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_wrong_predictions_have_the_higher_loss(name: str) -> None:
    logits, label = example()
    right = 5.0 * F.one_hot(label.squeeze(1), 3).movedim(-1, 1) + 0.1 * logits
    assert (LOSSES[name](-right, label) > LOSSES[name](right, label)).all()


def test_values_of_one_voxel() -> None:
    logits, label = voxel([0.5, 0.3, 0.2], 0)
    assert float(LOSSES["ce"](logits, label)) == pytest.approx(-math.log(0.5))
    assert float(LOSSES["margin"](logits, label)) == pytest.approx(math.log(0.3 / 0.5))
    assert float(LOSSES["dlr"](logits, label)) == pytest.approx(-math.log(0.5 / 0.3) / math.log(0.5 / 0.2))
    assert float(LOSSES["mask-ce"](logits, label)) == pytest.approx(-math.log(0.5))
    mixture = [0.75, 0.15, 0.1]
    divergence = 0.5 * math.log(1 / mixture[0]) + 0.5 * sum(
        p * math.log(p / m) for p, m in zip([0.5, 0.3, 0.2], mixture, strict=True)
    )
    assert float(LOSSES["js"](logits, label)) == pytest.approx(divergence)
    assert float(weighted_cross_entropy(logits, label, 0.2)) == pytest.approx(-0.8 * math.log(0.5))
    cosine = 0.5 / math.sqrt(0.5**2 + 0.3**2 + 0.2**2)
    assert float(aligned_cross_entropy(logits, label)) == pytest.approx(-cosine * math.log(0.5))


def test_values_of_one_wrong_voxel() -> None:
    logits, label = voxel([0.5, 0.3, 0.2], 2)
    assert float(LOSSES["margin"](logits, label)) == pytest.approx(math.log(0.5 / 0.2))
    assert float(LOSSES["dlr"](logits, label)) == pytest.approx(1)
    assert float(LOSSES["mask-ce"](logits, label)) == pytest.approx(math.log(3))
    assert float(weighted_cross_entropy(logits, label, 0.2)) == pytest.approx(-0.2 * math.log(0.2))


@pytest.mark.parametrize("name", ["mask-ce", "mask-ce-balanced"])
def test_masked_losses_pull_at_correct_voxels_only(name: str) -> None:
    logits, label = example()
    logits.requires_grad_()
    LOSSES[name](logits, label).sum().backward()
    wrong = logits.detach().argmax(dim=1, keepdim=True) != label
    assert logits.grad is not None
    pulled = (logits.grad != 0).any(dim=1, keepdim=True)
    assert torch.equal(pulled, ~wrong)


def test_masked_loss_is_highest_where_every_voxel_is_wrong() -> None:
    logits, label = example()
    all_wrong = logits.scatter(1, label, -50.0)
    torch.testing.assert_close(LOSSES["mask-ce"](all_wrong, label), torch.full((2,), math.log(3)))
    assert (LOSSES["mask-ce"](logits, label) < math.log(3)).all()


def test_balanced_loss_weighs_classes_not_voxels() -> None:
    # 9 voxels of class 0 with cross-entropy a, 1 voxel of class 1 with b; class 2 is absent.
    probabilities = torch.tensor([[0.8, 0.1, 0.1]] * 9 + [[0.2, 0.6, 0.2]]).T[None]
    label = torch.tensor([0] * 9 + [1])[None, None]
    expected = (-math.log(0.8) - math.log(0.6)) / 2
    assert float(LOSSES["mask-ce-balanced"](probabilities.log(), label)) == pytest.approx(expected)


def test_balanced_loss_counts_beyond_the_whole_numbers_of_single_precision() -> None:
    # A whole CT: more background than float32 can count one by one, and a voxel of class 1 that is wrong.
    voxels = 2**24 + 2**22
    logits = torch.tensor([0.8, 0.2]).log()[None, :, None].expand(1, 2, voxels)
    label = torch.zeros(1, 1, voxels, dtype=torch.long)
    label[..., 0] = 1
    assert float(LOSSES["mask-ce-balanced"](logits, label)) == pytest.approx(
        (math.log(2) - math.log(0.8)) / 2, rel=1e-4
    )


def test_soft_dice_is_the_dice_that_is_scored_where_probabilities_are_certain() -> None:
    """Up to the voxel that is added above and below; also for a class that the label lacks, found or not."""
    label = torch.zeros(3, 1, 40, 50, dtype=torch.long)
    label[0, :, :20], label[:2, :, 20:30] = 1, 2
    predicted = label.roll(4, dims=2)
    predicted[2, :, :10] = 1
    logits = 200.0 * F.one_hot(predicted.squeeze(1), 3).movedim(-1, 1)
    scored = dice_per_class(predicted, label, 3).mean(dim=1)
    assert scored[2] == 0.5, "class 1 is found and not there, class 2 is neither"
    torch.testing.assert_close(1 - LOSSES["dice"](logits, label).double(), scored, atol=2e-3, rtol=0)


def test_soft_dice_of_probabilities_worked_out_by_hand() -> None:
    probabilities = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]]).T[None]
    first = (2 * 0.8 + 1) / (0.3 + 0.8 + 1 + 1)
    absent = 1 / (0.2 + 0.1 + 1)
    found = LOSSES["dice"](probabilities.log(), torch.tensor([[[0, 1]]]))
    assert float(found) == pytest.approx(1 - (first + absent) / 2)


@pytest.mark.parametrize("name", LOSSES)
def test_extreme_logits_give_finite_values_and_gradients(name: str) -> None:
    logits, label = example()
    logits = (1e4 * logits).requires_grad_()
    value = LOSSES[name](logits, label)
    value.sum().backward()
    assert value.isfinite().all()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_equal_logits_give_finite_values_and_gradients(name: str) -> None:
    logits, label = torch.zeros((2, 3, 5, 4), requires_grad=True), example()[1]
    value = LOSSES[name](logits, label)
    value.sum().backward()
    assert value.isfinite().all()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_dlr_of_two_classes_names_the_alternative() -> None:
    with pytest.raises(ValueError, match=r"at least 3 classes.*'margin'"):
        LOSSES["dlr"](*example(classes=2))


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "dlr"])
def test_the_others_take_two_classes(name: str) -> None:
    assert LOSSES[name](*example(classes=2)).isfinite().all()


def test_a_callable_is_taken_as_it_is() -> None:
    assert loss_function(LOSSES["js"]) is LOSSES["js"]
    assert loss_function("js") is LOSSES["js"]


@pytest.mark.parametrize("factor", [1e-4, 0.5, 1e4])
def test_normalised_dice_is_the_same_for_every_multiple_of_the_logits(factor: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn((2, 3, 5, 6), generator=generator, dtype=torch.float64)
    label = torch.randint(0, 3, (2, 1, 5, 6), generator=generator)
    values, gradients = [], []
    for scale in (1.0, factor):
        point = logits.clone().requires_grad_()
        value = LOSSES["dice-normalised"](scale * point, label)
        values.append(value.detach())
        gradients.append(torch.autograd.grad(value.sum(), point)[0])
    torch.testing.assert_close(*values)
    torch.testing.assert_close(*gradients)
    top = logits.topk(2, dim=1).values
    gap = (top[:, 0] - top[:, 1]).flatten(1).mean(dim=1)
    torch.testing.assert_close(values[0], LOSSES["dice"](logits * (10 / gap)[:, None, None, None], label))


def test_normalised_dice_undoes_a_softmax() -> None:
    logits, label = example()
    point = logits.clone().requires_grad_()
    behind = LOSSES["dice-normalised"](point.softmax(dim=1), label)
    torch.testing.assert_close(behind, LOSSES["dice-normalised"](logits, label))
    (gradient,) = torch.autograd.grad(behind.sum(), point)
    direct = logits.clone().requires_grad_()
    (expected,) = torch.autograd.grad(LOSSES["dice-normalised"](direct, label).sum(), direct)
    torch.testing.assert_close(gradient, expected, atol=1e-5, rtol=1e-4)
