"""How a run begins: what holds from its first moment."""

from __future__ import annotations

import logging
import warnings

from seat_components.refusals import is_bundle_run
from seat_components.running.ending import end_on_signals


def begin_run() -> None:
    """Let signals end this run in words, and leave out what MONAI says of a reader that is never asked.

    Only under ``python -m monai.bundle run``: in any other program, signals and messages are its own.
    """
    if not is_bundle_run():
        return
    end_on_signals()
    # MONAI makes all of its own readers beside the one that a config names; one of them needs a GPU decoder.
    warnings.filterwarnings("ignore", message="NvImgCodecPydicomReader")
    logging.getLogger("monai.data.nvimgcodec_pydicom_plugin").setLevel(logging.ERROR)
