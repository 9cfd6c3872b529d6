"""A bundle's folder as ``monai.bundle.push_to_hf_hub`` uploads it: the bundle and nothing else, its card in front."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seat_components.files import read_json_object, write_text_atomically
from seat_components.refusals import refuse
from seat_components.weights.archive import contents, given_away

_CARD = "docs/README.md"
_PAGE = "README.md"
_LICENCE = "docs/data_license.txt"
_MADE_ANEW = "Render the bundle again."


def hub_folders(out: str | Path, bundles: str | Path = "bundles") -> list[Path]:
    """Lay each of the ten bundles out below ``out`` (see ``hub_folder``).

    Raises:
        RefusalError: as ``hub_folder`` and ``zip_bundles`` do.
    """
    return [hub_folder(folder, out) for folder in given_away(bundles)]


def hub_folder(bundle: str | Path, out: str | Path) -> Path:
    """Lay a bundle out in ``out/<name>``: what its zip holds, its card as README.md with what hubs read.

    MONAI puts a front matter of its own before ``docs/README.md`` and over ``README.md``, which has neither metrics nor
    the licence of the weights; so the card stands at the top alone, where it uploads it as it is.

    Returns:
        ``out/<name>``.

    Raises:
        RefusalError: if ``bundle`` is none (see ``bundle_zip``), has no card, or ``out/<name>`` is there already.
    """
    folder, _, files = contents(bundle)
    target = Path(out) / folder.name
    if target.exists():
        refuse(f"{target} is there already: remove it, so that nothing of an older version is uploaded with this one.")
    card = files.pop(_CARD, None)
    if card is None:
        refuse(f"{folder} has no {_CARD}, which is the card that a hub shows.")
    metadata = read_json_object(folder / "configs" / "metadata.json", _MADE_ANEW)
    front = "\n".join(
        f"{name}: {json.dumps(value, ensure_ascii=False)}"
        for name, value in _front(folder.name, metadata, files).items()
    )
    for name, file in files.items():
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
    # Pictures lie beside the card in docs/.
    text = card.read_text(encoding="utf-8").replace("](dice.svg)", "](docs/dice.svg)")
    write_text_atomically(f"---\n{front}\n---\n{text}", target / _PAGE)
    return target


def _front(name: str, metadata: Mapping[str, Any], files: Mapping[str, Path]) -> dict[str, Any]:
    """The model card's fields by name; values of JSON are YAML."""
    front: dict[str, Any] = {
        "library_name": "monai",
        "license": _licence(files),
        "pipeline_tag": "image-segmentation",
        "tags": ["monai", "medical", "image-segmentation", "adversarial-robustness"],
        "metrics": ["dice"],
    }
    if figures := metadata.get("eval_metrics"):
        # The model index of the hub: https://github.com/huggingface/hub-docs/blob/main/modelcard.md
        measured = [{"type": "dice", "name": figure, "value": value} for figure, value in figures.items()]
        result = {
            "task": {"type": "image-segmentation"},
            "dataset": {"type": name, "name": metadata.get("data_source", name)},
            "metrics": measured,
        }
        front["model-index"] = [{"name": name, "results": [result]}]
    return front


def _licence(files: Mapping[str, Path]) -> str:
    """That of the bundle, or where it has weights, which are the most of it, that of the data they were trained on."""
    if not any(name.startswith("models/") for name in files):
        return "apache-2.0"
    said = files[_LICENCE].read_text(encoding="utf-8") if _LICENCE in files else ""
    return "cc-by-sa-4.0" if "CC-BY-SA 4.0" in said else "other"
