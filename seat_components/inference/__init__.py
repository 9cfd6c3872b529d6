"""From probabilities to a mask file in the scan's own grid, and what was found in it."""

from seat_components.inference.certified_masks import SaveCertifiedd
from seat_components.inference.masks import InvertToLabelsd, MaskLayout, MaskWriter
from seat_components.inference.stitching import VolumeInferer
from seat_components.inference.volumes import VolumesRecord

__all__ = ["InvertToLabelsd", "MaskLayout", "MaskWriter", "SaveCertifiedd", "VolumeInferer", "VolumesRecord"]
