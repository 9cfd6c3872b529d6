"""Attacks on segmentation models of any rank, under one L∞ intensity budget."""

from seat_components.attacks.apgd import SEA_RADII, apgd
from seat_components.attacks.cospgd import cospgd
from seat_components.attacks.fab import fab
from seat_components.attacks.losses import LOSSES, Loss, loss_function
from seat_components.attacks.pgd import pgd
from seat_components.attacks.predictor import CountingPredictor, Predictor
from seat_components.attacks.random_noise import random_noise
from seat_components.attacks.segpgd import segpgd
from seat_components.attacks.square import square
from seat_components.attacks.table import ATTACKS
from seat_components.attacks.windows import WindowwiseInferer

__all__ = [
    "ATTACKS",
    "LOSSES",
    "SEA_RADII",
    "CountingPredictor",
    "Loss",
    "Predictor",
    "WindowwiseInferer",
    "apgd",
    "cospgd",
    "fab",
    "loss_function",
    "pgd",
    "random_noise",
    "segpgd",
    "square",
]
