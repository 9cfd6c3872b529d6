"""Zips of bundles: the same bytes twice, nothing in them but the bundle, and MONAI downloads and loads them offline."""

import json
import os
import shutil
from pathlib import Path
from zipfile import ZipFile

import monai.bundle
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.apps.utils import HashCheckError
from monai.bundle import ConfigParser

from seat_components.__main__ import main
from seat_components.bundles.render import write_bundle
from seat_components.bundles.template_files import template
from seat_components.evaluation.identity import sha256
from seat_components.networks import ROG, load_pretrained
from seat_components.refusals import RefusalError
from seat_components.tasks import all_tasks, load_task
from seat_components.weights import bundle_zip, init_weights, zip_bundles

BUNDLES = Path(__file__).parents[2] / "bundles"
TASK = load_task("Task04_Hippocampus")


@pytest.fixture(scope="module")
def zips(tmp_path_factory):
    return zip_bundles(tmp_path_factory.mktemp("zips"), BUNDLES)


def test_two_builds_are_the_same_to_the_byte(zips, tmp_path):
    assert len(zips) == len(all_tasks())
    copy = tmp_path / "checkout" / "bundles"
    shutil.copytree(BUNDLES, copy)
    for file in copy.rglob("*"):
        os.utime(file, (1, 1_000_000_000))
        file.chmod(0o700)
    for first, second in zip(zips, zip_bundles(tmp_path, copy), strict=True):
        assert first.name == second.name
        assert first.read_bytes() == second.read_bytes()


def test_the_hash_beside_a_zip_is_its_own(zips):
    for archive in zips:
        line = archive.with_name(f"{archive.name}.sha256").read_text()
        assert line == f"{sha256(archive)}  {archive.name}\n"


@pytest.mark.parametrize("task", all_tasks(), ids=lambda task: task.name)
def test_a_zip_holds_the_bundle_and_nothing_else(zips, task):
    (archive,) = [path for path in zips if path.name.startswith(task.bundle)]
    committed = {
        f"{task.bundle}/{file.relative_to(BUNDLES / task.bundle)}": file.read_bytes()
        for file in (BUNDLES / task.bundle).rglob("*")
        if file.is_file() and file.name != ".gitkeep"
    }
    with ZipFile(archive) as content:
        assert {name: content.read(name) for name in content.namelist()} == committed
        version = json.loads(content.read(f"{task.bundle}/configs/metadata.json"))["version"]
    assert archive.name == f"{task.bundle}_v{version}.zip"


def test_records_checkpoints_and_untrained_weights_stay_out(tmp_path):
    bundle = write_bundle(TASK, tmp_path)
    init_weights(bundle)
    (bundle / "eval").mkdir()
    (bundle / "eval" / "metrics.json").write_text("{}")
    (bundle / "models" / "training_checkpoint.pt").write_bytes(b"")
    with ZipFile(bundle_zip(bundle, tmp_path)) as archive:
        assert not [name for name in archive.namelist() if "/models/" in name or "/eval/" in name]


def test_weights_that_nobody_registered_are_not_handed_out(tmp_path):
    for task in all_tasks():
        write_bundle(task, tmp_path)
    torch.save({}, tmp_path / TASK.bundle / "models" / "model.pt")
    with pytest.raises(RefusalError, match=r"model\.pt: not the weights that were registered"):
        zip_bundles(tmp_path / "out", tmp_path)
    with pytest.raises(RefusalError, match="is no bundle"):
        bundle_zip(tmp_path / "nowhere", tmp_path)


@pytest.mark.parametrize("name", ["msd_task04_hippocampus", "msd_task01_brain_tumour"])
def test_monai_downloads_and_loads_a_zip_offline(zips, tmp_path, name, monkeypatch):
    (archive,) = [path for path in zips if path.name.startswith(name)]
    monai.bundle.download(name=name, url=archive.as_uri(), bundle_dir=str(tmp_path), progress=False)
    folder = tmp_path / name
    assert (folder / "LICENSE").is_file()
    task = load_task(name)
    monkeypatch.chdir(tmp_path)
    for kind in ("train", "inference"):
        # Neither the task's data nor the current folder may matter to who only wants the network.
        config = str(folder / "configs" / f"{kind}.json")
        flow = monai.bundle.create_workflow(config_file=config, workflow_type=kind)
        assert isinstance(flow.network_def, ROG)
        if name == TASK.bundle:
            network = monai.bundle.load(name=name, bundle_dir=str(tmp_path), workflow_type=kind, device="cpu")
            assert isinstance(network, ROG)
            own = load_pretrained(ROG(1, 3, task.strides), BUNDLES / name / "models" / "model.pt").state_dict()
            assert all(torch.equal(value, own[key]) for key, value in network.state_dict().items())


def test_weights_that_are_not_in_the_repository_are_downloaded_and_checked(tmp_path):
    source = BUNDLES / TASK.bundle / "models" / "model.pt"
    bundle = write_bundle(load_task("Task09_Spleen"), tmp_path)
    entry = {"file": "model.pt", "url": source.as_uri(), "sha256": "0" * 64}
    listing = template().get_template("large_files.yml")
    assert listing.render(results=[{**entry, "url": ""}]) == ""
    assert not (bundle / "large_files.yml").exists()

    def write(entry):
        (bundle / "large_files.yml").write_text(listing.render(results=[entry]))

    write(entry)
    with pytest.raises(HashCheckError, match="sha256"):
        monai.bundle.download_large_files(bundle_path=str(bundle))
    (bundle / "models" / "model.pt").unlink(missing_ok=True)
    write({**entry, "sha256": sha256(source)})
    parsed = ConfigParser.load_config_file(str(bundle / "large_files.yml"))
    assert parsed["large_files"][0]["hash_type"] == "sha256"
    monai.bundle.download_large_files(bundle_path=str(bundle))
    assert (bundle / "models" / "model.pt").read_bytes() == source.read_bytes()


def test_command(tmp_path, capsys):
    assert main(["zips", "--bundles", str(BUNDLES), "--out", str(tmp_path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(list(tmp_path.glob("*.zip"))) == 10


@pytest.fixture
def small(tmp_path):
    """A bundle of three files, and beside it a file that is not the bundle's."""
    bundle = tmp_path / "deep" / "bundle_of_mine"
    for folder in ("configs", "docs", "models"):
        (bundle / folder).mkdir(parents=True)
    (bundle / "configs" / "metadata.json").write_text('{"version": "1.0.0"}')
    (bundle / "docs" / "README.md").write_text("card")
    (bundle / "LICENSE").write_text("licence")
    (tmp_path / "secret.txt").write_text("not the bundle's")
    return bundle


@pytest.mark.parametrize(
    "place", ["docs/x", "configs/x", "docs/deeper/x", "LICENSE", "large_files.yml", "models/model.pt"]
)
@pytest.mark.parametrize("target", ["secret.txt", "deep", "nothing", "deep/bundle_of_mine/docs", "loop"])
def test_a_link_that_leads_to_no_file_of_the_bundle_is_refused(small, tmp_path, place, target):
    link = small / place
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(link if target == "loop" else tmp_path / target)
    with pytest.raises(RefusalError, match=f"{place} is no file of the bundle"):
        bundle_zip(small, tmp_path / "out")
    assert not list(tmp_path.rglob("*.zip*"))


@pytest.mark.parametrize("part", ["docs", "configs", "models"])
def test_a_folder_that_is_a_link_out_of_the_bundle_is_refused(small, tmp_path, part):
    (small / "models" / "model.pt").write_bytes(b"weights")
    (small / part).rename(tmp_path / part)
    (small / part).symlink_to(tmp_path / part)
    with pytest.raises(RefusalError, match="is no file of the bundle"):
        bundle_zip(small, tmp_path / "out")


def test_a_link_to_a_file_of_the_bundle_is_that_file(small, tmp_path):
    (small / "docs" / "again.md").symlink_to(small / "docs" / "README.md")
    with ZipFile(bundle_zip(small, tmp_path / "out")) as archive:
        assert archive.read("bundle_of_mine/docs/again.md") == b"card"
    (tmp_path / "linked").symlink_to(small)
    with ZipFile(bundle_zip(tmp_path / "linked", tmp_path / "out")) as archive:
        assert archive.read("linked/docs/README.md") == b"card"


@given(
    version=st.text(max_size=20) | st.sampled_from(["../x", "/x", "1.0/../../x", "1..0", "a" * 300, "1.0\n", "1.0\0"])
)
def test_whatever_the_version_says_one_zip_is_written_in_out_or_none(version, tmp_path_factory):
    root = tmp_path_factory.mktemp("zip")
    (root / "bundle" / "configs").mkdir(parents=True)
    (root / "bundle" / "configs" / "metadata.json").write_text(json.dumps({"version": version}))
    try:
        archive = bundle_zip(root / "bundle", root / "out")
    except RefusalError:
        assert not list(root.rglob("*.zip*"))
    else:
        hashed = archive.with_name(f"{archive.name}.sha256")
        assert {archive, hashed} == set(root.rglob("*.zip*")) == set((root / "out").iterdir())
        assert archive.name == f"bundle_v{version}.zip"


@pytest.mark.parametrize("text", ["", "[", "[]", "1", "{}", '{"version": 1.0}', '{"version": null}', "[" * 100_000])
def test_metadata_without_a_version_is_refused(small, tmp_path, text):
    (small / "configs" / "metadata.json").write_text(text)
    with pytest.raises(RefusalError, match=r"metadata\.json"):
        bundle_zip(small, tmp_path)


@pytest.mark.parametrize("name", ["with space", ".hidden", "a;b", "ü"])
def test_a_bundle_whose_name_is_no_name_is_refused(small, tmp_path, name):
    with pytest.raises(RefusalError, match="a bundle's name"):
        bundle_zip(small.rename(small.parent / name), tmp_path)
