"""The words after a command: places first, then options, which reach the run as they were typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seat_components.launching.words import check_options, parted
from seat_components.refusals import RefusalError

PLACES = st.from_regex(r"[a-z/.][a-z/. -]{0,5}", fullmatch=True)
OPTIONS = st.lists(
    st.one_of(
        st.tuples(st.from_regex(r"--[a-z_#]{1,6}", fullmatch=True)),
        st.tuples(st.from_regex(r"--[a-z_#]{1,6}=[a-z -]{0,4}", fullmatch=True)),
        st.tuples(st.from_regex(r"--[a-z_#]{1,6}", fullmatch=True), st.sampled_from(["3", "-5", "[1, 2]", "", "-x"])),
    )
).map(lambda options: [word for option in options for word in option])


@given(st.lists(PLACES, max_size=2), OPTIONS)
def test_places_and_options_are_parted_and_none_is_lost(places, options):
    assert parted([*places, *options], ("BUNDLE", "DATA")) == (
        dict(zip(("BUNDLE", "DATA"), places, strict=False)),
        options,
    )
    check_options(options, ())


@given(OPTIONS, st.sampled_from(["DATASET_DIR", "DATASET-DIR=/x"]))
def test_what_the_command_sets_is_not_undone(options, word):
    with pytest.raises(RefusalError, match="sets by itself"):
        check_options([*options, f"--{word}"], {"DATASET_DIR"})


@pytest.mark.parametrize("words", [["x"], ["-epochs", "3"], ["--a", "1", "2"], ["--a=1", "2"], ["--"], ["-o"]])
def test_what_is_no_option_is_refused(words):
    with pytest.raises(RefusalError, match="neither an option nor the value of one"):
        check_options(words, ())


def test_a_word_too_many_is_named():
    with pytest.raises(RefusalError, match="'c' is one word too many"):
        parted(["a", "b", "c", "--d"], ("BUNDLE", "DATA"))
