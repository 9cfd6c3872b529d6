"""Weights chosen under attack: the attack is inside the budget and repeatable, and training itself stays the same."""

import csv
import json

import pytest
import torch
from bundle_runs import SMALL, workflow
from ignite.engine import Events
from monai.engines import SupervisedEvaluator
from monai.inferers import SimpleInferer
from networks_under_test import cases, smooth

from seat_components.budget import IntensityBudget
from seat_components.evaluation import AttackedValidation, ForegroundDice
from seat_components.refusals import RefusalError


class Network(torch.nn.Module):
    """``smooth`` with a weight and a mode of its own."""

    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(()))

    def forward(self, image):
        return self.gain * smooth(image)


def validate(network, runs=1, **options):
    """The attacked images, and the mean Dice, of ``runs`` validations of two cases."""
    data = [{"image": image, "label": label} for _, image, label in cases(count=2)]
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=data,
        network=network,
        inferer=SimpleInferer(),
        iteration_update=AttackedValidation(**options),
        key_val_metric={"dice": ForegroundDice(classes=3)},
        decollate=False,
    )
    seen = []
    evaluator.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: seen.append(engine.state.output["image"]))
    for _ in range(runs):
        evaluator.run()
    return seen, evaluator.state.metrics["dice"]


def test_metrics_see_the_attacked_images_which_lie_inside_the_budget():
    seen, dice = validate(Network(), eps_255=16, steps=3)
    for attacked, (_, image, _) in zip(seen, cases(count=2), strict=True):
        moved = (attacked - image).abs().max()
        radius = IntensityBudget.of(image, 16 / 255).radius.max()
        assert 0 < moved <= radius * (1 + 1e-6)
    # Every class has voxels within the budget of its border, so that some must change.
    assert dice < 0.99


def test_processes_do_not_meet_in_the_attacks_passes():
    """DistributedDataParallel exchanges buffers in forward passes, and processes may have unequal numbers of cases."""

    class Wrapper(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.module = Network()

        def forward(self, *_):
            raise AssertionError

    _, dice = validate(Wrapper(), steps=1)
    assert dice == validate(Network(), steps=1)[1]


def test_every_validation_draws_the_same():
    seen, _ = validate(Network(), runs=2, steps=1)
    assert all(torch.equal(one, other) for one, other in zip(seen[:2], seen[2:], strict=True))
    others, _ = validate(Network(), steps=1, seed=1)
    assert not torch.equal(seen[0], others[0])


@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_left_as_found(training):
    network = Network().train(training)
    validate(network)
    assert network.gain.grad is None
    assert network.gain.requires_grad


@pytest.mark.parametrize(
    ("options", "word"),
    [({"attack": "random"}, "random"), ({"steps": 0}, "val_attack_steps"), ({"eps_255": 0}, "eps_255")],
)
def test_what_cannot_be_run_is_refused(options, word):
    with pytest.raises(RefusalError, match=word):
        AttackedValidation(**options)


@pytest.mark.slow
def test_a_training_goes_as_without_it_and_chooses_by_lower_dice(bundle, task04_phantom, tmp_path):
    dice = {}
    for configs in (["train", "clean"], ["train", "clean", "select_robust"]):
        folder = tmp_path / configs[-1]
        options = {**SMALL, "dataset_dir": str(task04_phantom), "ckpt_dir": str(folder), "output_dir": str(folder)}
        options |= {"epochs": 6, "learning_rate": 0.1, "val_interval": 3}
        if configs[-1] == "select_robust":
            options["eps_255"] = 64
        workflow(bundle, configs, **options).run()
        with (folder / "training_history.csv").open() as file:
            dice[configs[-1]] = [float(row["val_mean_dice"]) for row in csv.DictReader(file) if row["val_mean_dice"]]
    plain, robust = (torch.load(tmp_path / name / "model_final.pt", weights_only=True) for name in dice)
    assert all(torch.equal(plain[name], robust[name]) for name in plain)
    assert len(dice["select_robust"]) == 2
    seen = {name: json.loads((tmp_path / name / "run.json").read_text())["val_images"] for name in dice}
    assert seen == {"clean": "clean", "select_robust": "APGD on soft Dice of normalised logits, 5 steps, 64/255"}
    assert dice["select_robust"][-1] < dice["clean"][-1]
