"""The names of the alarms of an evaluation under attack, for what raises them and for what reads its record."""

from __future__ import annotations

NOT_FINITE = "logits not finite"
PROBABILITIES = "outputs are probabilities"
SATURATED = "loss saturated"
NOT_DETERMINISTIC = "not deterministic"
ZERO_GRADIENTS = "zero gradients"
ALARM_NAMES = (
    NOT_FINITE,
    PROBABILITIES,
    SATURATED,
    NOT_DETERMINISTIC,
    ZERO_GRADIENTS,
    "black box beats white box",
    "more steps change the result",
    "a large budget leaves Dice",
    "a larger budget is weaker",
    "random noise hurts",
)
