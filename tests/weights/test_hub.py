"""What MONAI uploads to a hub and downloads from it, tried on a stand-in for the hub in a folder."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile

import monai.bundle
import pytest
import torch
import yaml
from monai.bundle import scripts

from seat_components.__main__ import main
from seat_components.bundles.render import write_bundle
from seat_components.refusals import RefusalError
from seat_components.tasks import all_tasks, load_task
from seat_components.weights import bundle_zip, hub_folders, init_weights
from seat_components.weights.hub import hub_folder

BUNDLES = Path(__file__).parents[2] / "bundles"
TRAINED = "msd_task04_hippocampus"


class Hub:
    """Repositories as folders, with what huggingface_hub has of functions that MONAI calls."""

    def __init__(self, root):
        self.root, self.tags, self.private = root, {}, {}
        self.errors = SimpleNamespace(RevisionNotFoundError=KeyError, RepositoryNotFoundError=KeyError)

    def HfApi(self, token):  # noqa: N802 - its name
        assert token is None, "nothing here has one"
        return self

    def create_repo(self, repo_id, private, exist_ok):
        self.private[repo_id] = private
        (self.root / repo_id).mkdir(parents=True, exist_ok=exist_ok)

    def upload_folder(self, repo_id, folder_path):
        shutil.copytree(folder_path, self.root / repo_id, dirs_exist_ok=True)
        return f"hub/{repo_id}"

    def create_tag(self, repo_id, tag, exist_ok):
        shutil.copytree(self.root / repo_id, self.root / "tags" / tag / repo_id, dirs_exist_ok=exist_ok)

    def snapshot_download(self, repo_id, revision, local_dir):
        shutil.copytree(self.root / "tags" / revision / repo_id, local_dir, dirs_exist_ok=True)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    hub = Hub(tmp_path / "hub")
    monkeypatch.setattr(scripts, "huggingface_hub", hub)
    return hub


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    out = tmp_path_factory.mktemp("laid_out")
    return {folder.name: folder for folder in hub_folders(out, BUNDLES)}


def front_of(folder):
    """What stands in front of the card, and the card."""
    _, front, card = (folder / "README.md").read_text().split("---\n", 2)
    return yaml.safe_load(front), card


def files(folder):
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_monai_uploads_the_bundle_its_card_and_its_version_and_loads_what_it_downloads(folders, hub, tmp_path):
    folder = folders[TRAINED]
    version = json.loads((folder / "configs" / "metadata.json").read_text())["version"]
    said = {"repo": f"someone/{TRAINED}", "name": TRAINED, "bundle_dir": str(folder.parent), "version": version}
    before = files(folder)
    monai.bundle.push_to_hf_hub(**said, tag_as_latest_version=True)
    assert files(folder) == before
    for tag in (version, "latest_version"):
        assert files(hub.root / "tags" / tag / "someone" / TRAINED) == before
    with ZipFile(bundle_zip(BUNDLES / TRAINED, tmp_path)) as archive:
        zipped = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    card = zipped.pop("docs/README.md").decode()
    assert {**zipped, "README.md": before["README.md"]} == before
    assert front_of(folder)[1] == card.replace("(dice.svg)", "(docs/dice.svg)")

    download = {"name": TRAINED, "version": version, "source": "huggingface_hub", "repo": said["repo"]}
    monai.bundle.download(**download, bundle_dir=str(tmp_path / "got"))
    network = monai.bundle.load(name=TRAINED, bundle_dir=str(tmp_path / "got"), workflow_type="train", device="cpu")
    weights = torch.load(BUNDLES / TRAINED / "models" / "model.pt", weights_only=True)
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in weights.items())


@pytest.mark.parametrize("task", all_tasks(), ids=lambda task: task.name)
def test_a_card_says_to_the_hub_what_the_bundle_says(folders, task):
    folder = folders[task.bundle]
    front, card = front_of(folder)
    figures = json.loads((folder / "configs" / "metadata.json").read_text())["eval_metrics"]
    trained = (folder / "models" / "model.pt").is_file()
    assert trained == bool(figures) == (task.bundle == TRAINED)
    assert front["library_name"] == "monai"
    assert front["license"] == ("cc-by-sa-4.0" if trained else "apache-2.0")
    assert {"monai", "medical"} <= set(front["tags"])
    assert front["metrics"] == ["dice"]
    told = [row for one in front.get("model-index", []) for row in one["results"][0]["metrics"]]
    assert {row["name"]: row["value"] for row in told} == figures
    for picture in ("docs/dice.svg",) if trained else ():
        assert f"]({picture})" in card
        assert (folder / picture).is_file()


def test_what_is_there_is_not_written_over_and_a_card_is_needed(tmp_path):
    bundle = write_bundle(load_task("Task09_Spleen"), tmp_path)
    init_weights(bundle)
    made = hub_folder(bundle, tmp_path / "out")
    assert not (made / "models").exists(), "untrained weights are nobody's model"
    with pytest.raises(RefusalError, match="is there already"):
        hub_folder(bundle, tmp_path / "out")
    (bundle / "docs" / "README.md").unlink()
    with pytest.raises(RefusalError, match=r"has no docs/README\.md"):
        hub_folder(bundle, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


def test_command(tmp_path, capsys):
    assert main(["zips", "--bundles", str(BUNDLES), "--hub", str(tmp_path / "hub")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(list((tmp_path / "hub").glob("*/README.md"))) == 10
