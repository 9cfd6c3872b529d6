"""Every id of the bundles' configs: what it means, and what may be written for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from seat_components.budget import BUDGETS
from seat_components.evaluation.protocols import PROTOCOLS
from seat_components.evaluation.scope import SCOPES
from seat_components.networks.operators import OPERATORS
from seat_components.running.kinds import (
    COMPONENT,
    COUNT,
    FLAG,
    GROUP,
    HOME,
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
    is_interval,
    is_number,
    is_size,
    names_series,
    or_none,
    whole,
)
from seat_components.training.learning_rate import LR_SCHEDULES

_MODES = ("default", "recompute", "checkpoint")


class Option(NamedTuple):
    """One id.

    Attributes:
        check: whether a value is of the id's kind.
        words: what a value must be.
        meaning: what the id is for.
        unit: what its number counts.
        symbol: its sign in the papers and in docs/method.md.
        limits: the values that make sense, where ``words`` only name the kind: the component that gets the value knows
            its range and refuses others.
    """

    check: Callable[[Any], bool]
    words: str
    meaning: str
    unit: str = ""
    symbol: str = ""
    limits: str = ""

    @property
    def range(self) -> str:
        """The values that may be written."""
        return self.limits or self.words.replace(HOME, "")


def _option(rule: Rule, meaning: str, unit: str = "", symbol: str = "", limits: str = "") -> Option:
    return Option(*rule, meaning, unit, symbol, limits)


def _one_of(names: Mapping[str, object] | tuple[str, ...], words: str) -> Rule:
    # A list, which no mapping can be asked for, is a value that will not do.
    return lambda value: isinstance(value, str) and value in names, words


_RATE: Rule = (lambda value: is_number(value) and 0 <= value < math.inf, "a finite number, 0 or more")
_SHARE: Rule = (lambda value: is_number(value) and 0 <= value <= 1, "a share of the cases, 0 to 1")
_MARGIN: Rule = (lambda value: is_size(value, 0), "three whole numbers of voxels, each 0 or more")
_MEMORY: Rule = (lambda value: value is None or value in _MODES, f"one of {', '.join(_MODES)}, or null")
_SEED: Rule = (whole(0, 2**32 - 1)[0], "a whole number, 0 to 2³²-1")
_SERIES: Rule = (names_series, "a series' UID, a list of UIDs, a text of its description, or null")
_DEVICE: Rule = (is_device, "a device of this machine, such as cpu or, with a GPU, cuda:0")
_BUDGETS: Rule = (are_budgets, "a list of numbers, such as [2,4,8]")
_SHARES: Rule = (are_budgets, "a list of numbers, such as [0.25,0.5]")
_GAMMAS: Rule = (is_interval, "two positive numbers, the smaller first, such as [0.5,2]")
_BUDGET = _one_of(BUDGETS, " or ".join(BUDGETS))

VALUES: Mapping[str, Option] = {
    "bundle_root": _option(PATH, "the bundle's folder"),
    "dataset_dir": _option(PATH, "the data: an MSD folder; for inference also a folder of scans, or one scan"),
    "output_dir": _option(WRITABLE, "where records and masks are written"),
    "ckpt_dir": _option(WRITABLE, "where weights and checkpoints are written"),
    "cache_dir": _option(or_none(WRITABLE, "for none"), "keeps preprocessed volumes on disk"),
    "weights": _option(PATH, "the weights that are used"),
    "pretrained": _option(PATH, "the weights that training starts from"),
    "new_head": _option(FLAG, "whether weights that do not fit begin anew, listed, instead of a refusal"),
    "cases#task": _option(TEXT, "the task whose published fold is taken", limits="a name such as Task04_Hippocampus"),
    "method": _option(TEXT, "the training method's name in records", limits="any text of one line"),
    "validate#images": _option(TEXT, "what validation sees, in records", limits="any text of one line"),
    "fold": _option(COUNT, "which fold's cases train and validate", limits="0; of a bundle of one's own, its folds"),
    "folds": _option(or_none(PATH, "for the published fold"), "a file of folds"),
    "channel_names": _option(NAMES, "the image's channels"),
    "label_names": _option(NAMES, "the label's values, background first"),
    "epochs": _option(whole(1, 10**6), "how long to train", "epochs"),
    "batch_size": _option(INTEGER, "patches per step", "patches", "B", limits="a whole number, 1 or more"),
    "learning_rate": _option(_RATE, "the optimiser's rate at the start"),
    "lr_schedule": _option(
        _one_of(LR_SCHEDULES, " or ".join(LR_SCHEDULES)), "how the rate falls: divided by ten twice, or along a cosine"
    ),
    "phases": _option(
        LIST, "g by shares of the run's backpropagations", limits="[[0,g],[share,g],…]: shares rising from 0, below 1"
    ),
    "eps_255": _option(NUMBER, "the budget of training, times 255", "1/255", "ε", limits="0 to 255"),
    "budget": _option(_BUDGET, "what a budget is a share of: each image's range, or its standard deviation"),
    "step_ratio": _option(
        NUMBER, "the step of the noise, as a share of the budget", "ε_b", "α / ε_b", "above 0, up to 2"
    ),
    "noise_ratio": _option(NUMBER, "the start noise of N-FGSM, as a share of the budget", "ε_b", "k", "above 0"),
    "g_max": _option(NUMBER, "the most backpropagations per batch", "", "g_max", "a whole number, 2 or more"),
    "update_every": _option(NUMBER, "how often g is looked at", "epochs", "q", "a whole number, 1 or more"),
    "relax": _option(NUMBER, "how far the gradient norm may change before g does", "", "φ", "1 or more"),
    "replays": _option(POSITIVE, "backpropagations per batch of FREE", "", "m"),
    "attack_steps": _option(POSITIVE, "attack steps before each training step of PGD", "steps", "m"),
    "val_attack_steps": _option(POSITIVE, "steps of the attack in validation", "steps"),
    "patch_size": _option(SIZE, "what the network trains on", "voxels"),
    "train#sampling_margin": _option(_MARGIN, "by how much more is cropped before rotation and scaling", "voxels"),
    "val_patch_size": _option(SIZE, "the sliding window, and the patch that is attacked", "voxels"),
    "val_interval": _option(POSITIVE, "how often to validate", "epochs"),
    "probe_overfitting": _option(FLAG, "whether training cases are looked at too, for overfitting to the attack"),
    "num_workers": _option(whole(0, 512), "processes that load the training cases", "processes"),
    "cache_rate": _option(_SHARE, "preprocessed volumes kept in memory", "share"),
    "accumulate": _option(
        or_none(INTEGER, "to choose by itself"),
        "pieces that a batch is split into",
        limits="1 to batch_size, or null to choose",
    ),
    "memory": _option(_MEMORY, "what is kept for the backward pass; null chooses the fastest that fits"),
    "operators": _option(_one_of(OPERATORS, f"one of {', '.join(OPERATORS)}"), "the form of the network's operators"),
    "seed": _option(_SEED, "of all random numbers"),
    "strict": _option(FLAG, "whether a scan unlike the training data is refused, not only warned of"),
    "series": _option(_SERIES, "which DICOM series of a folder to take"),
    "resume": _option(FLAG, "whether to go on from the newest checkpoint of ckpt_dir"),
    "distributed": _option(FLAG, "whether the run has several processes"),
    "amp": _option(FLAG, "whether the network runs in 16 bit where that is safe"),
    "stop_after_minutes": _option(
        or_none(NUMBER, "for no limit"),
        "when to stop, with a checkpoint",
        "minutes",
        limits="above 0, or null for no limit",
    ),
    "verbose": _option(FLAG, "whether the console also says when each engine begins and ends"),
    "device": _option(_DEVICE, "what to compute on"),
    "protocol": _option(TEXT, "which attacks run, and how long", limits=", ".join(PROTOCOLS)),
    "scope": _option(
        TEXT, "what of a case is evaluated: the patch around the foreground, or all of it", limits=", ".join(SCOPES)
    ),
    "attack_eps_255": _option(
        _BUDGETS, "the budgets of the attack, times 255", "1/255", "ε", "numbers above 0, up to 255"
    ),
    "steps": _option(or_none(POSITIVE, "for the protocol's own"), "steps of each attack", "steps"),
    "draws": _option(whole(1, 1000), "how often a network that answers at random is asked each time", "passes"),
    "max_cases": _option(or_none(POSITIVE, "for all cases"), "how many cases to take, the first ones", "cases"),
    "gamma_sigma": _option(
        or_none(NUMBER, "to leave gamma out"),
        "spread of the logarithm of gamma",
        "",
        "σ",
        "above 0, or null to leave out",
    ),
    "noise_sigma": _option(
        or_none(NUMBER, "to leave noise out"),
        "standard deviation of the noise",
        "",
        "σ",
        "above 0, or null to leave out",
    ),
    "radii": _option(_SHARES, "how far guarantees are to reach", "σ", "r", "numbers above 0"),
    "selection_draws": _option(whole(1, 10_000), "passes that choose the class of each voxel", "passes", "n₀"),
    "confirmation_draws": _option(whole(1, 10_000), "passes that confirm it", "passes", "n"),
    "confidence": _option(NUMBER, "of all guarantees of a case together", limits="above 0, below 1"),
    "augment_noise": _option(_RATE, "standard deviation of the noise on training images, once normalised"),
    "augment_gamma": _option(_GAMMAS, "from which the gamma of training images is drawn"),
    "least_budget": _option(FLAG, "whether each case's smallest budget that halves its Dice is looked for"),
}
"""Ids whose values are checked as they come out of the config."""

PARTS: Mapping[str, Option] = {
    "network_def": _option(COMPONENT, "the network"),
    "network": _option(COMPONENT, "network_def on its device, with its weights"),
    "parallel": _option(COMPONENT, "the network, as several processes train it"),
    "loss": _option(COMPONENT, "what training makes small", symbol="L"),
    "optimizer": _option(COMPONENT, "how weights follow the gradient"),
    "lr_scheduler": _option(COMPONENT, "sets the rate after each epoch"),
    "schedule": _option(COMPONENT, "sets the number of backpropagations per batch after each epoch", symbol="g"),
    "update": _option(COMPONENT, "what is done with a batch: the training method"),
    "cases": _option(COMPONENT, "the fold's cases, checked"),
    "attack": _option(COMPONENT, "attacks a case, and keeps the record"),
    "windows": _option(COMPONENT, "the sliding window of whole volumes, differentiable for attacks"),
    "metrics_record": _option(COMPONENT, "measures masks, and keeps the record"),
    "corruption": _option(COMPONENT, "what is done to a scan as it is read"),
    "corruption_record": _option(COMPONENT, "measures corrupted cases, and keeps the record"),
    "smoothing": _option(COMPONENT, "what the network is smoothed over"),
    "certificate": _option(COMPONENT, "finds what the smoothed network guarantees, and keeps the record"),
    "augmentation": _option(LIST, "what is done to training images last"),
    "padding": _option(COMPONENT, "fills what is smaller than the window"),
    "preprocessing": _option(COMPONENT, "all transforms before the network"),
    "dataset": _option(COMPONENT, "the scans"),
    "dataloader": _option(COMPONENT, "hands the scans over, one at a time"),
    "inferer": _option(COMPONENT, "the sliding window"),
    "postprocessing": _option(COMPONENT, "all transforms after the network"),
    "evaluator": _option(COMPONENT, "takes each scan through all of it"),
    "checkpointloader": _option(COMPONENT, "reads the weights"),
    "image_transforms": _option(LIST, "how a scan is read and preprocessed"),
    "handlers": _option(LIST, "what happens beside: progress, records"),
    "train": _option(GROUP, "the parts of a training"),
    "validate": _option(GROUP, "the parts of a validation"),
    "imports": _option(STEPS, "the modules that expressions use"),
    "initialize": _option(STEPS, "what is done first"),
    "run": _option(STEPS, "what a run does"),
    "finalize": _option(STEPS, "what is done last"),
}
"""Ids that the config builds things from: what is written for them is checked, as only building them shows the rest."""

OPTIONS: Mapping[str, Option] = {**VALUES, **PARTS}
