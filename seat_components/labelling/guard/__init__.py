"""The guard in front of MONAI Label's application: which requests reach it, and what they may say."""

from seat_components.labelling.guard.application import Guard
from seat_components.labelling.guard.gate import Gate
from seat_components.labelling.guard.kinds import Served

__all__ = ["Gate", "Guard", "Served"]
