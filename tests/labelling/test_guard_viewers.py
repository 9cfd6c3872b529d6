"""The requests of 3D Slicer, of OHIF and of this project's own client pass the guard, and arrive as they were meant."""

import json
from io import BytesIO
from urllib.error import HTTPError
from urllib.parse import urlsplit

import label_client as client_module
import pytest
from guarded_requests import IMAGE, MODEL, OWN, SESSION, SLICER_TRAINING, ask, multipart
from label_client import LabelClient

from seat_components.refusals import RefusalError

JSON = {"Content-Type": "application/json"}
SLICER_INFERENCE = {
    **{"device": "cpu", "model_filename": "model.pt", "result_extension": ".nrrd", "result_dtype": "uint8"},
    "client_id": "user-xyz",
}
OHIF_INFERENCE = {
    **{"result_extension": ".nrrd", "result_dtype": "uint8", "result_compress": False, "restore_label_idx": False},
    "label_prompt": [1, 2],
}
REVIEWER = {
    "segmentationMeta": {"preFix": "", "status": "approved", "level": "easy", "approvedBy": "A", "comment": "x"}
}


@pytest.fixture
def passed(monkeypatch):
    """The list of what reached the application from this project's client."""
    arrived = []

    def opened(request, timeout):
        url = urlsplit(request.full_url)
        headers = {**request.headers, "Host": url.netloc}
        answer = ask(request.get_method(), f"{url.path}?{url.query}".rstrip("?"), headers, request.data or b"")
        if answer.passed is None:
            raise HTTPError(request.full_url, answer.status, "refused", None, BytesIO(answer.body))
        arrived.append(answer.passed)
        return BytesIO(b'{"status": "DONE"}')

    monkeypatch.setattr(client_module, "urlopen", opened)
    return arrived


def test_every_call_of_the_client_passes(passed, tmp_path):
    client = LabelClient(f"http://{OWN}")
    label = tmp_path / "label.nii.gz"
    label.write_bytes(b"label")
    client.info()
    client.infer(MODEL, IMAGE)
    client.upload_label(IMAGE, label)
    assert ("label", ("label.nii.gz", b"label")) in passed[-1]["form"]
    client.datastore()
    client.train(MODEL, max_epochs=10, val_split=0.2, model_filename="model_clean.pt")
    assert json.loads(passed[-2]["body"])["max_epochs"] == 10
    client.score(MODEL, simulation_size=2)
    client.next_image("first")
    client.batch_infer(MODEL)
    assert len(passed) == 10


def test_a_refusal_tells_the_client_field_and_rule(passed):
    with pytest.raises(RefusalError, match="max_epochs: must be a whole number"):
        LabelClient(f"http://{OWN}").train(MODEL, max_epochs="$1")
    assert not passed


@pytest.mark.parametrize(
    "path", ["/home/x/slicer/a.nii.gz", r"C:\Users\A B\AppData\a.nii.gz", "C:/Users/x/a.nii.gz", "a.nii.gz"]
)
@pytest.mark.parametrize("target", [f"/datastore/label?image={IMAGE}", "/datastore/?image=my+volume+1"])
def test_slicer_uploads_its_file_under_its_whole_path(path, target):
    field = "label" if "label" in target else "file"
    record = json.dumps({"label_info": [{"name": "Anterior", "idx": 1}], "client_id": "user-xyz"})
    body, headers = multipart([("params", record), (field, (path, b"\r\n--boun\r\n" * 999))])
    answer = ask("PUT", target, headers, body)
    assert dict(answer.passed["form"]) == {"params": record, field: ("a.nii.gz", b"\r\n--boun\r\n" * 999)}


def test_slicer_trains_with_all_options_and_what_it_leaves_empty_is_left_out():
    answer = ask("POST", f"/train/{MODEL}", JSON, json.dumps(SLICER_TRAINING).encode())
    assert json.loads(answer.passed["body"]) == {name: value for name, value in SLICER_TRAINING.items() if value != ""}
    assert ask("GET", "/train/?check_if_running=true").passed
    assert ask("DELETE", "/train/").passed


def test_ohif_trains_all_models_with_options_by_model():
    options = {MODEL: {"max_epochs": 10, "device": "cpu"}}
    answer = ask("POST", "/train/", {**JSON, "Origin": f"http://{OWN}"}, json.dumps(options).encode())
    assert json.loads(answer.passed["body"]) == options


@pytest.mark.parametrize(("record", "origin"), [(SLICER_INFERENCE, {}), (OHIF_INFERENCE, {"Origin": f"http://{OWN}"})])
def test_viewers_infer(record, origin):
    body, headers = multipart([("params", json.dumps(record))])
    answer = ask("POST", f"/infer/{MODEL}?image={IMAGE}&output=image", {**headers, **origin}, body)
    assert answer.passed["form"] == [("params", json.dumps(record))]
    assert answer.passed["query"] == {"image": IMAGE, "output": "image"}


def test_slicer_infers_an_image_of_its_own_in_a_session():
    body, headers = multipart([("client_id", "user-xyz"), ("files", ("tmp1.nii.gz", b"image"))])
    assert ask("PUT", "/session/", headers, body).passed["form"][1] == ("files", ("tmp1.nii.gz", b"image"))
    assert ask("GET", f"/session/{SESSION}").passed
    assert ask("DELETE", f"/session/{SESSION}").passed
    body, headers = multipart([("params", json.dumps(SLICER_INFERENCE))])
    assert ask("POST", f"/infer/{MODEL}?image=my+volume&session_id={SESSION}", headers, body).passed


def test_the_reviewer_edits_what_is_known_of_a_label():
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    target = f"/datastore/updatelabelinfo?label={IMAGE}&tag=version_1"
    answer = ask("PUT", target, form, b"params=%7B%22segmentationMeta%22%3A+%7B%22status%22%3A+%22approved%22%7D%7D")
    assert answer.passed["form"] == [("params", '{"segmentationMeta": {"status": "approved"}}')]
    body, headers = multipart([("params", json.dumps(REVIEWER)), ("label", ("a.nrrd", b"label"))])
    assert ask("PUT", f"/datastore/label?image={IMAGE}&tag=version_1", headers, body).passed
    assert ask("DELETE", f"/datastore/label?id={IMAGE}&tag=version_1").passed
    assert ask("GET", f"/datastore/label?label={IMAGE}&tag=final").passed


def test_viewers_look_around():
    for target in (
        "/",
        "/info/",
        "/ohif/",
        "/ohif/viewer?StudyInstanceUIDs=1.2.3",
        "/ohif/app-config.js",
        "/favicon.ico",
    ):
        assert ask("GET", target, {"Sec-Fetch-Site": "same-origin"}).passed, target
    for target in ("/datastore/?output=all", f"/datastore/image?image={IMAGE}", "/logs/?lines=100", "/logs/?text=true"):
        assert ask("GET", target).passed, target
    assert ask("GET", "/auth/").passed, "Slicer asks whether there is a login; MONAI Label answers 404"
    sample = ask("POST", "/activelearning/random", JSON, b'{"client_id": "user-xyz"}')
    assert json.loads(sample.passed["body"]) == {"client_id": "user-xyz"}


def test_a_session_that_nobody_opened_is_no_image():
    body, headers = multipart([("params", json.dumps(SLICER_INFERENCE))])
    unknown = SESSION.replace("0", "1")
    answer = ask("POST", f"/infer/{MODEL}?session_id={unknown}", headers, body)
    assert (answer.status, answer.passed) == (404, None)
    assert json.loads(answer.body)["field"] == "session_id"
    assert ask("POST", f"/infer/{MODEL}?image=unknown&session_id={unknown}", headers, body).refused
    assert ask("POST", f"/infer/{MODEL}?image={IMAGE}&session_id={unknown}", headers, body).passed
