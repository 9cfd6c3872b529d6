"""Bringing a prediction back into the scan's own grid."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import Invertd

from seat_components.refusals import refuse


class InvertToLabelsd(Invertd):
    """Undo the preprocessing on class probabilities, then take the most probable class.

    Interpolating probabilities, instead of labels, keeps boundaries smooth; and a user of the intermediate result,
    such as an uncertainty score, still finds probabilities before this step.

    Args:
        keys: entries with probabilities (K, *spatial).
        transform: the preprocessing to undo.
        orig_keys: the entry whose transforms are undone.

    The result is (1, *spatial), uint8, as MetaTensor with the scan's own affine.
    """

    def __init__(self, keys: Any, transform: Any, orig_keys: Any = "image") -> None:
        super().__init__(keys=keys, transform=transform, orig_keys=orig_keys, nearest_interp=False, to_tensor=True)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """``data`` with masks under ``keys``.

        Raises:
            RefusalError: naming the scan, if a probability is not finite: the most probable class would be any.
        """
        for key, orig_key in self.key_iterator(data, self.orig_keys):
            if not torch.isfinite(data[key]).all():
                scan = getattr(data[orig_key], "meta", {}).get("filename_or_obj", orig_key)
                refuse(
                    f"{scan}: what the network gives for it is not finite (NaN or infinity), so that no mask follows. "
                    "Try --amp False; if that does not help, train the network anew."
                )
        result: dict[Hashable, Any] = super().__call__(data)
        for key in self.key_iterator(result):
            result[key] = result[key].argmax(dim=0, keepdim=True).to(torch.uint8)
        return result
