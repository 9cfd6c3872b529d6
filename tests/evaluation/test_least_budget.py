"""The least budget of a case: right to its tolerance where it is known, inside what it states, and gone on with."""

import json

import pytest
import torch
from linear_voxels import LinearVoxels
from networks_under_test import LABELS, cases, smooth, unmoved

from seat_components.attacks.reading import Reading
from seat_components.budget import IntensityBudget
from seat_components.evaluation import AttackSetting, Protocol, least_budget, robustness_of
from seat_components.evaluation.case import Case
from seat_components.evaluation.dice import dice_per_class
from seat_components.evaluation.ensemble import Ensemble
from seat_components.evaluation.least_budget import TOLERANCE_255, UPPER_255, Bisection, LeastBudgetSearch
from seat_components.evaluation.protocols import PROTOCOLS
from seat_components.evaluation.robustness import RobustnessRecords
from seat_components.evaluation.scoring import Scorer
from seat_components.records.attacked import AttackedCase
from seat_components.records.robustness import AttackedEvaluation, Robustness
from seat_components.refusals import RefusalError

FEW = Protocol((AttackSetting("random"), AttackSetting("pgd-ce", {"steps": 2})), steps=2)
ONE, TWO = (Case(name, place, image, label) for place, (name, image, label) in enumerate(cases(2)))


@pytest.fixture
def short(monkeypatch):
    """Fewer steps and budgets, where it is not about what they reach."""
    monkeypatch.setattr(least_budget, "_STEPS", 3)
    monkeypatch.setattr(least_budget, "TOLERANCE_255", 4.0)


def search(network, case, labels=LABELS[1:], seen=None):
    scorer = Scorer(list(labels), Reading(), None, 1)
    bisection = Bisection(LeastBudgetSearch(scorer), network, case, scorer.first_answer(network, case))
    return bisection, bisection.run(seen)


def dice_of(network, image, case, classes=3):
    return float(dice_per_class(network(image).argmax(dim=1, keepdim=True), case.label, classes).mean())


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_it_is_right_to_its_tolerance_where_the_best_attack_is_known(rank):
    problem = LinearVoxels.draw(rank, 1, seed=rank)
    case = Case("one", 0, problem.image, problem.label)

    def fallen(eps_255):
        left = problem.best_logits(eps_255 / 255).argmax(dim=1, keepdim=True)
        return float(dice_per_class(left, problem.label, 2).mean()) < clean / 2

    clean = dice_of(problem, problem.image, case, classes=2)
    low, high = 0.0, UPPER_255
    assert fallen(high)
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if fallen(middle) else (middle, high)
    bisection, found = search(problem, case, ["high"])
    assert high - 1e-3 <= found.eps_255 <= high + TOLERANCE_255
    assert found.eps_255 - found.kept_255 <= TOLERANCE_255
    # The image that proves it lies inside that budget, and is what the record says.
    assert IntensityBudget.of(problem.image, found.eps_255 / 255).holds(bisection.enough, problem.image)
    assert dice_of(problem, bisection.enough, case, classes=2) == found.dice < clean / 2


@pytest.mark.usefixtures("short")
def test_what_an_attack_has_found_bounds_it():
    _, free = search(smooth, ONE)
    seen = AttackedCase(case=ONE.name, attack="pgd-ce", eps_255=free.eps_255 - 0.5, dice={"low": 0.1, "high": 0.1})
    _, bounded = search(smooth, ONE, seen=seen)
    assert bounded.eps_255 <= seen.eps_255
    assert (bounded.eps_255 < seen.eps_255) == (bounded.of is None)
    _, below = search(unmoved(ONE.label), ONE, seen=seen)
    assert (below.eps_255, below.of, below.dice) == (seen.eps_255, "pgd-ce", 0.1)
    assert 0 < seen.eps_255 - below.kept_255 <= 4


def test_above_the_upper_end_there_is_none_and_an_attack_is_all_it_costs():
    _, found = search(unmoved(ONE.label), ONE)
    assert (found.eps_255, found.kept_255, found.dice) == (None, UPPER_255, 1.0)
    assert (found.forwards, found.backwards) == (21, 20)


def test_a_clean_dice_of_0_is_a_least_budget_of_0_without_a_pass():
    never = Case("one", 0, ONE.image, torch.full_like(ONE.label, 1))
    _, found = search(unmoved(torch.full_like(ONE.label, 2)), never)
    assert (found.eps_255, found.dice, found.forwards) == (0, 0, 0)


@pytest.mark.usefixtures("short")
def test_logits_that_fail_within_a_budget_are_a_fall():
    def fails(image):
        return smooth(image).where((image - ONE.image).abs().max() < 2 * 10 / 255, torch.nan)

    _, found = search(fails, ONE)
    assert found.eps_255 <= 10 + 4
    assert found.dice == 0 or found.eps_255 < 10


@pytest.mark.usefixtures("short")
def test_of_a_network_that_answers_differently_the_mean_counts():
    generator = torch.Generator().manual_seed(0)
    scorer = Scorer(list(LABELS[1:]), Reading(), None, 3)

    def noisy(image):
        return smooth(image + 0.02 * torch.randn(image.shape, generator=generator))

    bisection = Bisection(LeastBudgetSearch(scorer), noisy, ONE, scorer.first_answer(noisy, ONE))
    found = bisection.run(None)
    mean = torch.stack([scorer.answer(noisy, bisection.enough, ONE.label).dice.mean() for _ in range(20)]).mean()
    assert float(mean) == pytest.approx(found.dice, abs=0.1)


def ensemble(folder, protocol=FEW, eps_255=(4.0,)):
    header = AttackedEvaluation(bundle="b", weights_sha256="a" * 64, protocol="quick", settings=FEW.settings(), seed=0)
    records = RobustnessRecords(folder, header, list(LABELS[1:]))
    return Ensemble(records, protocol, eps_255, least_budget=True)


def written(folder):
    content = json.loads((folder / "robustness.json").read_text())
    return {**content, "cost": {attack: {**row, "seconds": 0} for attack, row in content["cost"].items()}}


@pytest.mark.usefixtures("short")
def test_killed_in_a_search_it_goes_on_to_the_same_record(tmp_path, monkeypatch):
    for case in (ONE, TWO):
        ensemble(tmp_path / "whole").attack(smooth, case)
    find, calls = LeastBudgetSearch.find, []

    def killed(*arguments):
        calls.append(arguments[2].name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return find(*arguments)

    monkeypatch.setattr(LeastBudgetSearch, "find", killed)
    ensemble(tmp_path / "parts").attack(smooth, ONE)
    with pytest.raises(KeyboardInterrupt):
        ensemble(tmp_path / "parts").attack(smooth, TWO)
    again = ensemble(tmp_path / "parts")
    assert (again.is_complete(ONE.name, 0), again.is_complete(TWO.name, 1)) == (True, False)
    for case in (ONE, TWO):
        again.attack(smooth, case)
    # The first case was not searched again.
    assert calls == [ONE.name, TWO.name, TWO.name]
    assert written(tmp_path / "parts") == written(tmp_path / "whole")
    assert [row["case"] for row in written(tmp_path / "parts")["least_budgets"]] == [ONE.name, TWO.name]


@pytest.mark.usefixtures("short")
def test_a_smaller_fall_that_comes_later_is_searched_below(tmp_path):
    made = ensemble(tmp_path)
    made.attack(smooth, ONE)
    found = made.records.least_budgets[ONE.name]
    made.records.add(ONE.name, "fab", found.eps_255 / 2, [0.0, 0.0], 1.0)
    assert not made.is_complete(ONE.name, 0)
    made.attack(smooth, ONE)
    assert made.records.least_budgets[ONE.name].eps_255 <= found.eps_255 / 2
    assert made.is_complete(ONE.name, 0)


@pytest.mark.usefixtures("short")
def test_anybodys_network_has_it_where_it_is_asked_for(monkeypatch):
    monkeypatch.setitem(PROTOCOLS, "quick", FEW)
    asked = {"labels": LABELS, "protocol": "quick", "eps_255": 4}
    record = robustness_of(smooth, cases(2), least_budget=True, **asked)
    assert [row["case"] for row in record["least_budgets"]] == ["case_0", "case_1"]
    read = Robustness.model_validate(json.loads(json.dumps(record)))
    assert read.median_least == f"{sum(row.eps_255 for row in read.found_least) / 2:g}/255"
    plain = robustness_of(smooth, cases(2), **asked)
    # It costs the protocol nothing, and changes nothing in it.
    assert {name: value for name, value in record.items() if name not in ("least_budgets", "cost")} == {
        name: value for name, value in plain.items() if name != "cost"
    }
    passes = [
        {name: (row["forwards"], row["backwards"]) for name, row in one["cost"].items()} for one in (record, plain)
    ]
    assert passes[0] == passes[1]


def test_without_gradients_it_is_refused():
    with pytest.raises(RefusalError, match="least_budget"):
        robustness_of(smooth, cases(1), labels=LABELS, protocol="black-box", least_budget=True)
