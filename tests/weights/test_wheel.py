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
    """An environment into which pip has installed the wheel; the libraries that it asks for are lent by this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder / "own", with_pip=False)
    python = folder / "own" / "bin" / "python"
    lent = folder / "lent"
    lent.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        # An editable installation of the package itself stays out.
        if "seat_components" not in entry.name and entry.suffix != ".pth":
            (lent / entry.name).symlink_to(entry)
    own = sysconfig.get_path("purelib", "venv", {"base": str(folder / "own"), "platbase": str(folder / "own")})
    (Path(own) / "lent.pth").write_text(str(lent))
    # No index is asked: pip finds all that the wheel requires among what is lent, or says what is missing.
    install = ["-m", "pip", "--python", python, "install", "--no-index", next(archives.glob("*.whl"))]
    done = run(sys.executable, install, folder)
    assert done.returncode == 0, done.stdout
    return python


def run(program, words, cwd):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    words = [str(program), *map(str, words)]
    return subprocess.run(
        words, cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )


def test_an_installed_package_renders_a_bundle_and_segments_with_one_from_its_zip(python, task04_phantom, tmp_path):
    where = run(python, ["-c", "import seat_components; print(seat_components.__file__)"], tmp_path)
    assert str(python.parents[1]) in where.stdout
    seat = python.parent / "seat"
    rendered = run(seat, ["bundles", "--tasks", "Task02_Heart", "--out", "made"], tmp_path)
    assert rendered.returncode == 0, rendered.stdout
    shutil.unpack_archive(bundle_zip(ROOT / "bundles" / "msd_task04_hippocampus", tmp_path), tmp_path / "bundles")
    scan = sorted((task04_phantom / "imagesTs").glob("*.nii.gz"))[0]
    (tmp_path / "scans").mkdir()
    shutil.copy(scan, tmp_path / "scans")
    short = run(seat, ["predict", f"scans/{scan.name}", "-o", "short", "--bundle", "msd_task04_hippocampus"], tmp_path)
    assert short.returncode == 0, short.stdout
    words = ["-m", "monai.bundle", "run", "--config_file", "configs/inference.json"]
    folders = ["--dataset_dir", tmp_path / "scans", "--output_dir", tmp_path / "long"]
    long = run(python, [*words, *folders], tmp_path / "bundles" / "msd_task04_hippocampus")
    assert long.returncode == 0, long.stdout
    masks = [tmp_path / folder / scan.name for folder in ("short", "long")]
    assert masks[0].read_bytes() == masks[1].read_bytes()
