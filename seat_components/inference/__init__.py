"""From probabilities to a mask file in the scan's own grid."""

from seat_components.inference.invert import InvertToLabelsd
from seat_components.inference.layout import MaskLayout
from seat_components.inference.volumes import VolumesRecord
from seat_components.inference.writer import MaskWriter

__all__ = ["InvertToLabelsd", "MaskLayout", "MaskWriter", "VolumesRecord"]
