"""What pages show is what tests type: no command of a page is left out, and no excuse outlives its command."""

import re

import pytest
import test_commands_in_a_ct_bundle as ct_bundle
import test_commands_in_an_mri_bundle as mri_bundle
import test_commands_in_the_project as project
import test_label_page as label
import test_seat_words as seat_words
from excused import EXCUSED, Needs
from hypothesis import given
from hypothesis import strategies as st
from shown_commands import (
    CARDS,
    ROOT,
    SESSIONS,
    blocks,
    commands_of_blocks,
    commands_of_lines,
    is_command,
    pages,
    shown,
    text_of,
    typed_in,
)

# Whole pages are typed line by line in tests of their own.
PAGE_TESTS = {page: typed_in(page, EXCUSED) for page in SESSIONS}


def test_every_command_of_a_page_is_run_or_excused():
    run = {*mri_bundle.RUN, *mri_bundle.SERVE, *project.RUN, *label.RUN, *seat_words.RUN}.union(*PAGE_TESTS.values())
    assert set(shown()) == run | set(EXCUSED)
    assert not run & set(EXCUSED)


def test_the_commands_that_all_cards_share_run_in_a_ct_bundle_too():
    shared = set.intersection(*(set(commands_of_blocks(text_of(card))) for card in CARDS.values()))
    assert len(shared) >= 8
    assert shared <= set(ct_bundle.RUN)


@pytest.mark.parametrize("command", [command for command, needs in EXCUSED.items() if needs is Needs.ITSELF])
def test_what_is_excused_as_itself_is_run_by_integration(command):
    lines = [line.split(" || ")[0].strip() for line in (ROOT / ".ci" / "run").read_text().splitlines()]
    start, _, placeholder = command.partition("<")
    assert command == ".ci/run" or any(line.startswith(start) if placeholder else line == start for line in lines)


@pytest.mark.parametrize("page", SESSIONS)
def test_a_page_that_is_one_session_has_blocks(page):
    assert blocks(text_of(page))


def test_the_pages_are_found():
    """The law would say nothing if it read nothing."""
    assert {"README.md", "docs/weights.md", *CARDS.values()} <= set(pages())
    for words in ("train.json", "resume", "finetune", "evaluate", "attack", "inference.json", "torchrun", "make run"):
        assert any(words in command for command in shown()), words


COMMANDS = st.builds(
    lambda program, words: " ".join([program, *words]),
    st.sampled_from(["python -m seat_components", "make", "VARIABLE=1 python", "torchrun", "seat"]),
    st.lists(st.from_regex(r"[a-z./=-]{1,8}", fullmatch=True), min_size=1, max_size=4),
)
FORMS = {
    "```bash\n{}   # what it does\n```\n": commands_of_blocks,
    "```bash\n  {} \\\n  --more\n```\n": commands_of_blocks,
    "```\n$\n{}\nits answer\n```\n": commands_of_blocks,
    "Text:\n\n    {}\n\n": commands_of_blocks,
    "Text `{}`, and more.\n": commands_of_lines,
    "```python\nx = 1\n```\nText `{}`.\n": commands_of_lines,
}


@given(COMMANDS, st.lists(st.sampled_from(sorted(FORMS)), min_size=1))
def test_a_command_is_found_in_whatever_form_a_page_shows_it(command, forms):
    text = "".join(f"{form.format(command)}\n" for form in forms)
    found = commands_of_blocks(text) + commands_of_lines(text)
    assert len(found) == len(forms)
    assert {re.sub(" --more$", "", line) for line in found} == {command}


@pytest.mark.parametrize("words", ["train.json", "torchrun", "--protocol strong", "seat", "python", "cache_dir DIR"])
def test_what_is_no_command_is_not_taken_for_one(words):
    assert not is_command(words)
