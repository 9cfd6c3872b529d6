"""``python -m seat_components``: phantoms, bundles, their weights, plans for own data, reports, a demonstration run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from seat_components.commands import COMMANDS
from seat_components.refusals import RefusalError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status. A refusal is one message, without a traceback."""
    options = _parser().parse_args(arguments)
    try:
        COMMANDS[options.command].run(options)
    except RefusalError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        # A full disk, a missing right, a name that is too long: not this program's fault, and said by the system.
        place = "" if error.filename is None else f"{error.filename}: "
        print(f"ERROR: {place}{error.strerror or error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m seat_components", description=__doc__)
    words = parser.add_subparsers(dest="command", required=True)
    for word, command in COMMANDS.items():
        command.options(words.add_parser(word, help=command.help))
    return parser


if __name__ == "__main__":
    sys.exit(main())
