"""Attack protocols, as data: which attacks run, and how hard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from seat_components.refusals import refuse


@dataclass(frozen=True)
class AttackSetting:
    """One attack of a protocol.

    Attributes:
        attack: its name in ``seat_components.attacks.ATTACKS``.
        options: its keyword arguments.
    """

    attack: str
    options: Mapping[str, Any] = field(default_factory=dict)


PROTOCOLS: dict[str, tuple[AttackSetting, ...]] = {
    # A check while developing: two white-box attacks, 20 steps each.
    "quick": (
        AttackSetting("random"),
        AttackSetting("pgd-ce", {"steps": 20}),
        AttackSetting("apgd-ce", {"steps": 20}),
    ),
    # The published evaluation, for comparison with the paper's tables only: 5 iterations, Square with 5 queries.
    "paper": (
        AttackSetting("random"),
        AttackSetting("apgd-ce", {"steps": 5, "restarts": 5}),
        AttackSetting("pgd-ce", {"steps": 5, "restarts": 5, "step_ratio": 0.25}),
        AttackSetting("square", {"steps": 5}),
    ),
}


def protocol_settings(name: str) -> tuple[AttackSetting, ...]:
    """The attacks of protocol ``name``.

    Raises:
        RefusalError: if there is no such protocol.
    """
    if name not in PROTOCOLS:
        refuse(f"'{name}' is not an attack protocol. Take --protocol {' or '.join(PROTOCOLS)}.")
    return PROTOCOLS[name]
