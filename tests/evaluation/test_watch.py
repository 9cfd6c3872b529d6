"""What an attack comes by: the image of lowest Dice is its result, and it ends where it is done or finds no more."""

import pytest
import torch
from networks_under_test import LABELS, cases, smooth

from seat_components.attacks import ATTACKS
from seat_components.attacks.reading import Reading
from seat_components.budget import IntensityBudget
from seat_components.evaluation import AttackSetting, Protocol
from seat_components.evaluation.case import Case
from seat_components.evaluation.ensemble import Ensemble
from seat_components.evaluation.robustness import RobustnessRecords
from seat_components.evaluation.scoring import Scorer
from seat_components.evaluation.watch import LEAST_FALL, AnswerWatch, AttackEndedError
from seat_components.records.attacked import mean_dice
from seat_components.records.robustness import AttackedEvaluation

EPS_255 = 24.0
NAME, IMAGE, LABEL = cases(1)[0]
CASE = Case(NAME, 0, IMAGE, LABEL)
BUDGET = IntensityBudget.of(IMAGE, EPS_255 / 255)
SCORER = Scorer(list(LABELS[1:]), Reading(), None, 1)


def watch(network=smooth, **options):
    return AnswerWatch(network, CASE, BUDGET, SCORER, SCORER.answer(network, IMAGE, LABEL), **options)


def darker(share):
    """The image, every voxel by this share of the budget darker, where the range has room."""
    return BUDGET.project(IMAGE - share * BUDGET.radius, IMAGE)


def dice_of(image):
    return float(SCORER.answer(smooth, image, LABEL).dice.mean())


def test_the_image_of_lowest_dice_inside_the_budget_is_kept_whatever_came_after():
    seen = watch()
    outside = IMAGE - 2 * BUDGET.radius
    assert dice_of(outside) < dice_of(darker(1.0)) < dice_of(darker(0.5)) < 1
    for image in (IMAGE, outside, darker(0.5), darker(1.0), darker(0.2)):
        seen(image)
    assert torch.equal(seen.image, darker(1.0))
    assert seen.dice == dice_of(darker(1.0))
    assert seen.forwards == 5


def test_what_a_network_does_to_its_input_is_not_kept():
    def in_place(image):
        return smooth(image.sub_(5)) * 0 + smooth(image.add_(5))

    seen = watch(in_place)
    seen(darker(1.0))
    assert torch.equal(seen.image, darker(1.0))


def test_dice_0_ends_the_attack_with_that_image():
    def fragile(image):
        return smooth(image) if torch.equal(image, IMAGE) else -smooth(image)

    with pytest.raises(AttackEndedError) as ended:
        watch(fragile)(darker(1.0))
    assert torch.equal(ended.value.image, darker(1.0))


def test_patience_ends_an_attack_after_so_many_images_without_a_fall():
    seen = watch(patience=3)
    for image in (IMAGE, darker(0.5), IMAGE, IMAGE, darker(1.0), darker(0.9), IMAGE):
        seen(image)
    outside = IMAGE - 2 * BUDGET.radius
    seen(outside)  # does not count
    with pytest.raises(AttackEndedError) as ended:
        seen(darker(0.8))
    assert torch.equal(ended.value.image, darker(1.0))


def test_small_falls_add_up():
    """Each of many images lowers Dice by less than counts; together they do not keep patience waiting for ever."""
    seen = watch(patience=3)
    falling = iter(1 - 0.4 * LEAST_FALL * step for step in range(9))
    seen.scorer = type("Falling", (), {"mean_dice": staticmethod(lambda *_: next(falling))})()
    for _ in range(9):
        seen(IMAGE)


def attacked(protocol, network=smooth, case=CASE):
    records = RobustnessRecords(None, AttackedEvaluation(protocol="own"), LABELS[1:])
    Ensemble(records, protocol, EPS_255).attack(network, case)
    return records


@pytest.mark.parametrize("attack", sorted(set(ATTACKS) - {"random"}))
def test_no_attack_leaves_more_than_the_image_of_highest_loss_does(attack):
    setting = AttackSetting(attack, {"steps": 8})
    by_loss, by_dice = (
        next(row for row in attacked(Protocol((setting,), keeps_lowest=keeps)).cases if row.attack == attack)
        for keeps in (False, True)
    )
    assert mean_dice(by_dice) <= mean_dice(by_loss)
    assert by_dice.linf_over_budget <= 1 + 1e-6


def test_patience_saves_passes_and_loses_less_than_it_says():
    setting = AttackSetting("apgd-ce", {"steps": 100})
    full, early = (attacked(Protocol((setting,), patience=patience)) for patience in (None, 10))
    assert early.cost["apgd-ce"].forwards < full.cost["apgd-ce"].forwards / 2
    left = [next(row for row in records.cases if row.attack == "apgd-ce") for records in (early, full)]
    assert mean_dice(left[0]) <= mean_dice(left[1]) + 0.02


def test_patience_is_for_attacks_that_follow_gradients():
    setting = AttackSetting("square", {"steps": 60})
    records = attacked(Protocol((setting,), patience=1))
    assert records.cost["square"].forwards >= 60
