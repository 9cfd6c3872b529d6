"""Refusing a config value of the wrong kind, which would otherwise fail deep inside a component."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from seat_components.budget import BUDGETS
from seat_components.networks.operators import OPERATORS
from seat_components.refusals import refuse
from seat_components.running.kinds import (
    COMPONENT,
    COUNT,
    FLAG,
    GROUP,
    INTEGER,
    LIST,
    NAMES,
    NUMBER,
    PATH,
    POSITIVE,
    SIZE,
    STEPS,
    TEXT,
    WRITABLE,
    Rule,
    are_budgets,
    is_device,
    is_number,
    is_size,
    names_series,
    or_none,
    whole,
)
from seat_components.training.learning_rate import LR_SCHEDULES

_MODES = ("default", "recompute", "checkpoint")
_LONGEST = 200

# Where only the kind is asked for here, the component that gets the value knows its range and refuses others.
VALUES: Mapping[str, Rule] = {
    "bundle_root": PATH,
    "dataset_dir": PATH,
    "output_dir": WRITABLE,
    "ckpt_dir": WRITABLE,
    "cache_dir": or_none(WRITABLE, "for none"),
    "weights": PATH,
    "pretrained": PATH,
    "new_head": FLAG,
    "cases#task": TEXT,
    "method": TEXT,
    "validate#images": TEXT,
    "fold": COUNT,
    "folds": or_none(PATH, "for the published fold"),
    "channel_names": NAMES,
    "label_names": NAMES,
    "epochs": whole(1, 10**6),
    "batch_size": INTEGER,
    "learning_rate": (lambda value: is_number(value) and 0 <= value < math.inf, "a finite number, 0 or more"),
    "lr_schedule": (lambda value: value in LR_SCHEDULES, f"{' or '.join(LR_SCHEDULES)}"),
    "phases": LIST,
    "eps_255": NUMBER,
    "budget": (lambda value: value in BUDGETS, f"{' or '.join(BUDGETS)}, what ε is a share of"),
    "step_ratio": NUMBER,
    "noise_ratio": NUMBER,
    "g_max": NUMBER,
    "update_every": NUMBER,
    "relax": NUMBER,
    "replays": POSITIVE,
    "attack_steps": POSITIVE,
    "val_attack_steps": POSITIVE,
    "patch_size": SIZE,
    "train#sampling_margin": (lambda value: is_size(value, 0), "three whole numbers of voxels, each 0 or more"),
    "val_patch_size": SIZE,
    "val_interval": POSITIVE,
    "probe_overfitting": FLAG,
    "num_workers": whole(0, 512),
    "cache_rate": (lambda value: is_number(value) and 0 <= value <= 1, "a share of the cases, 0 to 1"),
    "accumulate": or_none(INTEGER, "to choose by itself"),
    "memory": (lambda value: value is None or value in _MODES, f"one of {', '.join(_MODES)}, or null"),
    "operators": (lambda value: value in OPERATORS, f"one of {', '.join(OPERATORS)}"),
    "seed": (whole(0, 2**32 - 1)[0], "a whole number, 0 to 2³²-1"),
    "strict": FLAG,
    "series": (names_series, "a series' UID, a list of UIDs, a text of its description, or null"),
    "resume": FLAG,
    "distributed": FLAG,
    "amp": FLAG,
    "stop_after_minutes": or_none(NUMBER, "for no limit"),
    "device": (is_device, "a device of this machine, such as cpu or, with a GPU, cuda:0"),
    "protocol": TEXT,
    "scope": TEXT,
    "attack_eps_255": (are_budgets, "a list of numbers, such as [2,4,8]"),
    "steps": or_none(POSITIVE, "for the protocol's own"),
    "draws": whole(1, 1000),
    "max_cases": or_none(POSITIVE, "for all cases"),
    "least_budget": FLAG,
}
"""Ids whose values are checked as they come out of the config."""

PARTS: Mapping[str, Rule] = {
    **dict.fromkeys(("network_def", "network", "parallel", "loss", "optimizer", "lr_scheduler"), COMPONENT),
    **dict.fromkeys(("schedule", "update", "cases"), COMPONENT),
    **dict.fromkeys(("attack", "windows", "metrics_record", "corruption", "corruption_record"), COMPONENT),
    **dict.fromkeys(("padding", "preprocessing", "dataset", "dataloader", "inferer", "postprocessing"), COMPONENT),
    **dict.fromkeys(("evaluator", "checkpointloader"), COMPONENT),
    **dict.fromkeys(("image_transforms", "handlers"), LIST),
    **dict.fromkeys(("train", "validate"), GROUP),
    **dict.fromkeys(("imports", "initialize", "run", "finalize"), STEPS),
}
"""Ids that the config builds things from: what is written for them is checked, as only building them shows the rest."""

ID_RULES: Mapping[str, Rule] = {**VALUES, **PARTS}


def check_values(**values: Any) -> None:
    """Refuse values that are not of their option's kind.

    Args:
        values: what the options of that name in ``ID_RULES`` are set to.

    Raises:
        RefusalError: naming every wrong option, its value and what it must be.
    """
    if wrong := value_faults(values):
        refuse("\n       ".join(wrong))


def value_faults(values: Mapping[str, Any]) -> list[str]:
    """One line for each value that is not of its option's kind."""
    return [
        f"{name} is {shown(value)}, but it must be {ID_RULES[name][1]}"
        for name, value in values.items()
        if not ID_RULES[name][0](value)
    ]


def shown(value: Any) -> str:
    """A value as it is named in a refusal."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
