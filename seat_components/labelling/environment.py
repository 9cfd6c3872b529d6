"""The virtual environment of MONAI Label, which cannot live in that of this project."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import seat_components
from seat_components.refusals import refuse

_MONAI_LABEL = "monailabel==0.8.5"
# What MONAI Label's server needs, without what only its scribbles need and what caps numpy below 2. Its import
# breaks with pydicom 3; torch and monai are those that the bundles are tested with.
_REQUIREMENTS = (
    *("torch==2.13.0", "torchvision==0.28.0"),
    "monai[nibabel,itk,ignite,fire,tqdm,skimage,tensorboard,psutil]==1.6.1",
    *("pydicom>=2.4.4,<3", "pynetdicom>=2.0.2,<3", "dicomweb-client>=0.59.1,<0.61", "jsonschema>=3.2,<4"),
    *("SimpleITK", "uvicorn", "fastapi", "pydantic", "pydantic-settings", "python-dotenv", "python-multipart"),
    *("httpx", "schedule", "timeloop", "expiringdict", "expiring_dict", "cachetools", "watchdog", "pynrrd"),
    *("girder-client", "einops", "pyyaml", "filelock", "passlib", "pyjwt", "bcrypt", "shapely", "requests"),
    *("requests-toolbelt", "google-auth", "scikit-learn"),
)
_WITHOUT_DEPENDENCIES = (_MONAI_LABEL, "pydicom-seg==0.4.1")

# torchvision's compiled half may not fit a CPU build of torch; its import then asks for two operators' declarations.
_DECLARATIONS = """
import sys
from importlib.abc import MetaPathFinder


class DeclareOperators(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        # Waits for torchvision's import, so that other programs do not pay for importing torch.
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch

            library = torch.library.Library("torchvision", "DEF")
            for operator in ("nms", "qnms"):
                library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            KEPT.append(library)
        return None


KEPT = []
sys.meta_path.insert(0, DeclareOperators())
"""
_STAMP = ".complete"


def check_platform() -> None:
    """Refuse Windows, which has neither the links nor the process groups that this needs."""
    if sys.platform == "win32":
        refuse("MONAI Label is served from Linux and macOS only; viewers on Windows can use a server there.")


def python_of(folder: Path) -> Path:
    """The interpreter of the environment in ``folder``."""
    return folder / "bin" / "python"


def is_complete(folder: Path) -> bool:
    """Whether ``folder`` holds an environment that ``make_environment`` finished, with today's requirements."""
    stamp = folder / _STAMP
    return python_of(folder).exists() and stamp.is_file() and stamp.read_text("utf-8") == _fingerprint()


def make_environment(folder: Path) -> Path:
    """Make the environment in ``folder``, unless it is there already; takes a minute or two, and the network.

    This package is linked into it, not copied, so that the server runs what is installed here.

    Returns:
        Its Python interpreter.

    Raises:
        RefusalError: if a step fails; the message holds the last lines that it printed.
    """
    check_platform()
    if is_complete(folder):
        return python_of(folder)
    venv.create(folder, with_pip=True, clear=True)
    python = python_of(folder)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # torch alone first: an index with several builds of it must not be searched along with all the rest.
    _run([*pip, *_REQUIREMENTS[:2]])
    _run([*pip, *_REQUIREMENTS])
    _run([*pip, "--no-deps", *_WITHOUT_DEPENDENCIES])
    packages = Path(_run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip())
    (packages / "seat_components").symlink_to(Path(seat_components.__file__).parent, target_is_directory=True)
    if not _imports(python, "torchvision"):
        (packages / "sitecustomize.py").write_text(_DECLARATIONS, encoding="utf-8")
    _run([str(python), "-c", "import monailabel.main, torchvision, seat_components.training"])
    (folder / _STAMP).write_text(_fingerprint(), encoding="utf-8")
    return python


def sample_app(python: Path) -> Path:
    """MONAI Label's app ``monaibundle`` in the environment of ``python``."""
    code = "import sysconfig; print(sysconfig.get_path('data'))"
    app = Path(_run([str(python), "-c", code]).strip()) / "monailabel" / "sample-apps" / "monaibundle"
    if not app.is_dir():
        refuse(f"{app} does not exist: {python} is no environment with {_MONAI_LABEL}. Make it anew: make label-env")
    return app


def _fingerprint() -> str:
    content = repr((_REQUIREMENTS, _WITHOUT_DEPENDENCIES, _DECLARATIONS, str(Path(seat_components.__file__).parent)))
    return sha256(content.encode()).hexdigest()


def _imports(python: Path, module: str) -> bool:
    command = [str(python), "-c", f"import {module}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - our own words


def _run(command: Sequence[str]) -> str:
    result = subprocess.run(  # noqa: S603 - our own words
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if result.returncode:
        tail = "\n".join(result.stdout.splitlines()[-15:])
        refuse(f"MONAI Label's environment cannot be made. This failed:\n  {' '.join(command)}\n{tail}")
    return result.stdout
