"""What a record's numbers were computed on, and how exactly."""

from __future__ import annotations

from seat_components.records.model import Record


class ComputedRecord(Record):
    """A record that says what its numbers were computed on; empty or None where that was not said.

    Attributes:
        device: as PyTorch names it, such as ``cuda:0``.
        gpu: the GPU's name.
        tf32: whether convolutions of float32 were computed in TF32, which keeps 10 of 23 bits.
        amp: whether the network ran under autocast, in 16 bit where that is safe.
        operators: which form of its operators the network took.
    """

    device: str = ""
    gpu: str = ""
    tf32: bool | None = None
    amp: bool | None = None
    operators: str = ""

    @property
    def computed_on(self) -> str:
        """All of it in words, as in ``"cuda:0 (a GPU's name), 16 bit"``; empty where the device was not said."""
        if not self.device:
            return ""
        name = f" ({self.gpu})" if self.gpu else ""
        exact = "float32 with TF32" if self.tf32 else "float32"
        bits = "" if self.amp is None else f", {'16 bit' if self.amp else exact}"
        return f"{self.device}{name}{bits}" + (f", {self.operators} operators" if self.operators else "")
