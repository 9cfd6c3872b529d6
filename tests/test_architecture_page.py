"""docs/architecture.md names what is there: every file, every room, every class and function."""

import re
from pathlib import Path

from tools.rooms import floors

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "seat_components"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
SPANS = {" ".join(span.split()) for span in re.findall(r"`([^`]+)`", PAGE)}
# Paths are below one of these.
PLACES = (ROOT, PACKAGE, ROOT / "bundles/msd_task04_hippocampus", ROOT / "bundles/msd_task04_hippocampus/configs")
WRITTEN_BY_RUNS = {"run.json", "robustness.json"}


def test_every_path_that_the_page_names_exists():
    paths = {span for span in SPANS if re.fullmatch(r"(\w+/)+[\w.]+|\w+\.(py|json|toml|md)", span)}
    assert len(paths) > 40
    missing = {path for path in paths if not any((place / path).exists() for place in PLACES)}
    assert missing == WRITTEN_BY_RUNS & paths


def test_every_room_is_on_the_page():
    assert {room for floor in floors() for room in floor} - {"__main__", "demo"} <= {
        span.removesuffix(".py") for span in SPANS
    }


def test_every_class_and_function_that_the_page_names_exists():
    code = "\n".join(file.read_text(encoding="utf-8") for file in PACKAGE.rglob("*.py"))
    named = {span for span in SPANS if re.fullmatch(r"[A-Z][a-z]\w+(\.\w+)?|[a-z]+(_[a-z]+)+", span)}
    named -= {"SupervisedEvaluator", "iteration_update", "seat_components"}  # MONAI's, and the package
    assert len(named) > 6
    parts = {part for name in named for part in name.split(".")}
    assert {part for part in parts if not re.search(rf"^ *(class|def) {part}\b", code, re.MULTILINE)} == set()
