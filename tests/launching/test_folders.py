"""A bundle is found by its folder, its name or its task, and none is taken that was not named."""

import pytest

from seat_components.launching.folders import bundle_folder, usual_places
from seat_components.refusals import RefusalError


def bundle(folder):
    (folder / "configs").mkdir(parents=True)
    (folder / "configs" / "inference.json").touch()
    return folder


def test_by_folder_name_or_task(tmp_path):
    own = bundle(tmp_path / "msd_task04_hippocampus")
    for name in (own, own.name, "Task04_Hippocampus"):
        assert bundle_folder(name, tmp_path) == own


def test_the_working_folder_comes_before_the_environments(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEAT_BUNDLES", str(tmp_path / "shared"))
    other = bundle(tmp_path / "shared" / "liver")
    assert bundle_folder("liver", *usual_places()) == other
    own = bundle(tmp_path / "bundles" / "liver")
    assert bundle_folder("liver", *usual_places()).absolute() == own


@pytest.mark.parametrize(("name", "fault"), [(None, "No bundle is named"), ("lung", "lung is no bundle")])
def test_without_one_those_found_are_listed_even_if_there_is_only_one(name, fault, tmp_path):
    bundle(tmp_path / "here" / "liver")
    with pytest.raises(RefusalError, match=rf"(?s){fault}.*here: liver\n.*nowhere: none"):
        bundle_folder(name, tmp_path / "here", tmp_path / "nowhere")
