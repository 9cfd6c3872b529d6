"""Each alarm rings where it must and is silent where it must: in made-up records, and on networks with that flaw."""

import pytest
from networks_under_test import LABELS, cases, quantised, saturated, smooth, unmoved

from seat_components.evaluation import robustness_of
from seat_components.evaluation.alarms import ALARMS, examined, raise_alarms
from seat_components.evaluation.protocols import PROTOCOLS
from seat_components.evaluation.robustness import RobustnessRecords
from seat_components.records.attacked import CheckedCase
from seat_components.records.robustness import AttackedEvaluation

CALM = [
    ("clean", 0, 0.80), ("random", 4, 0.795), ("pgd-ce", 4, 0.50), ("random", 8, 0.79), ("pgd-ce", 8, 0.30),
    ("square", 8, 0.29),
]  # fmt: skip
ANSWERS = {"logits not finite": 0.0, "outputs are probabilities": 0.0, "loss saturated": 0.2, "not deterministic": 0.0}
CALM_CHECKS = {**ANSWERS, "zero gradients": 0.05, "more effort": 0.28, "large budget": 0.05}


def records(rows=CALM, checks=CALM_CHECKS, cases=("one", "two")):
    made = RobustnessRecords(None, AttackedEvaluation(protocol="strong"), ["Organ"])
    for case in cases:
        for attack, eps, dice in rows:
            made.add(case, attack, eps, [dice], 1.0)
        for check, value in checks.items():
            made.checks.append(CheckedCase(check=check, case=case, value=value, attack="pgd-ce", eps_255=8))
    return made


def changed(**dice):
    """The calm rows with other Dice, by attack and ε: ``square_8=0.1``."""
    return [(attack, eps, dice.get(f"{attack.partition('-')[0]}_{eps}", value)) for attack, eps, value in CALM]


def test_all_are_examined_and_silent_on_calm_records():
    assert raise_alarms(records()) == []
    assert examined(records()) == list(ALARMS)


def test_nothing_to_examine_is_not_silence():
    assert examined(records(rows=[("clean", 0, 0.8)], checks={})) == []
    assert examined(records(rows=[("clean", 0, 0.8), ("random", 8, 0.8)], checks={})) == ["random noise hurts"]
    assert examined(records(rows=[("clean", 0, 0.8), ("square", 8, 0.8)], checks={})) == []


@pytest.mark.parametrize(
    ("alarm", "silent", "rings"),
    [
        ("logits not finite", {"checks": {"logits not finite": 0.0}}, {"checks": {"logits not finite": 1e-6}}),
        ("outputs are probabilities", {}, {"checks": {"outputs are probabilities": 1.0}}),
        ("loss saturated", {"checks": {"loss saturated": 0.5}}, {"checks": {"loss saturated": 0.51}}),
        ("not deterministic", {"checks": {"not deterministic": 1e-3}}, {"checks": {"not deterministic": 2e-3}}),
        ("zero gradients", {"checks": {"zero gradients": 0.1}}, {"checks": {"zero gradients": 0.11}}),
        ("black box beats white box", {"rows": changed(square_8=0.281)}, {"rows": changed(square_8=0.279)}),
        ("more steps change the result", {"checks": {"more effort": 0.271}}, {"checks": {"more effort": 0.269}}),
        ("a large budget leaves Dice", {"checks": {"large budget": 0.1}}, {"checks": {"large budget": 0.11}}),
        ("a larger budget is weaker", {"rows": changed(pgd_8=0.519)}, {"rows": changed(pgd_8=0.521)}),
        ("random noise hurts", {"rows": changed(random_8=0.781)}, {"rows": changed(random_8=0.779)}),
    ],
)
def test_the_threshold_is_where_it_is_stated(alarm, silent, rings):
    def ringing(change):
        return [found["alarm"] for found in raise_alarms(records(**change))]

    assert alarm not in ringing(silent)
    assert alarm in ringing(rings)


def test_a_gain_on_one_case_is_not_outweighed_by_a_loss_on_another():
    made = records(cases=("one",))
    for attack, eps, dice in changed(square_8=0.2):
        made.add("two", attack, eps, [dice], 1.0)
    assert "black box beats white box" in [alarm["alarm"] for alarm in raise_alarms(made)]


def test_budgets_are_compared_on_the_cases_that_have_both():
    made = records(rows=[("clean", 0, 0.9), ("pgd-ce", 2, 0.3), ("pgd-ce", 8, 0.1)], cases=("hard",))
    made.add("easy", "pgd-ce", 8, [0.9], 1.0)
    assert "a larger budget is weaker" in examined(made)
    assert raise_alarms(made) == []


def test_a_search_that_was_skipped_proves_nothing():
    made = records(rows=CALM[:-1])
    made.add("one", "square", 8, [0.0], 1.0, of="pgd-ce")
    assert "black box beats white box" not in examined(made)


def test_one_case_without_any_gradient_is_enough():
    made = records(checks={"zero gradients": 0.0}, cases=[f"case {number}" for number in range(30)])
    assert raise_alarms(made) == []
    made.checks[7] = made.checks[7].model_copy(update={"value": 1.0})
    (alarm,) = raise_alarms(made)
    assert "case 7" in alarm["message"]


def test_zero_gradients_are_no_alarm_where_attacks_succeed_all_the_same():
    made = records(checks={"zero gradients": 0.7})
    assert "zero gradients" in [alarm["alarm"] for alarm in raise_alarms(made)]
    made = records(rows=changed(pgd_8=0.1), checks={"zero gradients": 0.7})
    assert "zero gradients" not in [alarm["alarm"] for alarm in raise_alarms(made)]
    # A search without gradients proves nothing about them.
    made = records(rows=changed(square_8=0.0), checks={"zero gradients": 0.7})
    assert "zero gradients" in [alarm["alarm"] for alarm in raise_alarms(made)]


def strong(network, eps_255=24, steps=20, count=3):
    record = robustness_of(network, cases(count), labels=LABELS, eps_255=eps_255, steps=steps)
    return record, [alarm["alarm"] for alarm in record["alarms"]]


def test_a_sound_network_rings_nothing():
    record, alarms = strong(smooth, eps_255=[16, 40], steps=40)
    worst = {row["eps_255"]: row["mean_dice"] for row in record["summary"] if row["attack"] == "worst"}
    assert 1 > worst[16] > worst[40]
    assert [name for name in alarms if name != "random noise hurts"] == []
    assert set(record["alarms_checked"]) == set(ALARMS)


@pytest.mark.parametrize("flaw", [quantised, saturated])
def test_masked_gradients_ring(flaw):
    """Rounded or saturated logits stop every gradient, but not the search without any."""
    _, alarms = strong(flaw(smooth), steps=100, count=1)
    assert "zero gradients" in alarms
    assert "black box beats white box" in alarms


def test_an_attack_that_fails_at_a_large_budget_rings():
    (case,) = cases(1)
    record = robustness_of(unmoved(case[2]), [case], labels=LABELS, steps=4)
    assert "a large budget leaves Dice" in [alarm["alarm"] for alarm in record["alarms"]]


def test_too_few_steps_ring(monkeypatch):
    """With one step of PGD's quarter budget, twice the steps go twice as far."""
    protocol = PROTOCOLS["strong"]
    few = [setting for setting in protocol.attacks if setting.attack == "segpgd"]
    monkeypatch.setitem(
        PROTOCOLS, "strong", type(protocol)(tuple(few), steps=100, checks=protocol.checks, checked_cases=3)
    )
    assert "more steps change the result" in strong(smooth, steps=1)[1]
    assert "more steps change the result" not in strong(smooth, steps=100)[1]


@pytest.mark.parametrize(
    ("labels", "case", "words"),
    [
        ([*LABELS, "nothing"], {}, "classes, but"),
        (LABELS[:-1], {}, "classes, but"),
        (LABELS, {"copies": 2}, "2 samples"),
        (LABELS, {"names": 2}, "two cases of the name"),
    ],
)
def test_what_would_give_wrong_numbers_is_refused(labels, case, words):
    ((name, image, label),) = cases(1)
    copies = [1] * image.ndim
    copies[0] = case.get("copies", 1)
    given = [(name, image.repeat(copies), label.repeat(copies))] * case.get("names", 1)
    with pytest.raises(ValueError, match=words):
        robustness_of(smooth, given, labels=labels, protocol="quick", steps=1)
