"""A network that does not turn (B, C, *size) into (B, K, *size) is refused with what came and what is needed."""

import pytest
import torch
from bundle_runs import UNET, refusal, unet, workflow
from monai.networks.nets import DynUNet, SwinUNETR
from torch import nn

from seat_components.networks import ROG
from seat_components.networks.fit import check_network

SIZE = (16, 16, 8)


class Answers(nn.Module):
    """Gives whatever ``answer`` makes of the logits of a convolution."""

    def __init__(self, answer):
        super().__init__()
        self.layer, self.answer = nn.Conv3d(1, 3, 1), answer

    def forward(self, image):
        return self.answer(self.layer(image))


def dyn_unet(**changes):
    return DynUNet(3, 1, 3, kernel_size=[3, 3, 3], strides=[1, 2, 2], upsample_kernel_size=[2, 2], **changes)


class Remembers(nn.Conv3d):
    """Its state_dict holds more than tensors."""

    def get_extra_state(self):
        return {"calls": 3}

    def set_extra_state(self, state):
        pass


FITS = {
    "ROG": (lambda: ROG(1, 3, [[2, 2, 2]] * 3, dropout=0.3), (64, 32, 32)),
    "U-Net": (unet, SIZE),
    "DynUNet": (dyn_unet, SIZE),
    "batch norm, dropout": (lambda: unet(norm="batch", dropout=0.2), SIZE),
    "looks at its values": (lambda: Answers(lambda logits: logits + logits.sum().item()), SIZE),
}


@pytest.mark.parametrize("kind", FITS)
@pytest.mark.parametrize("training", [False, True])
def test_a_network_that_fits_is_left_as_it_was_with_all_random_numbers(kind, training):
    make, size = FITS[kind]
    network = make().train(not training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    random = torch.get_rng_state()
    check_network(network, 1, 3, size, size if training else None)
    assert torch.equal(torch.get_rng_state(), random)
    assert network.training is not training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


MISFITS = {
    "deep supervision": (lambda: dyn_unet(deep_supervision=True), "a tensor (B, 2, 3, 16, 16, 8)", "deep supervision"),
    "list": (lambda: Answers(lambda logits: [logits]), "gives list", "further outputs"),
    "tuple": (lambda: Answers(lambda logits: (logits, logits)), "gives tuple", "further outputs"),
    "classes": (lambda: unet(out_channels=4), "a tensor (B, 4, 16, 16, 8)", "Give it 3 output channels"),
    "channels": (lambda: unet(in_channels=2), "cannot take an image (B, 1, 16, 16, 8)", "2 channels"),
    "half the size": (lambda: Answers(lambda logits: logits[..., 1::2]), "(B, 3, 16, 16, 4)", "(B, 3, 16, 16, 8)"),
    "labels": (lambda: Answers(lambda logits: logits.long()), "of torch.int64", "floating-point"),
    "two dimensions": (lambda: nn.Conv2d(1, 3, 1), "cannot take", "Conv2d"),
    "another's error": (lambda: Answers(lambda logits: {}[len(logits)]), "cannot take", "KeyError"),
    "detached": (lambda: Answers(lambda logits: logits.detach()), "depends on no weight", "requires_grad"),
    "frozen": (lambda: unet().requires_grad_(False), "depends on no weight", "requires_grad"),
    "state": (lambda: Remembers(1, 3, 1), "_extra_state", "no tensor"),
    "size": (lambda: SwinUNETR(1, 3, feature_size=12), "cannot take", "divisible by"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MISFITS)
def test_a_network_that_does_not_is_refused(kind):
    make, *words = MISFITS[kind]
    message = refusal(check_network, make(), 1, 3, SIZE, patch=SIZE)
    assert message.startswith("network_def: ")
    assert all(word in message for word in words), message


def test_a_package_that_is_missing_is_named_with_the_command_that_installs_it(monkeypatch):
    network = unet()
    monkeypatch.setattr(network, "forward", lambda _: __import__("einops_that_nobody_has"))
    message = refusal(check_network, network, 1, 3, SIZE)
    assert "einops_that_nobody_has is not installed: pip install einops_that_nobody_has" in message
    try:
        import einops  # noqa: F401, PLC0415
    except ImportError:
        message = refusal(check_network, SwinUNETR(1, 3, feature_size=12), 1, 3, (32, 32, 32))
        assert "einops is not installed: pip install einops" in message


@pytest.mark.parametrize("configs", [["train"], ["train", "evaluate"], ["train", "attack"], ["inference"]])
def test_every_config_refuses_it_before_it_looks_at_any_data(bundle, tmp_path, configs):
    folders = {"dataset_dir": "/nowhere", "output_dir": str(tmp_path / "eval")}
    folders |= {} if configs == ["inference"] else {"ckpt_dir": str(tmp_path)}
    message = refusal(workflow, bundle, configs, network_def={**UNET, "out_channels": 4}, **folders)
    assert "a tensor (B, 4, 32, 48, 32)" in message
