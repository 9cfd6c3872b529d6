"""Ending a run early without losing work: a time limit, SIGTERM, Ctrl-C, or weights that have become useless."""

from __future__ import annotations

import logging
import math
import signal
import threading
import time
from types import FrameType

import ignite.distributed as idist
import torch
import torch.distributed as dist
from monai.engines import SupervisedTrainer
from torch import nn

from seat_components.networks.pretrained import unwrap
from seat_components.refusals import refuse

logger = logging.getLogger(__name__)


class StopRequest:
    """Whether training should stop at the next batch.

    Args:
        after_minutes: stop this long after ``start``; None never does.

    The first SIGTERM or Ctrl-C asks for a stop. A second one ends the process at once, as it would have without this,
    but in a run of several processes: there ``torchrun`` hands a signal on that may have come from elsewhere too, and
    ends its processes itself after 30 s. Processes agree by way of their CPUs, which takes a fraction of a
    millisecond and lets no GPU wait: they stop with the batch after which the first one asks.

    Attributes:
        reason: why to stop, in words; None as long as nothing asks for it.
        signal: the signal that asked for it, here or in another process; None for any other reason.

    Raises:
        RefusalError: if ``after_minutes`` is not positive.
    """

    def __init__(self, after_minutes: float | None = None) -> None:
        if after_minutes is not None and not after_minutes > 0:
            refuse(f"stop_after_minutes is {after_minutes}, but it must be above 0 (or null for no limit)")
        self.after_minutes = after_minutes
        self.reason: str | None = None
        self.signal: signal.Signals | None = None
        self._deadline = float("inf")
        self._group: dist.ProcessGroup | None = None
        self._previous: dict[signal.Signals, signal._HANDLER] = {}

    def start(self) -> None:
        """Start the clock and listen to signals (only the main thread can); to be called by every process."""
        self.reason = self.signal = None
        if idist.get_world_size() > 1 and self._group is None:
            self._group = dist.new_group(backend="gloo")
        if self.after_minutes is not None:
            self._deadline = time.monotonic() + 60 * self.after_minutes
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._previous[number] = signal.signal(number, self._on_signal)

    def end(self) -> None:
        """Give the signals back to whoever had them."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.signal is not None:
            return
        self.signal = signal.Signals(number)
        self.reason = self.signal.name
        alone = idist.get_world_size() == 1
        again = " Once more to stop at once." if alone else ""
        logger.warning(
            f"{self.reason}: stopping after this batch, or the validation under way, with a checkpoint.{again}"
        )
        if alone:
            self.end()

    def asked(self) -> bool:
        """Whether to stop; processes of one run agree (to be called by all of them)."""
        if self.reason is None and time.monotonic() >= self._deadline:
            self.reason = f"{self.after_minutes} minutes have passed"
        if idist.get_world_size() == 1:
            return self.reason is not None
        # 0 goes on, 1 stops, a larger number is that of the signal which stops: both are above 1.
        asked = torch.tensor(int(self.signal or self.reason is not None))
        dist.all_reduce(asked, dist.ReduceOp.MAX, group=self._group)
        strongest = int(asked)
        if strongest > 1 and self.signal is None:
            self.signal = signal.Signals(strongest)
        if strongest:
            self.reason = self.reason or "another process stopped"
        return bool(strongest)


def refuse_divergence(engine: SupervisedTrainer) -> None:
    """End the training if it has diverged; to be called at an epoch's end, or before its state is saved.

    It has if a weight is not finite. At an epoch's end also if its mean loss is not; under AMP, which skips the steps
    of batches that overflow, only if no gradient of the epoch was finite, so that no step was made.

    Raises:
        RefusalError: with the epoch, the learning rate, and what to try.
    """
    loss = float(getattr(engine.state, "train_loss", 0.0))
    norm = float(getattr(engine.state, "gradient_norm", 0.0))
    if bad := non_finite(unwrap(engine.network)):
        what = f"{len(bad)} of the network's weights ({bad[0]} among them) are not finite"
    elif not math.isfinite(loss) and engine.scaler is None:
        what = f"the mean loss is {loss}"
    elif math.isnan(loss) and math.isnan(norm):
        what = "no gradient was finite, so that no step was made"
    else:
        return
    rate = engine.optimizer.param_groups[0]["lr"]
    refuse(
        f"The training has diverged in epoch {engine.state.epoch}: {what}, at learning rate {rate:g}. model.pt and "
        "the training checkpoint stay as they were before this epoch. Try a lower --learning_rate, such as "
        f"{min(rate / 10, 0.01):g}; if that does not help, look for odd values in the data."
    )


def non_finite(network: nn.Module) -> list[str]:
    """The names of the network's floating tensors that hold NaN or infinity; one wait for the device in all."""
    tensors = {name: value for name, value in network.state_dict().items() if value.is_floating_point()}
    if not tensors:
        return []
    finite = torch.stack([value.isfinite().all() for value in tensors.values()])
    return [name for name, good in zip(tensors, finite.tolist(), strict=True) if not good]
