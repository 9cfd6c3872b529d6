"""Wheel and source archive hold all that the package needs: an empty environment runs a bundle from its zip."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from seat_components.weights import bundle_zip

ROOT = Path(__file__).parents[2]
DATA = [
    *("bundles/template/configs/train.json", "bundles/template/docs/README.md", "bundles/template/LICENSE"),
    *("bundles/results.json", "tasks/msd_tasks.json", "tasks/fold0.json", "py.typed", "reporting/paper_tables.json"),
]
# Building changes sys.argv, so the folder is read first.
BUILD = "import sys; from setuptools import build_meta as b; out = sys.argv[1]; b.build_wheel(out); b.build_sdist(out)"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """The folder with the wheel and the source archive, built from a copy of the checkout."""
    copy = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "seat_components", copy / "seat_components", ignore=ignored)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-c", BUILD, str(out)], cwd=copy, check=True, capture_output=True)
    return out


def package_files(names, prefix):
    return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}


def test_wheel_and_source_archive_hold_template_table_and_folds(archives):
    (wheel,) = archives.glob("*.whl")
    with ZipFile(wheel) as content:
        in_wheel = package_files(content.namelist(), "seat_components/")
    (source,) = archives.glob("*.tar.gz")
    with tarfile.open(source) as content:
        in_source = package_files(content.getnames(), f"{source.name.removesuffix('.tar.gz')}/seat_components/")
    package = ROOT / "seat_components"
    wanted = {
        str(file.relative_to(package))
        for file in package.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert set(DATA) <= wanted
    assert wanted <= in_wheel
    assert wanted <= in_source


@pytest.fixture(scope="module")
def python(archives, tmp_path_factory):
    """An environment with the wheel alone; the libraries it needs are lent by this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    purelib = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    shutil.unpack_archive(next(archives.glob("*.whl")), purelib, "zip")
    # Its own .pth files are not read there, so that an editable installation stays out.
    (purelib / "lent.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin" / "python"


def run(python, words, cwd):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    words = [str(python), *map(str, words)]
    return subprocess.run(
        words, cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )


def test_an_installed_package_renders_a_bundle_and_runs_one_from_its_zip(python, tmp_path):
    where = run(python, ["-c", "import seat_components; print(seat_components.__file__)"], tmp_path)
    assert str(python.parents[1]) in where.stdout
    rendered = run(python, ["-m", "seat_components", "bundles", "--tasks", "Task02_Heart", "--out", "made"], tmp_path)
    assert rendered.returncode == 0, rendered.stdout
    shutil.unpack_archive(bundle_zip(ROOT / "bundles" / "msd_task04_hippocampus", tmp_path), tmp_path)
    phantom = ["-m", "seat_components", "phantom", "--task", "Task04_Hippocampus", "--out", tmp_path / "data"]
    assert run(python, [*phantom, "--training", 1, "--validation", 1], tmp_path).returncode == 0
    words = ["-m", "monai.bundle", "run", "--config_file", "configs/inference.json"]
    folders = ["--dataset_dir", tmp_path / "data", "--output_dir", tmp_path / "masks"]
    result = run(python, [*words, *folders], tmp_path / "msd_task04_hippocampus")
    assert result.returncode == 0, result.stdout
    assert len(list((tmp_path / "masks").glob("*.nii.gz"))) == 2
