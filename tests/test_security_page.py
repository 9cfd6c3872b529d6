"""What docs/security.md says about the bundles' configs is so."""

import ast
import json
import re
from pathlib import Path

import pytest

from seat_components.labelling.guard import bodies, kinds
from seat_components.labelling.guard.endpoints import ENDPOINTS, IMAGE_SUFFIXES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
CONFIGS = sorted((ROOT / "bundles").glob("*/configs/*.json"))
COMPONENTS_OF = {"monai", "ignite", "torch", "seat_components"}
# Calls that run text, start programs, or open files and connections.
BARRED = {"eval", "exec", "compile", "open", "__import__", "getattr", "globals", "system", "popen", "Popen", "urlopen"}


def values(config):
    """All texts of a config, and what its components are made of."""
    if isinstance(config, dict):
        for key, value in config.items():
            yield from ((key, text) for _, text in values(value)) if key == "_target_" else values(value)
    elif isinstance(config, list):
        for value in config:
            yield from values(value)
    elif isinstance(config, str):
        yield "", config


def expressions():
    """The Python of each expression, its references and macros replaced by names."""
    for file in CONFIGS:
        for key, text in values(json.loads(file.read_text(encoding="utf-8"))):
            if text.startswith("$"):
                code = re.sub(r"[@%][\w.#:]*", "value", text[1:])
                yield key, ast.parse(code.strip())


def imported():
    nodes = [node for _, tree in expressions() for node in ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module for node in nodes if isinstance(node, ast.ImportFrom)}


def test_the_table_lists_what_the_expressions_import():
    (table,) = re.findall(r"^\| module \| for \|\n(.*?)\n\n", PAGE, flags=re.DOTALL | re.MULTILINE)
    listed = {name for row in table.splitlines() for name in re.findall(r"`([\w.]+)`", row.split("|")[1])}
    assert listed == imported()


def test_no_expression_runs_text_or_opens_anything():
    for _, tree in expressions():
        called = {
            getattr(node.func, "id", getattr(node.func, "attr", ""))
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
        }
        assert not called & BARRED


def test_components_are_of_the_libraries_that_are_named():
    targets = {text for file in CONFIGS for key, text in values(json.loads(file.read_text())) if key == "_target_"}
    assert {name.split(".")[0] for name in targets if "." in name} <= COMPONENTS_OF


def test_the_page_states_the_guards_limits_and_the_readme_leads_to_it():
    assert "[docs/security.md](docs/security.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"{bodies.FILE_LIMIT // 2**30} GiB for an upload, {bodies.TEXT_LIMIT // 2**20} MiB for all else" in PAGE
    shown = re.search(r"letters, digits, spaces and `([^`]*)`", PAGE)[1]
    assert all(kinds.is_name(f"a{sign}a") for sign in shown)
    assert set(shown) | {" "} == kinds._IN_NAMES
    assert (
        "ends in " + ", ".join(f"`{suffix}`" for suffix in IMAGE_SUFFIXES[:-1]) + f" or `{IMAGE_SUFFIXES[-1]}`" in PAGE
    )
    pages = {endpoint.path.replace("{files}", "") for endpoint in ENDPOINTS if endpoint.page}
    (links,) = re.findall(r"opens the page (.*?)\.\n", PAGE, flags=re.DOTALL)
    assert {name.rstrip("/") for name in re.findall(r"`([^`]*)`", links)} == {page.rstrip("/") for page in pages}


@pytest.mark.parametrize("name", re.findall(r"`(tests/[\w./]+)`", PAGE))
def test_the_tests_that_the_page_names_are_there(name):
    assert (ROOT / name).exists()
