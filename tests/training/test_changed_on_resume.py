"""Where a resumed run is not what it was begun as: what is kept, what begins anew, and that both are said."""

import logging
import shutil

import pytest
import torch
from robust_runs import trainer
from torch.optim import SGD

from seat_components.training import (
    FixedSchedule,
    FreeUpdate,
    GrowingSchedule,
    PhasedSchedule,
    SelfAdaptiveSchedule,
)
from seat_components.training.learning_rate import learning_rate_schedule
from seat_components.training.overfitting import OverfittingProbe
from seat_components.training.parts import take_over


def best(folder):
    return torch.load(folder / "model.pt", weights_only=True)


def same(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.fixture
def finished(tmp_path):
    folder = tmp_path / "first"
    trainer(folder, max_epochs=4).run()
    return folder


@pytest.fixture
def copied(finished, tmp_path):
    """Only the checkpoint of a finished run, in another folder."""
    folder = tmp_path / "copied"
    folder.mkdir()
    shutil.copy(finished / "training_checkpoint.pt", folder)
    return folder


def test_a_run_in_its_own_folder_says_nothing_of_its_best(finished, caplog):
    before = best(finished)
    trainer(finished, resume=True).run()
    assert "anew" not in caplog.text
    assert same(best(finished), before)


def test_a_best_network_that_is_not_there_is_no_best(copied, caplog):
    trainer(copied, resume=True, max_epochs=5).run()
    assert "There is no" in caplog.text
    assert "the next validation writes model.pt" in caplog.text
    assert same(best(copied), torch.load(copied / "model_final.pt", weights_only=True))


def test_another_file_of_that_name_is_not_taken_for_it_and_not_lost_unseen(copied, caplog):
    foreign = {"weight": torch.zeros(1)}
    torch.save(foreign, copied / "model.pt")
    with caplog.at_level(logging.INFO):
        trainer(copied, resume=True, max_epochs=4).run()
    assert "is not the network of epoch" in caplog.text
    assert "left as it was, as no epoch was validated since" in caplog.text
    assert same(best(copied), foreign)
    trainer(copied, resume=True, max_epochs=5).run()
    assert not best(copied).keys() <= foreign.keys()


def test_dice_of_other_validation_cases_does_not_compare(tmp_path, caplog):
    settings = {"training_cases": "a", "validation_cases": "b"}
    trainer(tmp_path, max_epochs=2, settings=settings).run()
    trainer(tmp_path, max_epochs=3, resume=True, settings=settings).run()
    assert "cases" not in caplog.text
    engine = trainer(tmp_path, max_epochs=4, resume=True, settings={"training_cases": "c", "validation_cases": "d"})
    assert engine.checkpoint.changed == {"training_cases", "validation_cases"}
    assert "The cases trained on are not those" in caplog.text
    assert "Dice of other validation cases does not compare" in caplog.text
    engine.run()
    assert same(best(tmp_path), torch.load(tmp_path / "model_final.pt", weights_only=True))


def test_a_checkpoint_that_does_not_know_its_cases_goes_on(tmp_path, caplog):
    trainer(tmp_path, max_epochs=2, settings={"seed": 0}).run()
    trainer(tmp_path, max_epochs=3, resume=True, settings={"seed": 0, "training_cases": "a"}).run()
    # Of several processes the first alone knows them.
    trainer(tmp_path, max_epochs=4, resume=True, settings={"seed": 0, "training_cases": ""}).run()
    assert "cases" not in caplog.text


@pytest.mark.parametrize("rule", [SelfAdaptiveSchedule, GrowingSchedule])
def test_other_limits_of_g_hold_from_the_resume_on(rule, caplog):
    schedule = rule(update_every=1, g_max=3)
    schedule.load_state_dict({"g": 5, "threshold": 1.0})
    assert schedule.g == 3
    assert "g was 5 in the run that is resumed: from here on it is 3" in caplog.text
    assert schedule.update(9, 2.0) == 3
    clean = rule(g_min=3)
    clean.load_state_dict({"g": 1, "threshold": None})
    assert clean.g == 1


def test_another_interval_neither_forgets_the_attack_nor_begins_again():
    late = SelfAdaptiveSchedule(update_every=2)
    late.load_state_dict({"g": 1, "threshold": None})
    # Epoch 2, which would have been its first, had passed when q became 2.
    assert [late.update(epoch, 1.0) for epoch in (3, 4)] == [1, 2]
    for rule in (SelfAdaptiveSchedule, GrowingSchedule):
        grown = rule(update_every=10)
        grown.load_state_dict({"g": 5, "threshold": 1.0})
        assert [grown.update(epoch, 1.0) for epoch in (9, 10)] == [5, 5]


def test_a_resumed_run_that_stays_clean_to_its_end_is_said(tmp_path, caplog):
    trainer(tmp_path, max_epochs=1, schedule=SelfAdaptiveSchedule(update_every=3)).run()
    caplog.clear()
    trainer(tmp_path, max_epochs=4, schedule=SelfAdaptiveSchedule(update_every=4), resume=True).run()
    assert "first adversarial epoch, which is 5: it trains clean" in caplog.text


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        (FixedSchedule(1), True),
        (PhasedSchedule(4, ((0, 1),)), True),
        (FixedSchedule(2), False),
        (SelfAdaptiveSchedule(1), False),
    ],
)
def test_free_training_that_attacks_nothing_is_said(tmp_path, caplog, schedule, said):
    trainer(tmp_path, schedule=schedule)
    assert ("trains clean, on no attacked image" in caplog.text) is said


def test_what_another_attack_left_is_nothing_to_fall_from():
    probe = OverfittingProbe(FreeUpdate(1, eps_255=8), 1)
    probe.judge(1, 0.6, 0.8)
    for update, expected in ((FreeUpdate(1, eps_255=8), 0.6), (FreeUpdate(1, eps_255=32), 0.0)):
        resumed = OverfittingProbe(update, 1)
        resumed.load_state_dict(probe.state_dict())
        assert resumed.best == expected
    older = {name: value for name, value in probe.state_dict().items() if name not in ("eps", "budget")}
    resumed.load_state_dict(older)
    assert resumed.best == 0.6


def sgd(**options):
    return SGD([torch.nn.Parameter(torch.zeros(1))], **{"lr": 0.1, "momentum": 0.9, **options})


def test_options_of_the_optimizer_that_are_not_taken_are_said(caplog):
    state = sgd().state_dict()
    take_over(sgd(lr=0.2), state)
    assert not caplog.messages
    resumed = sgd(momentum=0.5, weight_decay=0.1)
    take_over(resumed, state)
    assert caplog.messages == [
        "The optimizer's momentum is 0.5 now, and was 0.9 in the run that is resumed: the run keeps 0.9.",
        "The optimizer's weight_decay is 0.1 now, and was 0 in the run that is resumed: the run keeps 0.",
    ]
    assert resumed.param_groups[0]["momentum"] == 0.9


def test_the_steps_of_a_rate_stay_where_they_were_planned(caplog):
    short = learning_rate_schedule(sgd(), "step", FixedSchedule(1), 20)
    again = learning_rate_schedule(sgd(), "step", FixedSchedule(1), 20)
    again.load_state_dict(short.state_dict())
    assert not caplog.messages
    longer = learning_rate_schedule(sgd(), "step", FixedSchedule(1), 40)
    longer.load_state_dict(short.state_dict())
    assert (
        "falls after epochs 10 and 15, as planned when this run was first started, and not after 20 and 30"
        in caplog.text
    )
