"""The command ``weights``: list, verify, convert, init, restore."""

from __future__ import annotations

from pathlib import Path

from seat_components.launching import bundle_folder
from seat_components.refusals import refuse
from seat_components.weights.bundle import convert_weights
from seat_components.weights.inventory import inventory, verify
from seat_components.weights.shipped import restore_shipped
from seat_components.weights.untrained import init_weights


def list_weights(bundles: Path) -> None:
    """Print every file of weights, and the bundles that have none."""
    entries = inventory(bundles)
    for entry in entries:
        print(entry.line())
    absent = sorted({path.parent.name for path in bundles.glob("msd_*/configs")} - {entry.bundle for entry in entries})
    if absent:
        print(f"No weights: {', '.join(absent)}. Train, or write untrained ones: weights --init BUNDLE")


def verify_weights(bundles: Path) -> None:
    """Check every registered file's hash.

    Raises:
        RefusalError: naming all files that are not what was registered.
    """
    entries = inventory(bundles)
    if faults := verify(entries):
        refuse("\n       ".join(faults))
    print(f"{sum(entry.state == 'ok' for entry in entries)} registered file(s) of weights are present and correct.")


def write_untrained(bundle: str, bundles: Path, seed: int) -> None:
    """Write a bundle's untrained weights and say what they are."""
    print(
        f"Wrote {init_weights(bundle_folder(bundle, bundles), seed)}: untrained, seeded random weights (seed {seed})."
    )


def convert(source: Path, bundle: str | None, bundles: Path, out: Path | None) -> None:
    """Convert a checkpoint for a bundle."""
    if bundle is None:
        refuse("--convert needs --bundle BUNDLE: the weights are checked against that bundle's network.")
    print(f"Wrote {convert_weights(source, bundle_folder(bundle, bundles), out)}.")


def restore(bundle: str, bundles: Path) -> None:
    """Bring a bundle's shipped weights back, and say what became of those in their place."""
    folder = bundle_folder(bundle, bundles)
    restored = restore_shipped(folder)
    for file, aside in restored:
        print(f"{file} is as shipped again" + ("." if aside is None else f"; what stood there is now {aside}."))
    if not restored:
        print(f"The weights in {folder / 'models'} are as shipped: nothing to restore.")
