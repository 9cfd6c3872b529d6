"""Many requests at a time to the real server: each is answered as if it were alone, and memory stays flat."""

import json
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import psutil
import pytest
from bundle_runs import UNET, save_unet
from guarded_requests import SLICER_TRAINING, multipart
from label_client import LabelClient
from label_sessions import BUNDLES, image_id, phantom_cases, read_mask, require_clean_log, studies_of

from seat_components.labelling.app import make_app
from seat_components.labelling.environment import sample_app
from seat_components.labelling.server import LabelServer
from seat_components.tasks import load_task

pytestmark = pytest.mark.slow
BUNDLE = "msd_task04_hippocampus"
REQUESTS, AT_A_TIME = 200, 8
# What the allocator keeps of peaks differs by some MiB; one leaked scan or mask a request would be more than this.
MIB_MORE = 48


@pytest.fixture(scope="module")
def served(label_python, tmp_path_factory):
    """A server of Task04 with a small network, its studies, and the ids of its images."""
    folder = tmp_path_factory.mktemp("served")
    bundle = folder / BUNDLE
    shutil.copytree(BUNDLES / BUNDLE, bundle, ignore=shutil.ignore_patterns("*.pt"))
    save_unet(bundle / "models" / "model.pt")
    app = folder / "app"
    sizes = {"val_patch_size": [32, 32, 32], "patch_size": [16, 16, 16], "batch_size": 1}
    make_app(sample_app(label_python), app, [bundle], overrides={"network_def": UNET, **sizes})
    cases = phantom_cases(load_task("Task04_Hippocampus"), folder / "data", 4)
    studies = studies_of(cases, folder / "studies")
    with LabelServer(label_python, app, studies, [BUNDLE]) as server:
        yield server, studies, [image_id(image) for image, _ in cases]


def resident(server):
    """MiB in memory of all processes of the server."""
    parent = psutil.Process(server.process.pid)
    return sum(process.memory_info().rss for process in [parent, *parent.children(recursive=True)]) / 2**20


def temporary_files():
    return set(Path(tempfile.gettempdir()).iterdir())


def test_two_hundred_requests_eight_at_a_time(served, tmp_path):
    server, _, images = served
    client = LabelClient(server.address, 600)

    def mask(image):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        return read_mask(client.infer(BUNDLE, image), folder)[1]

    alone = {image: mask(image) for image in images}
    assert len({values.tobytes() for values in alone.values()}) == len(images), "each image has a mask of its own"
    wanted = [images[number % len(images)] for number in range(REQUESTS)]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        # A first round fills the caches that every server keeps.
        list(pool.map(mask, wanted[: 3 * AT_A_TIME]))
        before, files = resident(server), temporary_files()
        masks = list(pool.map(mask, wanted))
    assert len(masks) == REQUESTS
    assert all(np.array_equal(values, alone[image]) for values, image in zip(masks, wanted, strict=True))
    assert resident(server) < before + MIB_MORE
    left = [file for file in temporary_files() - files if file.suffix in (".nrrd", ".gz", ".nii")]
    assert len(left) < AT_A_TIME, "the server keeps no answers"
    require_clean_log(server)


def answer(server, path, method="GET", headers=None, body=None):
    """The status of an answer, its headers, and what it says."""
    url = server.address + path
    request = Request(url, body, headers or {}, method=method)  # noqa: S310 - our own address
    try:
        with urlopen(request, timeout=300) as found:  # noqa: S310 - our own address
            return found.status, found.headers, found.read()
    except HTTPError as error:
        return error.code, error.headers, error.read()


def test_the_real_server_lets_no_page_in(served):
    """The guard's laws have their own tests; this is that it stands in front of the server that is started."""
    server, studies, (image, *_) = served
    before = {
        file: file.read_bytes() for file in studies.parent.rglob("*") if file.is_file() and ".log" not in file.name
    }
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        status, found, _ = answer(server, "/datastore/?output=all", headers=headers)
        assert status == 403
        assert "access-control-allow-origin" not in found
    touched = studies.parent / "touched"
    for value in (f"$open({str(touched)!r}, 'w')", {"_target_": "os.mkdir", "path": str(touched)}):
        status, _, content = answer(
            server,
            f"/train/{BUNDLE}?run_sync=true",
            "POST",
            {"Content-Type": "application/json"},
            json.dumps({"max_epochs": value}).encode(),
        )
        assert (status, json.loads(content)["field"]) == (400, "max_epochs")
    body, headers = multipart([("file", ("x.nii.gz", b"no image")), ("label", ("x.nii.gz", b"no image"))])
    for name in ("../outside", str(studies.parent / "outside"), "..%2Foutside", "..%252Foutside", "a%00b"):
        assert answer(server, f"/datastore/image?image={name}", "PUT", headers, body)[0] == 400
        assert answer(server, f"/datastore/label?image={image}&tag={name}", "PUT", headers, body)[0] == 400
    assert answer(server, "/ohif/..%2f..%2f..%2fmain.py")[0] == 404
    assert answer(server, "/session/..%2f..")[0] in (400, 404)
    after = {
        file: file.read_bytes() for file in studies.parent.rglob("*") if file.is_file() and ".log" not in file.name
    }
    assert after == before


def test_the_pages_of_the_server_open(served):
    server, *_ = served
    for path in ("/", "/docs", "/openapi.json", "/ohif/", "/info", "/logs/?lines=10", "/logs/?text=true"):
        assert answer(server, path)[0] == 200, path


def test_a_job_with_all_options_that_slicer_sends_ends_with_the_default_workers(served):
    server, studies, images = served
    client = LabelClient(server.address, 600)
    labels = studies.parent / "data" / "labelsTr"
    for image in images[:2]:
        client.upload_label(image, labels / f"{image}.nii.gz")
    config = json.loads((studies.parent / "app" / "model" / BUNDLE / "configs" / "train.json").read_text())
    assert config["num_workers"] != 0
    job = client.train(BUNDLE, **{**SLICER_TRAINING, "max_epochs": 1, "val_split": 0.0})
    assert job["status"] == "DONE", job
    require_clean_log(server)
