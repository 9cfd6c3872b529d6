"""An ensemble's bookkeeping: what runs where, what is skipped and still counted, what is repeated on a second run."""

import pytest
import torch
from networks_under_test import LABELS, cases, smooth

from seat_components.attacks import ATTACKS, CountingPredictor
from seat_components.evaluation import PROTOCOLS, AttackSetting, Protocol, robustness_of
from seat_components.evaluation.case import Case
from seat_components.evaluation.ensemble import Ensemble
from seat_components.evaluation.protocols import LARGE_BUDGET, MORE_EFFORT, protocol_of
from seat_components.evaluation.robustness import RobustnessRecords
from seat_components.records.attacked import main_budget
from seat_components.records.numbers import mean_of
from seat_components.records.robustness import AttackedEvaluation
from seat_components.refusals import RefusalError


def test_protocols_name_known_attacks_and_keep_their_promises():
    for name in PROTOCOLS:
        assert {setting.attack for setting in protocol_of(name).attacks} <= set(ATTACKS)
    quick, standard, strong = (
        {setting.attack: setting.options for setting in protocol_of(name).attacks}
        for name in ("quick", "standard", "strong")
    )
    assert set(quick) < set(standard) < set(strong)
    assert [options["steps"] for name, options in quick.items() if name != "random"] == [20, 20]
    assert strong["square"]["steps"] >= 1000
    white_box = [name for name in strong if name not in ("random", "square")]
    assert {strong[name]["steps"] for name in white_box} == {50, 100}
    passes = sum(options.get("steps", 0) for options in standard.values())
    assert passes <= 0.25 * sum(strong[name]["steps"] for name in white_box)
    with pytest.raises(RefusalError, match=r"strongest.*quick or standard or paper or strong"):
        protocol_of("strongest")


def test_a_single_attack_is_a_protocol_of_its_own():
    (alone,) = protocol_of("pgd-ce", steps=10).attacks
    assert (alone.attack, alone.options) == ("pgd-ce", {"steps": 10})
    with pytest.raises(RefusalError, match="random"):
        protocol_of("random")


def test_steps_are_the_longest_attack_s_and_the_rest_in_proportion():
    full = {setting.attack: setting.options for setting in protocol_of("strong", steps=300).attacks}
    assert (full["apgd-dice"]["steps"], full["apgd-ce"]["steps"]) == (300, 150)
    paper = {setting.attack: setting.options for setting in protocol_of("paper", steps=10).attacks}
    assert (paper["pgd-ce"]["steps"], paper["pgd-ce"]["restarts"]) == (10, 5)
    assert full["square"]["steps"] == 3000
    assert "steps" not in full["random"]
    for steps in (0, -1, 2.5, "many", True):
        with pytest.raises(RefusalError, match="steps is"):
            protocol_of("strong", steps=steps)


def test_another_number_of_draws_is_another_record():
    assert protocol_of("quick").settings() == protocol_of("quick", draws=1).settings()
    everywhere = [protocol_of("quick", draws=draws).settings()["all"] for draws in (1, 3)]
    assert everywhere[0] == {"skips_at_zero": True, "keeps": "lowest Dice"}
    assert everywhere[1] == {"skips_at_zero": True, "draws": 3}, "the lowest of several draws would be the luckiest"
    for draws in (0, -1, 2.5, "many", True):
        with pytest.raises(RefusalError, match="draws is"):
            protocol_of("quick", draws=draws)


def test_main_budget():
    assert main_budget([2, 8, 10]) == 8
    assert main_budget([2, 4]) == 4


def run(records, network=smooth, protocol="strong", steps=4, eps_255=(8, 24), chosen=None, **options):
    ensemble = Ensemble(records, protocol_of(protocol, steps), list(eps_255), **options)
    for place, (name, image, label) in enumerate(chosen or cases()):
        if not ensemble.is_complete(name, place):
            ensemble.attack(network, Case(name, place, image, label))
    return records.content()


def empty():
    return RobustnessRecords(None, AttackedEvaluation(protocol="strong"), LABELS[1:])


def without_time(content):
    return {**content, "cost": {name: {**row, "seconds": 0} for name, row in content["cost"].items()}}


def test_the_same_seed_gives_the_same_record_and_another_another():
    first, again, other = (without_time(run(empty(), seed=seed)) for seed in (0, 0, 1))
    assert first == again
    assert first["cases"] != other["cases"]


def test_cases_do_not_depend_on_the_order_in_which_they_run():
    every = [setting for setting in PROTOCOLS["strong"].attacks if setting.cases is None]
    protocol = Protocol(tuple(every), steps=100)
    rows = []
    for order in (1, -1):
        records = empty()
        ensemble = Ensemble(records, protocol.scaled(4), [24])
        for place, (name, image, label) in enumerate(cases()[::order]):
            ensemble.attack(smooth, Case(name, place, image, label))
        rows.append(sorted(records.cases, key=lambda row: (row.case, row.attack)))
    assert rows[0] == rows[1]


def test_what_is_there_is_not_run_again():
    records = empty()
    first = run(records)
    counting = CountingPredictor(smooth)
    assert run(records, counting) == first
    assert counting.forwards == 0
    more = run(records, counting, eps_255=(8, 24, 40))
    assert counting.forwards > 0
    kept = [row for row in more["cases"] if row["eps_255"] in (0, 8, 24) and row["attack"] != "worst"]
    assert kept == [row for row in first["cases"] if row["attack"] != "worst"]


@pytest.mark.parametrize("written", [1, 5, 9, 11])
def test_an_evaluation_killed_inside_a_case_goes_on_to_the_same_record(tmp_path, written):
    header = AttackedEvaluation(bundle="b", weights_sha256="a" * 64, protocol="strong", settings={}, seed=0)

    class Killed(RobustnessRecords):
        left = written

        def write(self, *arguments):
            super().write(*arguments)
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt

    def on_disk(name, kind=RobustnessRecords):
        return kind(tmp_path / name, header, LABELS[1:])

    def attack(records):
        ((name, image, label),) = cases(1)
        ensemble = Ensemble(records, protocol_of("strong", 4), [24])
        return ensemble.attack(smooth, Case(name, 0, image, label))

    whole = on_disk("whole")
    _, worst = attack(whole)
    assert whole.content()["unfinished"] == []
    with pytest.raises(KeyboardInterrupt):
        attack(on_disk("parts", Killed))
    parts = on_disk("parts")
    stopped = parts.content()
    # The worst case of a case that not all attacks have run on would flatter: it is in no mean.
    assert len(stopped["unfinished"]) == 1
    assert stopped["cases"]
    assert stopped["summary"] == stopped["by_size"] == []
    _, worst_of_parts = attack(parts)
    assert without_time(parts.content()) == without_time(whole.content())
    assert worst_of_parts.attack == worst.attack
    assert torch.equal(worst_of_parts.image, worst.image)


def test_a_case_at_clean_zero_is_not_attacked_and_stays_in_every_mean():
    (name, image, label), *others = cases()
    hopeless = (name, image, torch.where(label == 0, 1, 0))
    counting = CountingPredictor(smooth)
    content = run(empty(), counting, protocol="quick", chosen=[hopeless])
    assert counting.forwards == 2, "clean, twice"
    rows = [row for row in content["cases"] if row["eps_255"]]
    assert {(mean_of(row["dice"].values()), row["of"]) for row in rows} == {(0.0, "clean")}
    whole = run(empty(), protocol="quick", chosen=[hopeless, *others])
    for row in whole["summary"]:
        assert row["cases"] == 3
    with_it = {(row["attack"], row["eps_255"]): row["mean_dice"] for row in whole["summary"]}
    without = run(empty(), protocol="quick", chosen=others)["summary"]
    for row in without:
        assert with_it[row["attack"], row["eps_255"]] == pytest.approx(row["mean_dice"] * 2 / 3)


def test_a_case_brought_to_zero_is_attacked_no_further_by_the_ensemble():
    counting = CountingPredictor(smooth)
    content = run(empty(), counting, eps_255=[200], steps=20, chosen=cases(1))
    rows = {row["attack"]: row for row in content["cases"]}
    zero = next(name for name, row in rows.items() if not any(row["dice"].values()) and "of" not in row)
    skipped = [row for row in rows.values() if row.get("skipped")]
    assert len(skipped) > 5
    assert {row["of"] for row in skipped} == {zero}
    assert (rows["worst"]["of"], mean_of(rows["worst"]["dice"].values())) == (zero, 0.0)
    assert {row["attack"] for row in skipped}.isdisjoint(content["cost"])
    assert [row["value"] for row in content["checks"] if row["check"] in (MORE_EFFORT, LARGE_BUDGET)] == [0.0, 0.0]
    paper = run(empty(), protocol="paper", steps=20, eps_255=[200], chosen=cases(1))
    assert not any(row.get("skipped") for row in paper["cases"]), "the paper's attacks are each on their own"


def test_a_subset_is_the_first_cases_at_the_main_budget():
    protocol = Protocol(
        (AttackSetting("random"), AttackSetting("square", {"steps": 2}, cases=2, one_budget=True)), steps=2
    )
    ensemble = Ensemble(empty(), protocol, [4, 8, 16])
    for place in range(4):
        wanted = [("random", 4), ("random", 8), *([("square", 8)] if place < 2 else []), ("random", 16)]
        assert [(setting.attack, eps) for setting, eps in ensemble.runs(place)] == wanted


@pytest.mark.parametrize("eps_255", [24, 60])
def test_the_strong_protocol_is_at_least_as_strong_as_the_paper_s(eps_255):
    worst = {}
    for protocol in ("paper", "strong"):
        content = run(empty(), protocol=protocol, steps=None, eps_255=[eps_255], chosen=cases(1))
        worst[protocol] = next(row["mean_dice"] for row in content["summary"] if row["attack"] == "worst")
    assert worst["strong"] <= worst["paper"] + 0.01


@pytest.mark.parametrize("spatial", [(40,), (8, 8), (4, 5, 6)])
def test_any_rank_and_any_number_of_classes(spatial):
    def binary(image):
        return torch.cat([-image, image], dim=1)

    image = torch.rand((1, 1, *spatial), generator=torch.Generator().manual_seed(0)) - 0.5
    found = robustness_of(
        binary, [("one", image, (image > 0).long())], labels=("background", "organ"), eps_255=[24], steps=4
    )
    summary = {row["attack"]: row["mean_dice"] for row in found["summary"]}
    assert set(summary) == {"clean", "worst", *(setting.attack for setting in PROTOCOLS["strong"].attacks)}
    assert summary["worst"] == min(summary.values()) < summary["clean"] == 1
