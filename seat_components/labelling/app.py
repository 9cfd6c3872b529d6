"""The folder of MONAI Label's app: a copy of its ``monaibundle``, with copies of bundles as its models."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seat_components.refusals import refuse
from seat_components.weights import init_weights, is_untrained

# What a served bundle needs; what its other runs wrote, it does not.
_PARTS = ("LICENSE", "configs", "docs")
_OVERRIDDEN = ("train.json", "inference.json")
UNTRAINED = "UNTRAINED (random weights). "


def make_app(
    sample_app: Path,
    folder: Path,
    bundles: Sequence[Path],
    init: bool = False,
    overrides: Mapping[str, Any] | None = None,
) -> list[str]:
    """Write the app into ``folder``. Weights that are there already, perhaps trained since, stay as they are.

    MONAI Label's training overwrites models/model.pt, so copies are served. Untrained weights are named as such in
    the description that MONAI Label shows.

    Args:
        sample_app: MONAI Label's app ``monaibundle``.
        folder: the new app's folder.
        bundles: folders of bundles.
        init: write untrained weights where a bundle has none.
        overrides: values of top-level ids for the copies' train.json and inference.json, such as
            ``{"val_patch_size": [64, 64, 32]}``; each must be an id of one of them.

    Returns:
        The models' names.

    Raises:
        RefusalError: if a bundle has no weights and ``init`` is not set, or an override is no id of a bundle.
    """
    shutil.copytree(sample_app, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for bundle in bundles:
        target = folder / "model" / bundle.name
        if not (target / "models" / "model.pt").is_file():
            try:
                _copy(bundle, target, init)
                _check_overrides(target, overrides or {})
            except BaseException:
                # Half a copy would be taken for a whole one the next time.
                shutil.rmtree(target, ignore_errors=True)
                raise
        _override(target, overrides or {})
        _describe(target)
    return [bundle.name for bundle in bundles]


def _copy(bundle: Path, target: Path, init: bool) -> None:
    weights = bundle / "models" / "model.pt"
    if not (weights.is_file() or init):
        refuse(
            f"{bundle} has no models/model.pt, without which MONAI Label does not serve it. Train it first, or serve "
            "untrained weights to try it: --init"
        )
    shutil.rmtree(target, ignore_errors=True)
    for part in _PARTS:
        source = bundle / part
        copy = shutil.copytree if source.is_dir() else shutil.copy
        target.mkdir(parents=True, exist_ok=True)
        copy(source, target / part)
    if weights.is_file():
        shutil.copytree(bundle / "models", target / "models", ignore=shutil.ignore_patterns("training_checkpoint*"))
    else:
        init_weights(target)


def _describe(bundle: Path) -> None:
    """Say in the description that the weights are untrained, as long as they are."""
    file = bundle / "configs" / "metadata.json"
    text = json.loads(file.read_text("utf-8"))["description"].removeprefix(UNTRAINED)
    _edit(file, {"description": UNTRAINED + text if is_untrained(bundle / "models" / "model.pt") else text})


def _check_overrides(bundle: Path, overrides: Mapping[str, Any]) -> None:
    known = {key for name in _OVERRIDDEN for key in json.loads((bundle / "configs" / name).read_text("utf-8"))}
    if unknown := sorted(overrides.keys() - known):
        refuse(f"{', '.join(unknown)}: no such id in {' or '.join(_OVERRIDDEN)} of {bundle.name}.")


def _override(bundle: Path, overrides: Mapping[str, Any]) -> None:
    _check_overrides(bundle, overrides)
    for name in _OVERRIDDEN:
        known = json.loads((bundle / "configs" / name).read_text("utf-8"))
        _edit(bundle / "configs" / name, {key: value for key, value in overrides.items() if key in known})


def _edit(file: Path, values: Mapping[str, Any]) -> None:
    content = json.loads(file.read_text("utf-8"))
    content.update(values)
    file.write_text(json.dumps(content, indent=4, ensure_ascii=False) + "\n", encoding="utf-8")
