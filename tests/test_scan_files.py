"""One path names the files of a scan, and a case has one name of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seat_components.scan_files import case_name, channel_files, missing_files, path_of_channels

WORDS = st.text(st.characters(exclude_characters="{},/\\\0", exclude_categories=("Cs",)), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("x/a_1.nii.gz", "a_1"),
        ("a.b.NII.GZ", "a.b"),
        ("a.nrrd", "a"),
        ("a.b.mha", "a.b"),
        ("x/a_1_{0000,0001}.nii.gz", "a_1"),
        ("a_{t1,t2,flair}.nrrd", "a"),
        ("a_{0000}.nii.gz", "a_{0000}"),
    ],
)
def test_case_name_drops_the_extensions_and_the_channels_only(file, name):
    assert case_name(file) == name


@given(case=WORDS, channels=st.lists(WORDS, min_size=1, max_size=4))
def test_the_files_of_a_path_are_those_that_it_was_made_of(case, channels):
    assert channel_files(path_of_channels(case, channels, ".nii.gz")) == tuple(f"{case}_{c}.nii.gz" for c in channels)


def test_a_file_that_bears_such_a_name_is_itself(tmp_path):
    literal = tmp_path / "a_{0000,0001}.nii.gz"
    (tmp_path / "a_0001.nii.gz").touch()
    assert missing_files([literal]) == [str(tmp_path / "a_0000.nii.gz")]
    literal.touch()
    assert channel_files(literal) == (str(literal),)
    assert missing_files([literal]) == []
