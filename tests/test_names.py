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


def taken(file):
    """What a file takes from others: (module, name) where it says the module, else (None, name)."""
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        return {(None, word) for word in re.findall(r"\w+", text)}
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            found.update((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Attribute):
            found.add((None, node.attr))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[\w.:]+", node.value):
            # A component's place, or a name that a test replaces.
            found.update((None, word) for word in re.findall(r"\w+", node.value))
    return found


def test_public_names_are_used_beyond_their_file():
    readers = defaultdict(set)
    for file in READERS:
        for use in taken(file):
            readers[use].add(file)
    unused = []
    for file, names in PUBLIC.items():
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        own = set(stated(TREES[file]))
        for name in names:
            if (readers[module, name] | readers[None, name]) <= {file} and name not in own:
                unused.append(f"{file.relative_to(ROOT)}:{name}")
    assert not unused, "give each of these a leading underscore, or remove it:\n" + "\n".join(unused)


def test_no_two_public_things_have_one_name():
    count = Counter(name for names in PUBLIC.values() for name in names)
    twice = {name for name, number in count.items() if number > 1} - SHARED
    places = [
        f"{name}: {file.relative_to(ROOT)}" for file, names in PUBLIC.items() for name in sorted(twice & set(names))
    ]
    assert not places, "\n".join(sorted(places))
