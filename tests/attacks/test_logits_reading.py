"""How logits are read: structures that overlap, voxels that do not count, logits not finite, answers that vary."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seat_components.attacks import ATTACKS, LOSSES, CountingPredictor, apgd, pgd, square
from seat_components.attacks.reading import Reading, as_wrong, wrong_where_not_finite
from seat_components.budget import IntensityBudget

TWO_CLASS_LOSSES = [name for name in LOSSES if name != "dlr"]
SEARCHES = {
    **{name: attack for name, attack in ATTACKS.items() if name not in ("random", "apgd-dlr", "fab")},
    "square": partial(square, steps=1000, loss="margin"),
}
IGNORED = 255


def structures(seed: int = 0, shape: tuple[int, ...] = (2, 3, 9, 7)) -> tuple[Tensor, Tensor]:
    """An image whose channels are the logits of overlapping structures, and the label that they predict."""
    image = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return image, (image > 0).long()


def best_for_structures(image: Tensor, label: Tensor, eps: float) -> Tensor:
    budget = IntensityBudget.of(image, eps)
    return budget.box_clamp(image + torch.where(label > 0, -1.0, 1.0) * budget.radius, image)


@pytest.mark.parametrize("name", TWO_CLASS_LOSSES)
def test_structures_that_overlap_are_each_two_classes_of_their_own(name: str) -> None:
    logits, label = structures()
    label = 1 - label.roll(1, dims=2)
    own = [
        LOSSES[name](torch.cat([torch.zeros_like(one), one], dim=1), label[:, k : k + 1])
        for k, one in enumerate(logits.split(1, dim=1))
    ]
    torch.testing.assert_close(Reading("sigmoid").losses(LOSSES[name], logits, label), torch.stack(own).mean(dim=0))


def test_cross_entropy_of_sigmoids_is_the_binary_one() -> None:
    logits, label = structures()
    expected = F.binary_cross_entropy_with_logits(logits, label.float(), reduction="none").flatten(1).mean(dim=1)
    torch.testing.assert_close(Reading("sigmoid").losses(LOSSES["ce"], logits, label), expected)


@pytest.mark.parametrize("loss", TWO_CLASS_LOSSES)
@pytest.mark.parametrize("shape", [(3, 1, 40), (2, 3, 9, 7), (1, 2, 5, 4, 6)])
def test_the_best_attack_on_overlapping_structures_is_known_and_reached(loss: str, shape: tuple[int, ...]) -> None:
    image, label = structures(shape=shape)
    value = partial(Reading("sigmoid").losses, LOSSES[loss])
    adversarial = apgd(lambda x: 4 * x, image, label, eps=0.1, loss=loss, outputs="sigmoid")
    clean, best = value(4 * image, label), value(4 * best_for_structures(image, label, 0.1), label)
    assert (best > clean).all()
    assert (best - value(4 * adversarial, label) <= 0.01 * (best - clean)).all()


@pytest.mark.parametrize("name", SEARCHES)
def test_every_attack_takes_overlapping_structures(name: str) -> None:
    image, label = structures()
    adversarial = SEARCHES[name](lambda x: x, image, label, eps=0.3, outputs="sigmoid")
    wrong, best = ((x > 0).long().ne(label).sum() for x in (adversarial, best_for_structures(image, label, 0.3)))
    # Of logits ten apart in the mean, single precision tells no more about the furthest.
    assert wrong >= {"square": 0.6, "apgd-dice-normalised": 0.9}.get(name, 0.99) * best


def three_classes(image: Tensor) -> Tensor:
    return torch.cat([-image[:, :1], image[:, :1], 0.3 * image[:, 1:2]], dim=1)


def example() -> tuple[Tensor, Tensor]:
    image = torch.randn(2, 2, 8, 6, generator=torch.Generator().manual_seed(1))
    return image, three_classes(image).argmax(dim=1, keepdim=True)


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_is_that_of_the_voxels_that_count(name: str) -> None:
    image, label = example()
    partly = label.clone()
    partly[..., 3:] = IGNORED
    found = Reading(ignore_index=IGNORED).losses(LOSSES[name], three_classes(image), partly)
    torch.testing.assert_close(found, LOSSES[name](three_classes(image)[..., :3], label[..., :3]))


@pytest.mark.parametrize("name", [name for name in ATTACKS if name != "random"])
def test_what_lies_under_an_ignored_label_does_not_matter(name: str) -> None:
    """Two networks that differ in those voxels alone are attacked alike, and the label −1 serves as well as 255."""
    image, label = example()

    def other(x: Tensor) -> Tensor:
        logits = three_classes(x)
        return torch.cat([logits[..., :3], 5 - 2 * logits[..., 3:]], dim=-1)

    found = []
    for network, value in ((three_classes, IGNORED), (other, IGNORED), (three_classes, -1)):
        partly = label.clone()
        partly[..., 3:] = value
        generator = torch.Generator().manual_seed(0)
        options = {"eps": 0.2, "ignore_index": value, "generator": generator}
        found.append(ATTACKS[name](network, image, partly, **options)[..., :3])
    torch.testing.assert_close(found[0], found[1])
    torch.testing.assert_close(found[0], found[2])


def test_a_sample_in_which_no_voxel_counts_is_no_reason_to_fail() -> None:
    image, label = example()
    label[0] = IGNORED
    adversarial = pgd(three_classes, image, label, eps=0.2, ignore_index=IGNORED)
    assert adversarial.isfinite().all()


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "outputs": ({"outputs": "logits"}, "softmax or sigmoid"),
    "label of one channel": ({"outputs": "sigmoid", "label": example()[1] % 2}, "the two are alike"),
    "label above 1": ({"outputs": "sigmoid", "label": torch.full((2, 3, 8, 6), 2)}, "0 and 1"),
    "label of another size": ({"outputs": "sigmoid", "label": torch.zeros(2, 3, 8, 5).long()}, "channel per"),
    "ignored value not named": ({"label": torch.full((2, 1, 8, 6), IGNORED)}, "as ignore_index"),
    "draws": ({"draws": 0}, "draws is 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused(case: str) -> None:
    image, label = example()
    changed, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        pgd(three_classes, **{"image": image, "label": label, "eps": 0.1, **changed})


def test_a_voxel_that_is_not_finite_is_wrong_whatever_its_label() -> None:
    image, label = example()
    logits = three_classes(image)
    logits[0, 1, 2], logits[1, :, 4, 4] = float("nan"), float("inf")
    predicted, _ = Reading().classes(logits, label)
    bad = torch.zeros_like(label, dtype=torch.bool)
    bad[0, :, 2], bad[1, :, 4, 4] = True, True
    assert torch.equal(predicted != label, bad)
    for name, loss in LOSSES.items():
        found = Reading().losses(loss, logits, label)
        assert found.isfinite().all()
        assert (found > loss(three_classes(image), label)).all(), name
    assert torch.equal(as_wrong(three_classes(image), label), three_classes(image))


def test_it_is_the_same_where_no_value_may_be_waited_for() -> None:
    image, label = example()
    logits = three_classes(image)
    logits[0, 1, 2] = float("nan")
    for one in (logits, three_classes(image)):
        assert torch.equal(wrong_where_not_finite(one, label), as_wrong(one, label))


@pytest.mark.parametrize("name", [name for name in ATTACKS if name != "random"])
def test_a_logit_that_is_never_finite_stops_no_attack(name: str) -> None:
    image, label = example()

    def broken(x: Tensor) -> Tensor:
        logits = three_classes(x)
        nowhere = torch.zeros_like(logits, dtype=torch.bool)
        nowhere[:, :, 0, 0] = True
        return logits.masked_fill(nowhere, float("nan"))

    wrong = {}
    for network in (three_classes, broken):
        generator = torch.Generator().manual_seed(0)
        adversarial = ATTACKS[name](network, image, label, eps=0.2, steps=20, generator=generator)
        wrong[network] = three_classes(adversarial).argmax(dim=1, keepdim=True).ne(label)[:, :, 1:].sum()
    assert wrong[broken] >= 0.9 * wrong[three_classes] > 0


def test_draws_are_averaged() -> None:
    """A network that adds one of two numbers in turn: the loss and its gradient are those of their mean."""
    image, label = example()
    offsets = [torch.tensor([0.5, 0.0, 0.0]), torch.tensor([0.0, 0.0, 2.0])]

    def network(x: Tensor) -> Tensor:
        offsets.append(offsets.pop(0))
        return three_classes(x) + offsets[0].reshape(1, 3, 1, 1)

    def mean(logits: Tensor, label: Tensor) -> Tensor:
        both = [logits + offset.reshape(1, 3, 1, 1) for offset in offsets]
        return (LOSSES["ce"](both[0], label) + LOSSES["ce"](both[1], label)) / 2

    asked = CountingPredictor(network)
    options: dict[str, Any] = {"eps": 0.1, "steps": 5}
    found = pgd(asked, image, label, **options, draws=2, generator=torch.Generator().manual_seed(0))
    expected = pgd(three_classes, image, label, **options, loss=mean, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(found, expected)
    assert (asked.forwards, asked.backwards) == (2 * 2 * 6, 2 * 2 * 5)
