"""N-FGSM against a plain loop: noise, one step that nothing clips, and a training step on the result."""

import pytest
import torch
from harness import batches, loss_function, network, optimizer, trainer

from seat_components.refusals import RefusalError
from seat_components.training import FixedSchedule, NFGSMUpdate

EPS, ALPHA, K = 8 / 255, 0.75, 1.5


def plain_nfgsm(net, data, seed=0):
    """N-FGSM from Algorithm 1 of its paper, in each image's own range, without any of the package."""
    generator, opt, loss = torch.Generator().manual_seed(seed), optimizer(net), loss_function()
    for x, y in ((batch["image"], batch["label"]) for batch in data):
        lo, hi = x.amin((2, 3, 4), keepdim=True), x.amax((2, 3, 4), keepdim=True)
        radius = EPS * (hi - lo)
        eta = K * ((2 * torch.rand(x.shape, generator=generator) - 1) * radius)
        start = torch.clamp(x + eta, lo, hi).requires_grad_()
        (gradient,) = torch.autograd.grad(loss(net(start), y), start)
        opt.zero_grad()
        loss(net(torch.clamp(x + (eta + gradient.sign() * (ALPHA * radius)), lo, hi)), y).backward()
        opt.step()


def test_nfgsm_is_bit_equal_to_a_plain_loop():
    net, expected, data = network(), network(), batches()
    plain_nfgsm(expected, data)
    trainer(net, NFGSMUpdate(step_ratio=ALPHA, noise_ratio=K), data, 1, FixedSchedule(2)).run()
    for one, other in zip(net.parameters(), expected.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("ratio", [0, -1, float("nan"), float("inf")])
def test_noise_without_a_size_is_refused(ratio):
    with pytest.raises(RefusalError, match="noise_ratio"):
        NFGSMUpdate(noise_ratio=ratio)


def test_another_size_of_the_noise_is_said_where_a_run_goes_on(caplog):
    state = NFGSMUpdate(noise_ratio=2).state_dict()
    NFGSMUpdate(noise_ratio=2).load_state_dict(state)
    assert not caplog.messages
    NFGSMUpdate(noise_ratio=1).load_state_dict(state)
    assert caplog.messages == ["noise_ratio was 2 in the run that is resumed: from here on it is 1."]
