"""Robust evaluation: one Dice rule, attack protocols, and records that survive a kill."""

from seat_components.evaluation.attack_update import AttackUpdate
from seat_components.evaluation.attacked_validation import AttackedValidation
from seat_components.evaluation.certified import CertificateUpdate
from seat_components.evaluation.corrupted import CorruptionRecord
from seat_components.evaluation.dice import ABSENT_CLASS_RULE, ForegroundDice, dice_per_class
from seat_components.evaluation.metrics import MetricsRecord
from seat_components.evaluation.plain import robustness_of
from seat_components.evaluation.protocols import PROTOCOLS, AttackSetting, Protocol

__all__ = [
    "ABSENT_CLASS_RULE",
    "PROTOCOLS",
    "AttackSetting",
    "AttackUpdate",
    "AttackedValidation",
    "CertificateUpdate",
    "CorruptionRecord",
    "ForegroundDice",
    "MetricsRecord",
    "Protocol",
    "dice_per_class",
    "robustness_of",
]
