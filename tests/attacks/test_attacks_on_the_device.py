"""Once its inputs are checked, an attack makes nothing on another device, and the host waits for no value.

On the meta device nothing has a value: reading one raises, and so does mixing in a tensor of another device.
"""

import sys

import pytest
import torch

from seat_components.attacks import ATTACKS, victim

META = torch.device("meta")


@pytest.mark.parametrize("seeded", [False, True])
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_needs_no_other_device_and_no_value(monkeypatch, name, seeded):
    monkeypatch.setattr(victim, "check_image", lambda *_: None)
    monkeypatch.setattr(victim, "check_label", lambda *_: 2)
    # FAB asks for one value a step, which saves it a forward pass.
    monkeypatch.setattr(sys.modules["seat_components.attacks.fab"], "anywhere", lambda _: True)
    network = torch.nn.Conv3d(1, 3, 3, padding=1).to(META)
    image = torch.rand(2, 1, 8, 8, 8, device=META)
    label = torch.ones(2, 1, 8, 8, 8, device=META, dtype=torch.int64)
    # A CPU generator is what makes the same numbers on every device.
    generator = torch.Generator().manual_seed(0) if seeded else None
    attacked = ATTACKS[name](network, image, label, eps=8 / 255, steps=12, restarts=2, generator=generator)
    assert attacked.device == META
    assert attacked.shape == image.shape
