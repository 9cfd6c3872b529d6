"""Laws that hold for every attack in the table: budget, randomness, independence of samples, state left as found."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from attacked_network import EPS, SmallNetwork, each_attack, example, run
from monai.data import MetaTensor
from torch import Tensor, nn

from seat_components.attacks import ATTACKS, LOSSES, CountingPredictor, cospgd, pgd
from seat_components.budget import IntensityBudget

FIXED = (-500.0, 500.0)
BUDGETS = [(rank, bounds, "range") for rank in (1, 2, 3) for bounds in (None, FIXED)]


@each_attack
@pytest.mark.parametrize(("rank", "bounds", "kind"), [*BUDGETS, (2, None, "contrast"), (3, FIXED, "contrast")])
def test_keeps_the_budget_to_the_last_bit(name: str, rank: int, bounds: tuple[float, float] | None, kind: str) -> None:
    image, label = example(rank)
    adversarial = run(name, SmallNetwork(rank), image, label, bounds=bounds, budget=kind)
    budget = IntensityBudget.of(image, EPS, bounds, kind)
    assert budget.holds(adversarial, image)
    assert ((adversarial - image).abs() <= budget.radius).all()
    assert not torch.equal(adversarial, image)


@each_attack
def test_a_budget_of_contrast_is_one_of_range_at_another_eps(name: str) -> None:
    """Where every channel has the same range in standard deviations, of any scale."""
    image, label = (part[:1] for part in example())
    image[:, 1] = 50 * image[:, 0].flip(-1) + 7
    image, network = image.double(), SmallNetwork().double()
    whole = [IntensityBudget.of(image, 1.0, budget=kind).whole for kind in ("range", "contrast")]
    eps = EPS * float((whole[1] / whole[0]).mean())
    by_range = run(name, network, image, label, eps=eps)
    by_contrast = run(name, network, image, label, budget="contrast")
    assert torch.allclose((by_contrast - image) / whole[1], (by_range - image) / whole[1], atol=1e-9)


@each_attack
@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_keeps_the_budget_in_the_image_type(name: str, dtype: torch.dtype) -> None:
    image, label = example()
    image, network = image.to(dtype), SmallNetwork().to(dtype)
    adversarial = run(name, network, image, label)
    assert adversarial.dtype == dtype
    assert IntensityBudget.of(image, EPS).holds(adversarial, image)


@each_attack
def test_budget_zero_gives_the_image_back(name: str) -> None:
    image, label = example()
    adversarial = run(name, SmallNetwork(), image, label, eps=0.0)
    assert torch.equal(adversarial, image)
    assert adversarial.data_ptr() != image.data_ptr()


@each_attack
def test_constant_channel_stays_as_it_is(name: str) -> None:
    image, _ = example()
    image[0, 1] = 3.0
    network = SmallNetwork().eval()
    adversarial = run(name, network, image, network(image).argmax(dim=1, keepdim=True))
    assert adversarial.isfinite().all()
    assert torch.equal(adversarial[0, 1], image[0, 1])
    assert not torch.equal(adversarial[0, 0], image[0, 0])


@each_attack
def test_same_seed_same_result_and_only_the_generator_is_used(name: str) -> None:
    network = SmallNetwork()
    image, label = example()
    state = torch.get_rng_state()
    first, again = (run(name, network, image, label) for _ in range(2))
    other = run(name, network, image, label, seed=4, restarts=2)
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), state)
    if name != "fab":  # FAB's first start is the image itself
        assert not torch.equal(first, other)


@each_attack
def test_without_a_generator_torch_s_default_is_used(name: str) -> None:
    image, label = example()
    results = []
    for _ in range(2):
        torch.manual_seed(7)
        results.append(ATTACKS[name](SmallNetwork(), image, label, eps=EPS, steps=2))
    assert torch.equal(*results)


@each_attack
def test_a_sample_does_not_depend_on_its_batch_mates(name: str) -> None:
    image, label = example(batch=3)
    others, other_label = example(batch=3, seed=5)
    others[0], other_label[0] = image[0], label[0]
    adversarial = run(name, SmallNetwork(), image, label, steps=20)
    among_others = run(name, SmallNetwork(), others, other_label, steps=20)
    assert torch.equal(adversarial[0], among_others[0])


@each_attack
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_works_in_any_gradient_mode_and_returns_a_plain_tensor(name: str, mode: Any) -> None:
    network = SmallNetwork()
    image, label = example()
    usual = run(name, network, image, label)
    with mode():
        scan = MetaTensor(image.clone(), meta={"filename_or_obj": "a.nii.gz"})
        if mode is torch.enable_grad:
            scan.requires_grad_()
        enabled = torch.is_grad_enabled()
        adversarial = run(name, network, scan, MetaTensor(label.clone()))
        assert torch.is_grad_enabled() == enabled
    assert type(adversarial) is Tensor
    assert not adversarial.requires_grad
    assert torch.equal(adversarial, usual)
    assert torch.equal(scan.as_tensor(), image)
    assert scan.grad is None


class StopAtCall(SmallNetwork):
    """A network that fails at its third call."""

    calls = 0

    def forward(self, image: Tensor) -> Tensor:
        self.calls += 1
        if self.calls == 3:
            raise RuntimeError("out of memory")
        return super().forward(image)


def state_of(network: nn.Module) -> list[Any]:
    """Mode, flags, gradients and buffers of every part."""
    return [
        [part.training for part in network.modules()],
        [part.requires_grad for part in network.parameters()],
        [None if part.grad is None else part.grad.tolist() for part in network.parameters()],
        [part.tolist() for part in network.state_dict().values()],
    ]


@each_attack
@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("wrapped", [False, True])
def test_network_is_left_as_found(name: str, fails: bool, wrapped: bool) -> None:
    network = StopAtCall() if fails else SmallNetwork()
    network.train()
    network.body[1].eval()
    network.body[0].weight.requires_grad_(False)
    network.body[0].bias.grad = torch.ones(6)
    before = state_of(network)
    image, label = example()
    predictor = CountingPredictor(network) if wrapped else network
    if fails:
        with pytest.raises(RuntimeError, match="out of memory"):
            run(name, predictor, image, label, restarts=3)
    else:
        run(name, predictor, image, label)
    assert state_of(network) == before


@each_attack
def test_network_runs_in_evaluation_mode_and_a_callable_as_it_is(name: str) -> None:
    network = SmallNetwork().train()
    modes: list[bool] = []
    network.body[0].register_forward_hook(lambda *_: modes.append(network.body[2].training))
    image, label = example()
    for predictor in (network, CountingPredictor(CountingPredictor(network))):
        modes.clear()
        run(name, predictor, image, label, restarts=2)
        assert modes
        assert not any(modes)
    modes.clear()
    run(name, network.forward, image, label, restarts=2)
    assert modes
    assert all(modes)


class NotFinite:
    """A predictor whose answer for the first sample is not finite from the third call on."""

    def __init__(self) -> None:
        self.calls = 0
        self.network = SmallNetwork().eval()

    def __call__(self, image: Tensor) -> Tensor:
        self.calls += 1
        logits: Tensor = self.network(image)
        if self.calls > 2:
            logits = logits * torch.tensor([float("nan"), 1.0]).reshape(2, 1, 1, 1)
        return logits


@each_attack
def test_logits_that_are_not_finite_do_not_poison(name: str) -> None:
    image, label = example()
    adversarial = run(name, NotFinite(), image, label, restarts=2)
    assert adversarial.isfinite().all()
    assert IntensityBudget.of(image, EPS).holds(adversarial, image)
    if name != "random":
        sound = run(name, SmallNetwork(), image, label, restarts=2)
        assert torch.equal(adversarial[1], sound[1])


@each_attack
def test_more_restarts_are_never_worse(name: str) -> None:
    network = SmallNetwork().eval()
    image, label = example(batch=4)
    if name == "fab":  # keeps the smallest distance, not the highest loss
        kept = [-distances(run(name, network, image, label, restarts=n, eps=1.0), image) for n in (1, 2, 4)]
    else:
        loss = LOSSES[getattr(ATTACKS[name], "keywords", {}).get("loss", "ce")]
        kept = [loss(network(run(name, network, image, label, restarts=n)), label) for n in (1, 2, 4)]
    assert (kept[1] >= kept[0]).all()
    assert (kept[2] >= kept[1]).all()


def distances(adversarial: Tensor, image: Tensor) -> Tensor:
    """max |δ| of each sample as a share of the channel's range, (B,)."""
    budget = IntensityBudget.of(image, 1.0)
    return ((adversarial - image).abs() / budget.radius).flatten(1).amax(dim=1)


@pytest.mark.parametrize("attack", [pgd, cospgd])
def test_more_steps_are_never_worse(attack: Any) -> None:
    network = SmallNetwork().eval()
    image, label = example(batch=4)
    losses = []
    for steps in (1, 3, 10, 20):
        generator = torch.Generator().manual_seed(0)
        adversarial = attack(network, image, label, eps=EPS, steps=steps, generator=generator, step_ratio=1.0)
        losses.append(LOSSES["ce"](network(adversarial), label))
    for fewer, more in pairwise(losses):
        assert (more >= fewer).all()


@pytest.mark.parametrize("name", [name for name in ATTACKS if name != "random"])
def test_wins_voxels(name: str) -> None:
    network = SmallNetwork().eval()
    image, label = example(batch=4)
    adversarial = run(name, network, image, label, steps=20, eps=32 / 255)
    wrong = [(network(x).argmax(dim=1, keepdim=True) != label).float().mean() for x in (image, adversarial)]
    assert wrong[1] > wrong[0] + 0.02


@each_attack
@pytest.mark.parametrize(
    ("option", "said"), [("norm", ""), ("ignore_indices", "'ignore_index' is meant, perhaps"), ("draw", "'draws' is")]
)
def test_an_option_that_no_attack_has_is_refused(name: str, option: str, said: str) -> None:
    """It was ignored in silence: whoever asked for an L2 attack was shown figures of another."""
    image, label = example()
    with pytest.raises(TypeError, match=rf"no attack has an option '{option}'.*{said}"):
        run(name, SmallNetwork(), image, label, **{option: 2})
