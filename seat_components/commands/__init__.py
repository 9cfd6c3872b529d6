"""The commands of ``seat``: their words and options; what they do is their rooms' own."""

from collections.abc import Mapping

from seat_components.commands.bundle_runs import COMMANDS_OF_RUNS
from seat_components.commands.bundles import (
    BUNDLES_COMMAND,
    CARD_COMMAND,
    OPTIONS_COMMAND,
    WEIGHTS_COMMAND,
    ZIPS_COMMAND,
)
from seat_components.commands.command import Command
from seat_components.commands.datasets import NEW_BUNDLE_COMMAND, PHANTOM_COMMAND, PLAN_COMMAND
from seat_components.commands.labelling import LABEL_COMMAND, LABEL_ENV_COMMAND
from seat_components.commands.runs import DEMO_COMMAND, EXPERIMENT_COMMAND, REPORT_COMMAND

COMMANDS: Mapping[str, Command] = {
    **COMMANDS_OF_RUNS,
    "options": OPTIONS_COMMAND,
    "report": REPORT_COMMAND,
    "phantom": PHANTOM_COMMAND,
    "bundles": BUNDLES_COMMAND,
    "card": CARD_COMMAND,
    "plan": PLAN_COMMAND,
    "new-bundle": NEW_BUNDLE_COMMAND,
    "demo": DEMO_COMMAND,
    "experiment": EXPERIMENT_COMMAND,
    "weights": WEIGHTS_COMMAND,
    "zips": ZIPS_COMMAND,
    "label-env": LABEL_ENV_COMMAND,
    "label": LABEL_COMMAND,
}
"""By their words, in the order in which ``--help`` lists them."""

__all__ = ["COMMANDS", "Command"]
