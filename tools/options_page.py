"""``python -m tools.options_page``: write docs/options.md from the table of options and the bundles."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seat_components.bundles.render import render
from seat_components.files import write_text_atomically
from seat_components.running.option_list import config_names, defaults, places
from seat_components.tasks import all_tasks, load_task

_SHOWN = "Task04_Hippocampus"
_HEAD = f"""# Options

Every id of the configs of a bundle. Each may be overridden behind the configs of a command, as `--id value`; what lies
inside a part, as `--part#id value`. What is null here is `'$None'` there: MONAI drops None, and takes null for a text.
`seat options BUNDLE` prints the same with a bundle's own defaults. An overlay is read on top of `train.json`: its ids
come on top of those of `train.json`, or replace them.

Defaults are those of {_SHOWN}'s bundle; † marks those that each task's table gives, or what was measured on
a dataset of one's own. What begins with $ or @ is computed from other ids. A symbol is that of the papers and of
[method.md](method.md); ε_b is the budget of an image. Below each table stand the parts that a config builds, and by
which component, whose arguments are options too. The options of `monai.bundle` itself, such as `--config_file`,
`--args_file` and `--tracking`, are MONAI's.

`make options` writes this page.
"""


def page() -> str:
    """The page."""
    files = {task.name: render(task) for task in all_tasks()}
    configs = {
        task: {Path(path).stem: json.loads(text) for path, text in own.items() if path.endswith(".json")}
        for task, own in files.items()
    }
    shown = configs[load_task(_SHOWN).name]
    lines = [_HEAD]
    for name in config_names(shown):
        lines += _section(name, shown[name], [configs[task][name] for task in configs])
    return "\n".join(lines)


def _section(name: str, config: Mapping[str, Any], of_all: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield f"## {name}.json\n"
    found = defaults(config)
    if values := [one for one in found if one.is_value]:
        yield "| id | meaning | default | may be | unit | symbol |\n|---|---|---|---|---|---|"
        for one in values:
            assert one.option is not None  # noqa: S101 - it has a rule, hence a row
            mark = "" if all(other[one.name] == one.value for other in of_all) else " †"
            cells = [one.option.meaning, f"`{one.text}`{mark}", one.option.range, one.option.unit, one.option.symbol]
            yield f"| `{one.name}` | {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
        yield ""
    if parts := [one for one in found if not one.is_value]:
        yield "Parts:"
        yield from (
            f"- `{one.name}`, {one.option.meaning if one.option else ''}: {_built_by(one.text)}" for one in parts
        )
        yield ""
    if inner := places(config):
        yield f"It sets as well: {', '.join(f'`{place}`' for place in inner)}.\n"


def _built_by(text: str) -> str:
    return text if text.endswith(("entries", "entry")) else f"`{text}`"


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(prog="python -m tools.options_page", description=main.__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/options.md"), help="%(default)s")
    write_text_atomically(page(), parser.parse_args(arguments).out)


if __name__ == "__main__":
    main()
