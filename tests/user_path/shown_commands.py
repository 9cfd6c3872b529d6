"""The commands that README, CONTRIBUTING, docs/ and the bundles' cards show, and the place that each is typed in."""

import re
from functools import cache
from pathlib import Path

from seat_components.tasks import all_tasks

ROOT = Path(__file__).parents[2]
CARDS = {task.name: f"bundles/{task.bundle}/docs/README.md" for task in all_tasks()}
PROGRAMS = ("python", "make", "torchrun", "tensorboard", "mlflow", "pip", "pre-commit", ".ci/run", "source", "seat")
# Programs that do something without arguments; of the others a page may speak.
COMPLETE = ("make", ".ci/run")
# Pages whose blocks are one session, in which a line needs what the lines before it have made.
SESSIONS = (
    "docs/fine_tuning.md",
    "docs/own_data.md",
    "docs/tutorial_own_network.md",
    "docs/tutorial_reading_room.md",
)
IN_A_BUNDLE = ("python -m monai.bundle run ", "torchrun ", "tensorboard ", "python -m seat_components report ")
EXPORTS = ("python -m monai.bundle ckpt_export ", "python -m monai.bundle onnx_export ")


def pages():
    """Their paths below the project's folder."""
    return [
        "README.md",
        "CONTRIBUTING.md",
        *(f"docs/{file.name}" for file in sorted((ROOT / "docs").glob("*.md"))),
        *CARDS.values(),
    ]


def text_of(page):
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(text, language="bash"):
    """The code blocks of a page in this language."""
    return [block for kind, block in _fences(text) if kind == language]


def _fences(text):
    return re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def is_command(line):
    """Whether ``line`` begins with one of the programs, after variables that are set for it, and is no mere mention."""
    words = re.sub(r"^(\w+=\S* +)*", "", line).split()
    return bool(words) and words[0] in PROGRAMS and (len(words) > 1 or words[0] in COMPLETE)


def commands_of_blocks(text):
    """The lines of the blocks for a shell, and what begins with one of the programs in other and indented blocks."""
    found = [line for block in blocks(text) for line in _lines(block)]
    prose = _prose(text)
    others = [block for kind, block in _fences(text) if kind != "bash"]
    others += re.findall(r"(?<=\n\n)(?: {4}.*\n)+", prose)
    return found + [line for block in others for line in _lines(block) if is_command(line)]


def commands_of_lines(text):
    """What looks like a command between backticks, and ``pip install '…'`` anywhere."""
    spans = (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", _prose(text)))
    return [span for span in spans if is_command(span)] + re.findall(r"\bpip install '[^']*'", text)


def _prose(text):
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def _lines(block):
    """Its commands without comments; a backslash joins a line with the next."""
    lines = [" ".join(re.sub(r"(^|\s+)#.*", "", line).split()) for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line]


@cache
def shown():
    """Command → the first page that shows it."""
    texts = {page: _text_without_names(page) for page in pages()}
    found = {}
    for page, text in texts.items():
        for command in commands_of_blocks(text):
            found.setdefault(command, page)
    whole = tuple(found)
    for page, text in texts.items():
        for command in commands_of_lines(text):
            # One that is only mentioned, without its arguments, stands in full elsewhere.
            if command in COMPLETE or not any(other.startswith(f"{command} ") for other in whole):
                found.setdefault(command, page)
    return found


def shown_by(page):
    """The commands of one page."""
    text = _text_without_names(page)
    found = dict.fromkeys(commands_of_blocks(text) + commands_of_lines(text))
    return [command for command in found if command in shown()]


def _text_without_names(page):
    """In cards BUNDLE and TASK stand for their names, so that most of their commands agree."""
    text = text_of(page)
    for task in all_tasks():
        if page == CARDS[task.name]:
            text = text.replace(task.bundle, "BUNDLE").replace(task.name, "TASK")
    return text


def place_of(command):
    """Where a command is typed, which is what its test must set up."""
    page = shown()[command]
    if page in SESSIONS and command in commands_of_blocks(text_of(page)):
        return page
    if command.startswith("make label "):
        return "label"
    if command.startswith("seat "):
        return "seat"
    return "bundle" if command.startswith((*IN_A_BUNDLE, *EXPORTS)) else "project"


def typed_in(place, excused=()):
    """The commands of a place in the order in which pages show them, without those that are excused."""
    return [command for command in shown() if command not in excused and place_of(command) == place]
