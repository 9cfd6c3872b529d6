"""What scanners and protocols do to a scan, at five severities, by MONAI's transforms."""

from seat_components.corruptions.corruptd import Corruptd
from seat_components.corruptions.table import CLEAN, corruptions_of

__all__ = ["CLEAN", "Corruptd", "corruptions_of"]
