"""A fold's cases: a section is listed and checked when it is asked for, and only what is used of it is read."""

import json
from pathlib import Path

import pytest

from seat_components.data import FoldCases, fold_datalist, write_phantom
from seat_components.refusals import RefusalError
from seat_components.tasks import load_task

TASK = load_task("Task04_Hippocampus")
NAMES = {"channel_names": {"0": "MRI"}, "label_names": {str(n): name for n, name in enumerate(TASK.labels)}}


@pytest.fixture
def dataset(tmp_path):
    """Two training and two validation cases, to be spoilt."""
    write_phantom(TASK, tmp_path / TASK.name, cases=(2, 2))
    return tmp_path / TASK.name


@pytest.mark.parametrize("section", ["training", "validation"])
def test_a_section_is_the_list_of_its_fold(dataset, section):
    cases = FoldCases(dataset, TASK, **NAMES)
    listed = fold_datalist(dataset, TASK, section=section)
    assert getattr(cases, section) == listed == cases.section(section)


@pytest.mark.parametrize(("section", "other"), [("training", "validation"), ("validation", "training")])
def test_the_other_sections_files_need_not_be_there(dataset, section, other):
    for case in fold_datalist(dataset, TASK, section=other):
        Path(case["image"]).unlink()
    cases = FoldCases(dataset, TASK, **NAMES)
    assert len(getattr(cases, section)) == 2
    with pytest.raises(RefusalError, match="do not exist"):
        getattr(cases, other)


def test_only_what_is_chosen_is_read(dataset):
    first, second = fold_datalist(dataset, TASK, section="validation")
    Path(first["image"]).write_bytes(b"no scan")
    cases = FoldCases(dataset, TASK, **NAMES)
    assert cases.section("validation", lambda listed: listed[1:]) == [second]
    with pytest.raises(RefusalError, match="of the files of 2 case"):
        cases.validation  # noqa: B018


SPOILT = {
    "label values": ({"label_names": {"0": "background", "1": "Anterior"}}, "label value"),
    "channels": ({"channel_names": {"0": "MRI", "1": "MRI too"}}, "channel"),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_cases_are_those_of_the_bundles_names(dataset, kind):
    changed, words = SPOILT[kind]
    content = json.loads((dataset / "dataset.json").read_text())
    (dataset / "dataset.json").write_text(json.dumps({**content, "modality": {}, "labels": {}}))
    with pytest.raises(RefusalError, match=words):
        FoldCases(dataset, TASK, **{**NAMES, **changed}).section("training")
