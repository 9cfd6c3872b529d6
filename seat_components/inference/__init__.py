"""From probabilities to a mask file in the scan's own grid."""

from seat_components.inference.invert import InvertToLabelsd
from seat_components.inference.writer import MaskWriter, mask_name

__all__ = ["InvertToLabelsd", "MaskWriter", "mask_name"]
