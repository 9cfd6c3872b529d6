"""The commands of ``python -m seat_components``: their words and options; what they do is their rooms' own."""

from collections.abc import Mapping

from seat_components.commands.bundles import BUNDLES, CARD
from seat_components.commands.command import Command
from seat_components.commands.demo import DEMO
from seat_components.commands.experiment import EXPERIMENT
from seat_components.commands.labelling import LABEL, LABEL_ENV
from seat_components.commands.phantom import PHANTOM
from seat_components.commands.planning import NEW_BUNDLE, PLAN
from seat_components.commands.report import REPORT
from seat_components.commands.weights import WEIGHTS, ZIPS

COMMANDS: Mapping[str, Command] = {
    "phantom": PHANTOM,
    "report": REPORT,
    "bundles": BUNDLES,
    "card": CARD,
    "plan": PLAN,
    "new-bundle": NEW_BUNDLE,
    "demo": DEMO,
    "experiment": EXPERIMENT,
    "weights": WEIGHTS,
    "zips": ZIPS,
    "label-env": LABEL_ENV,
    "label": LABEL,
}
"""By their words, in the order in which ``--help`` lists them."""

__all__ = ["COMMANDS", "Command"]
