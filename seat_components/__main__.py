"""``seat``, which is ``python -m seat_components``: runs of bundles, bundles, datasets, weights, reports."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from seat_components import __version__
from seat_components.commands import COMMANDS
from seat_components.refusals import RefusalError

_STOPPED = 130
"""The exit status after Ctrl-C, as of a run that it ends: 128 and the signal's number."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status. A refusal is one message, without a traceback."""
    parser = _parser()
    options, further = parser.parse_known_args(arguments)
    command = COMMANDS[options.command]
    if further and not command.places:
        parser.error(f"unrecognized arguments: {' '.join(further)}")
    options.further = further
    try:
        command.run(options)
    except RefusalError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "Stopped by Ctrl-C. What is written stays; give the same command again.",
            file=sys.stderr,
        )
        return _STOPPED
    except OSError as error:
        # A full disk, a missing right, a name that is too long: not this program's fault, and said by the system.
        place = "" if error.filename is None else f"{error.filename}: "
        print(f"ERROR: {place}{error.strerror or error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    name = "seat" if Path(sys.argv[0]).stem == "seat" else "python -m seat_components"
    parser = argparse.ArgumentParser(prog=name, description=__doc__)
    parser.add_argument("--version", action="version", version=f"seat-components {__version__}")
    words = parser.add_subparsers(dest="command", required=True)
    for word, command in COMMANDS.items():
        if command.places:
            # An option's first letters are no option here: the word may be one of the run's.
            usage = f"{name} {word} {command.places} [options] [--id value …]"
            own = words.add_parser(word, help=command.help, usage=usage, description=_OF_RUNS, allow_abbrev=False)
        else:
            own = words.add_parser(word, help=command.help)
        command.options(own)
    return parser


_OF_RUNS = (
    "Prints the `monai.bundle` line that it runs, and runs it. A bundle is named by its folder, or by its name in "
    "bundles/ of the working folder or in the folder SEAT_BUNDLES of the environment; a scan is a file, a folder of "
    "scans, or that of a DICOM series; DATA is a dataset's folder. Any id of the configs may follow as --id value."
)


if __name__ == "__main__":
    sys.exit(main())
