"""What is public is used elsewhere, and is the only thing of its name."""

import ast
import re
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "seat_components"
# Where a name may be used: in code and tests, by configs of the template, on pages.
READERS = [
    file
    for folder in ("seat_components", "tests", "tools", "docs")
    for file in (ROOT / folder).rglob("*")
    if file.suffix in (".py", ".json", ".md") and file.is_file() and file != Path(__file__)
]
# Each module of records has its FILE, and is imported as a module by whoever needs it.
SHARED = {"FILE"}


def top_level(tree):
    """The public names that a module binds, each with its node; loggers apart."""
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        names = [one for target in targets for one in (target.elts if isinstance(target, ast.Tuple) else [target])]
        bound = [name.id for name in names if isinstance(name, ast.Name)]
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound = [node.name]
        yield from ((name, node) for name in bound if not name.startswith("_") and name != "logger")


def stated(tree):
    """The names in the bases, fields and signatures of what is public: types that its users meet."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            parts = [node.returns, *(argument.annotation for argument in arguments)]
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            parts = [*node.bases, *(field.annotation for field in node.body if isinstance(field, ast.AnnAssign))]
        else:
            continue
        for part in filter(None, parts):
            yield from (name.id for name in ast.walk(part) if isinstance(name, ast.Name))


TREES = {file: ast.parse(file.read_text(encoding="utf-8")) for file in PACKAGE.rglob("*.py")}
PUBLIC = {file: dict(top_level(tree)) for file, tree in TREES.items()}


def read_names(file):
    """The names that a file takes from another: imported, as an attribute, or in a config's or page's words."""
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        return set(re.findall(r"\w+", text))
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # A name to be replaced in a test, or a component's place.
            found.update(re.findall(r"\w+", node.value) if re.fullmatch(r"[\w.:]+", node.value) else ())
    return found


def test_public_names_are_used_beyond_their_file():
    readers = defaultdict(set)
    for file in READERS:
        for name in read_names(file):
            readers[name].add(file)
    unused = [
        f"{file.relative_to(ROOT)}:{name}"
        for file, names in PUBLIC.items()
        for name in names
        if readers[name] <= {file} and name not in set(stated(TREES[file]))
    ]
    assert not unused, "give each of these a leading underscore, or remove it:\n" + "\n".join(unused)


def test_no_two_public_things_have_one_name():
    count = Counter(name for names in PUBLIC.values() for name in names)
    twice = {name for name, number in count.items() if number > 1} - SHARED
    places = [
        f"{name}: {file.relative_to(ROOT)}" for file, names in PUBLIC.items() for name in sorted(twice & set(names))
    ]
    assert not places, "\n".join(sorted(places))
