"""The whole of ``seat attack --model``: from what was typed to records and a report."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import torch
from ignite.engine import Engine, Events
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator
from monai.inferers import Inferer, SimpleInferer
from tqdm import tqdm

from seat_components.attacks import WindowwiseInferer
from seat_components.attacks.reading import OUTPUTS, SIGMOID, SOFTMAX
from seat_components.data import check_cases, open_scan, read_dataset
from seat_components.data.faults import unreadable
from seat_components.evaluation.attack_update import CaseAttack
from seat_components.evaluation.dice import ABSENT_CLASS_RULE
from seat_components.evaluation.identity import data_description, name_of, versions
from seat_components.evaluation.scope import check_scope
from seat_components.foreign.asked import (
    DEFAULTS,
    Asked,
    cases_for,
    inputs_of,
    preprocessing_for,
    protocol_for,
)
from seat_components.foreign.channels import channels_of, in_words
from seat_components.foreign.network import OneModule
from seat_components.foreign.opening import open_model
from seat_components.foreign.preparing import PreparedCases, as_in_the_file
from seat_components.records.attacked import mean_dice
from seat_components.records.evaluated import Evaluated
from seat_components.refusals import refuse
from seat_components.reporting import write_report
from seat_components.running import FolderLock, start
from seat_components.running.console import silence_monai
from seat_components.running.values import check_values


def attack_model(asked: Asked) -> None:
    """Attack a network on labelled scans: ``robustness.json``, its table, slices, and a report in ``asked.out``.

    What the records hold already is not done again.

    Raises:
        RefusalError: for whatever cannot be used, before the first attack where that can be seen then.
    """
    settings = {**DEFAULTS, **asked.settings}
    settings["device"] = settings["device"] or ("cuda:0" if torch.cuda.is_available() else "cpu")
    check_values(**settings)
    check_scope(settings["scope"], settings["max_cases"])
    device = torch.device(settings.pop("device"))
    start(settings["seed"], device)
    silence_monai()
    network, bundle = open_model(asked.model, device, asked.weights)
    protocol = protocol_for(asked, network)
    source = preprocessing_for(asked, bundle, device)
    outputs = asked.outputs or (bundle.outputs if bundle else SOFTMAX)
    if outputs not in OUTPUTS:
        refuse(f"--outputs is {outputs!r}, but it must be {' or '.join(OUTPUTS)}.")
    listed = read_dataset(asked.data).labels if asked.data else {}
    channels = channels_of(asked.label_names, bundle.classes if bundle else (), listed, outputs)
    cases, which = cases_for(asked)
    window = tuple(asked.patch) if asked.patch else source.window if source else None
    inputs = inputs_of(source, window, settings["scope"])
    overlapping = outputs == SIGMOID
    if overlapping:  # what they are made of is part of what is scored
        inputs += f"; structures {', '.join(map(str, channels))}"
    if asked.output_key is not None:  # another part of the same network is another network
        inputs += f"; logits {asked.output_key!r} of the answer"
    print(f"Cases: {which}.\nLabels: {in_words(channels)}.")
    print(f"Attacked: {inputs}.", flush=True)
    about = Evaluated(
        bundle=network.name,
        weights_sha256=network.sha256,
        data=data_description(asked.data) or which,
        val_patch_size=window and list(window),
        rule=ABSENT_CLASS_RULE,
        versions=versions(),
    )
    lock = FolderLock("robustness", [asked.out])
    structures = [channel.name for channel in channels[0 if overlapping else 1 :]]
    eps_255 = settings.pop("attack_eps_255")
    attack = CaseAttack(asked.out, about, structures, protocol, eps_255, inputs=inputs, outputs=outputs, **settings)
    remaining = [dict(case) for case in attack.remaining(cases)]
    if remaining:
        values = {0, *(value for channel in channels for value in channel.values)}
        check_cases(remaining, labels=values, channels=_channels(remaining[0]["image"]))
        prepare = source.preprocessing() if source else as_in_the_file()
        patch, least = (None, window) if settings["scope"] == "volume" else (window, None)
        made_of = [channel.values for channel in channels] if overlapping else None
        prepared = PreparedCases(remaining, prepare, patch, least, made_of)
        _run(prepared, OneModule(network.answers, asked.output_key).to(device), attack, device, window)
    print(attack.report())
    del lock
    _report(asked.out)


def _channels(scan: str) -> int:
    """How many channels a scan has, which all others must share."""
    try:
        return open_scan(scan).channels
    except Exception as error:
        refuse(f"{scan} {unreadable(error)}.")


def _run(
    prepared: PreparedCases, network: OneModule, attack: CaseAttack, device: torch.device, window: Sequence[int] | None
) -> None:
    slides = window is not None and attack.records.header.scope == "volume"
    inferer: Inferer = WindowwiseInferer(window or ()) if slides else SimpleInferer()
    evaluator = SupervisedEvaluator(
        device=device,
        val_data_loader=DataLoader(prepared, batch_size=1, shuffle=False, num_workers=0),
        network=network,
        inferer=inferer,
        iteration_update=attack,
    )
    # What ends a run is said below, in words.
    logging.getLogger("ignite").setLevel(logging.CRITICAL)
    bar = tqdm(total=len(prepared), desc="Attack", leave=False, dynamic_ncols=True)

    def say(engine: Engine) -> None:
        case = name_of(prepared.cases[engine.state.iteration - 1])
        rows = [row for row in attack.records.cases if row.case == case]
        clean, worst = mean_dice(rows[0]), min(rows, key=mean_dice)
        bar.write(f"{case}: Dice {clean:.4f}; {mean_dice(worst):.4f} under {worst.attack} at {worst.eps_255:g}/255")
        bar.update()

    evaluator.add_event_handler(Events.ITERATION_COMPLETED, say)
    with bar:
        try:
            evaluator.run()
        except ValueError as error:  # an answer or a case that an attack cannot work with, by name
            refuse(f"{error}{'' if window else '; a network that takes certain sizes only needs --patch X Y Z'}")


def _report(out: Path) -> None:
    if find_spec("matplotlib") is None:
        print(f"For a report with figures: pip install matplotlib, then: seat report {out}")
    else:
        print(write_report([out]))
