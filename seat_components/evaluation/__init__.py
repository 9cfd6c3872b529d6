"""Robust evaluation: one Dice rule, attack protocols, and records that survive a kill."""

from seat_components.evaluation.dice import ABSENT_CLASS_RULE, ForegroundDice, dice_per_class

__all__ = ["ABSENT_CLASS_RULE", "ForegroundDice", "dice_per_class"]
