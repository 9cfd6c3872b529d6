"""Folds of own data: every case is validated once; the file is read back, and refused where it is wrong."""

import json

import pytest

from seat_components.refusals import RefusalError
from seat_components.tasks.folds import folds_json, make_folds, read_fold

NAMES = [f"case_{number}" for number in range(23)]


@pytest.mark.parametrize("count", [2, 3, 5, 6, 23])
def test_every_case_is_validated_exactly_once(count):
    names = NAMES[:count]
    folds = make_folds(names)
    assert len(folds) == min(5, count)
    assert sorted(name for _, validation in folds for name in validation) == sorted(names)
    sizes = [len(validation) for _, validation in folds]
    assert max(sizes) - min(sizes) <= 1
    for training, validation in folds:
        assert training and not set(training) & set(validation)
        assert sorted((*training, *validation)) == sorted(names)


def test_folds_depend_on_the_names_only():
    assert make_folds(NAMES[::-1]) == make_folds(set(NAMES)) == make_folds(NAMES)
    # A fixed example: folds made anywhere, at any time, are these.
    assert [validation for _, validation in make_folds(NAMES[:6])] == [
        ("case_0", "case_2"),
        ("case_3",),
        ("case_1",),
        ("case_4",),
        ("case_5",),
    ]


def test_what_is_written_is_read(tmp_path):
    file = tmp_path / "folds.json"
    file.write_text(folds_json(make_folds(NAMES)))
    assert tuple(read_fold(file, number) for number in range(5)) == make_folds(NAMES)


@pytest.mark.parametrize(
    ("content", "fold", "message"),
    [
        ("{", 0, "is not valid JSON"),
        ("[]", 0, "must hold a JSON object"),
        ({"folds": []}, 0, 'a list "folds"'),
        ({"folds": [{"training": ["a"], "validation": ["b"]}]}, 1, "has no fold 1: its folds are 0 to 0"),
        ({"folds": [{"training": ["a"], "validation": ["b"]}]}, -1, "has no fold -1"),
        ({"folds": [{"training": ["a"], "validation": ["b"]}]}, "x", "has no fold 'x'"),
        ({"folds": [{"training": ["a"]}]}, 0, 'fold 0 must have a list "validation"'),
        ({"folds": [{"training": [1], "validation": ["b"]}]}, 0, 'fold 0 must have a list "training"'),
        ({"folds": [{"training": ["a", "b"], "validation": ["b"]}]}, 0, "fold 0 lists b twice"),
    ],
)
def test_a_wrong_file_is_refused_by_name_and_rule(tmp_path, content, fold, message):
    file = tmp_path / "folds.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(RefusalError) as caught:
        read_fold(file, fold)
    assert str(file) in str(caught.value)
    assert message in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(RefusalError, match=r"folds\.json does not exist"):
        read_fold(tmp_path / "folds.json", 0)
