"""What a run says on the console, and where its lines and bars go."""

from __future__ import annotations

import logging
import warnings

from tqdm.contrib.logging import logging_redirect_tqdm

from seat_components.refusals import is_bundle_run
from seat_components.running.values import check_values

_REDIRECTION = logging_redirect_tqdm()


def speak(verbose: bool) -> None:
    """Let lines stand above a bar instead of in it, and Ignite's and MONAI's engines be silent.

    Only under ``python -m monai.bundle run``: in any other program loggers are its own.

    Args:
        verbose: whether engines say when they begin and end, which is what Ignite's INFO lines hold.
    """
    check_values(verbose=verbose)
    if not is_bundle_run():
        return
    logging.getLogger("ignite").setLevel(logging.INFO if verbose else logging.WARNING)
    # Never left: it ends with the process.
    _REDIRECTION.__enter__()


def silence_monai() -> None:
    """Leave out what MONAI says of its own inside, which nobody who runs a bundle can change.

    It makes all of its own readers beside the one that is named, of which one asks for a GPU decoder; and its metrics
    and its trainer call what MONAI and PyTorch are about to drop.
    """
    for message in ("NvImgCodecPydicomReader", "monai.metrics.utils get_mask_edges", "`torch.cuda.amp.GradScaler"):
        warnings.filterwarnings("ignore", message=message)
    logging.getLogger("monai.data.nvimgcodec_pydicom_plugin").setLevel(logging.ERROR)
