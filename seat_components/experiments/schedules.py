"""The schedule that a plan's run trains with: what it asks for, and what other settings would have asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai.bundle import ConfigParser

from seat_components.experiments.checkpoints import Checkpoint
from seat_components.experiments.intervals import markdown_table
from seat_components.experiments.plan import Plan
from seat_components.experiments.run_configs import content_of, run_config
from seat_components.refusals import RefusalError
from seat_components.reporting.tables import NONE
from seat_components.training import FixedSchedule, SelfAdaptiveSchedule

SETTINGS: dict[str, dict[str, Any]] = {
    "q = 1": {"update_every": 1},
    "q = 2": {"update_every": 2},
    "q = 3": {"update_every": 3},
    "φ = 1": {"relax": 1.0},
    "φ = 1.05": {"relax": 1.05},
    "φ = 1.2": {"relax": 1.2},
    "g_max = 3": {"g_max": 3},
    "g_max = 8": {"g_max": 8},
    "g_min = 3": {"g_min": 3},
    "threshold renewed only where g changes": {"update_threshold": "on_change"},
    "threshold renewed only where g changes, φ = 1": {"update_threshold": "on_change", "relax": 1.0},
}

_ARGUMENTS = ("update_every", "relax", "g_max", "update_threshold", "g_min")


def schedule_of(config: ConfigParser) -> FixedSchedule:
    """The schedule of a training's config, new."""
    schedule: FixedSchedule = content_of(config, "schedule")
    return schedule


def asked(schedule: FixedSchedule, norms: Sequence[float]) -> list[int]:
    """g of each epoch that a new ``schedule`` asks for, where epoch i + 1 ends with gradient norm ``norms[i]``."""
    return [schedule.g] + [schedule.update(epoch, norm) for epoch, norm in enumerate(norms[:-1], start=1)]


def first_difference(recorded: Sequence[int], other: Sequence[int]) -> str:
    """Where another setting leaves the recorded run; what it would do after that, the record cannot tell."""
    for epoch, (before, after) in enumerate(zip(recorded, other, strict=True), start=1):
        if before != after:
            return f"epoch {epoch}: {after} for {before}"
    return "the same training"


def _leaves(
    schedule: FixedSchedule, settings: Mapping[str, Any], recorded: Sequence[int], norms: Sequence[float]
) -> str:
    """Where a schedule of other settings leaves the recorded run; a dash for settings that exclude each other."""
    try:
        other = type(schedule)(**settings)
    except RefusalError:
        return NONE
    return first_difference(recorded, asked(other, norms))


def other_settings(found: Sequence[Checkpoint], plan: Plan) -> str:
    """A table of settings by run; empty without a run of SEAT."""
    columns: dict[str, list[str]] = {}
    for one in found:
        schedule = schedule_of(run_config(plan, one.run))
        if not isinstance(schedule, SelfAdaptiveSchedule):
            continue
        norms = one.history["gradient_norm"].tolist()
        own = {name: getattr(schedule, name) for name in _ARGUMENTS}
        recorded = one.history["g"].astype(int).tolist()
        columns[one.run] = [
            "its own" if own == (settings := {**own, **changed}) else _leaves(schedule, settings, recorded, norms)
            for changed in SETTINGS.values()
        ]
    rows = [[title, *cells] for title, *cells in zip(SETTINGS, *columns.values(), strict=True)]
    return markdown_table(["setting", *columns], rows) if columns else ""
