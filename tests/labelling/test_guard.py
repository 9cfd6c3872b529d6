"""Laws of the guard: whatever a request says, only what the table of calls allows reaches MONAI Label."""

import json
from urllib.parse import quote

import pytest
from guarded_requests import (
    IMAGE,
    MODEL,
    SESSION,
    Served,
    ask,
    field_places,
    fill,
    multipart,
    right,
    with_field,
)
from hypothesis import given
from hypothesis import strategies as st

from seat_components.labelling.guard import bodies
from seat_components.labelling.guard.endpoints import ENDPOINTS, Form, JsonRecord
from seat_components.labelling.guard.kinds import MODEL_FILE, PLAIN_TEXT, SECRET, WORDS, is_name

FIELDS = list(field_places())
FORMS = [endpoint for endpoint in ENDPOINTS if isinstance(endpoint.body, Form)]
UPLOADS = [(endpoint, name) for endpoint in FORMS for name in endpoint.body.files]
FREE = [
    (endpoint, text)
    for endpoint in FORMS
    for text, what in endpoint.body.texts.items()
    if isinstance(what, JsonRecord) and what.fields is None
]

# What MONAI would read as more than a value, however deep it lies.
MARKED = st.builds("".join, st.tuples(st.sampled_from(["$", "@", "%", " $", "\n@", "\t%"]), st.text(max_size=20)))
COMPONENTS = st.builds(
    lambda key, value: {key: value},
    st.sampled_from(["_target_", "_requires_", "_disabled_", "_mode_", "train#trainer", "a::b", "+a", "$a", "a/b", ""]),
    st.sampled_from(["os.mkdir", 1, True]),
)
CODE = MARKED | COMPONENTS


def buried(code):
    """``code``, or an object or list that holds it somewhere."""
    return st.recursive(
        code,
        lambda inner: st.builds(lambda x: [1, x], inner) | st.builds(lambda x: {"plain": "text", "more": x}, inner),
        max_leaves=6,
    )


# Names that lead elsewhere, or may where someone decodes them once more.
PATHS = st.builds(
    "".join,
    st.tuples(
        st.text("ab.", max_size=3),
        st.sampled_from(
            ["/", "\\", "..", "\0", "%2f", "%2e%2e", "%252e", "%5c", "%00", "\n", "／", "\u2024\u2024/", ":"]
        ),
        st.text("ab./", max_size=5),
    ),
)


def test_the_pool_holds_a_right_value_for_each_kind():
    for endpoint, where, name, kind in FIELDS:
        if name != "tracking_uri":
            assert right(kind), (endpoint.path, where, name)


@given(data=st.data())
def test_right_values_pass_and_reach_the_application_as_they_are(data):
    # A call that names no model has none of its files.
    places = [place for place in FIELDS if right(place[3]) and (place[3] is not MODEL_FILE or "{" in place[0].path)]
    endpoint, where, name, kind = data.draw(st.sampled_from(places))
    # Without a file in the call, an image must be there, which its name alone does not say.
    is_looked_for = name == "image" and endpoint.path.startswith("/infer/")
    value = IMAGE if is_looked_for else data.draw(st.sampled_from(right(kind)))
    target, headers, body = with_field(endpoint, where, name, value)
    answer = ask(endpoint.method, target, headers, body)
    assert answer.passed, answer.body
    if where == "query":
        assert answer.passed["query"][name] == (str(value).lower() if isinstance(value, bool) else str(value))
    elif where == "record":
        assert json.loads(answer.passed["body"]) == {name: value}
    elif where != "text":
        assert (where, json.dumps({name: value})) in answer.passed["form"]


@given(data=st.data(), code=buried(CODE))
def test_no_field_of_any_call_takes_code(data, code):
    places = [place for place in FIELDS if place[3] is not SECRET]
    endpoint, where, name, _ = data.draw(st.sampled_from(places))
    if not (where in ("query", "text") and not isinstance(code, str)):
        target, headers, body = with_field(endpoint, where, name, code)
        assert ask(endpoint.method, target, headers, body).refused


@given(data=st.data(), path=PATHS)
def test_no_field_that_names_something_takes_a_path(data, path):
    places = [place for place in FIELDS if place[3] not in (SECRET, PLAIN_TEXT, WORDS)]
    endpoint, where, name, _ = data.draw(st.sampled_from(places))
    target, headers, body = with_field(endpoint, where, name, path)
    assert ask(endpoint.method, target, headers, body).refused
    assert not is_name(path)


@given(data=st.data(), path=PATHS)
def test_no_path_leads_out_of_its_call(data, path):
    endpoint = data.draw(st.sampled_from([item for item in ENDPOINTS if "{" in item.path]))
    target = endpoint.path[: endpoint.path.index("{")] + quote(path, safe="/.\\%")
    answer = ask(endpoint.method, target)
    assert answer.refused or (
        answer.passed and ".." not in answer.passed["path"] and is_plain_path(answer.passed["path"])
    )


def is_plain_path(path):
    return all(is_name(part) for part in path.strip("/").split("/") if part)


@given(data=st.data(), code=buried(CODE))
def test_no_record_of_an_image_or_a_label_holds_code(data, code):
    endpoint, text = data.draw(st.sampled_from(FREE))
    query = {name: "final" if name == "tag" else IMAGE for name in endpoint.query}
    files = dict.fromkeys(endpoint.body.files, ("a.nii.gz", b"image"))
    good = {"label_info": [{"name": "Anterior", "idx": 1}], "segmentationMeta": {"comment": "as agreed"}}
    for record, passes in ((good, True), ({**good, "more": code}, False), (code, False)):
        target, headers, body = fill(endpoint, query, {text: record}, files)
        answer = ask(endpoint.method, target, headers, body)
        assert bool(answer.passed) is passes
        assert passes or answer.refused


@given(data=st.data(), name=PATHS, suffix=st.sampled_from(["", ".nii.gz", ".nrrd", ".bin", ".dcm"]))
def test_what_is_uploaded_has_one_plain_name(data, name, suffix):
    endpoint, field = data.draw(st.sampled_from(UPLOADS))
    target, headers, body = fill(endpoint, {}, {}, {field: (name + suffix, b"image")})
    answer = ask(endpoint.method, target, headers, body)
    passed = [value[0] for key, value in (answer.passed or {}).get("form", []) if key == field]
    assert answer.refused or (
        len(passed) == 1 and is_name(passed[0]) and passed[0].endswith(endpoint.body.files[field])
    )


@pytest.mark.parametrize(
    "name", ["x.sh", "x", "datastore_v2.json", "x.nii.gz.py", "..", "../x.nii.gz", "a/b.nii.gz", "/a/../b.nii.gz"]
)
def test_what_is_no_image_is_not_uploaded(name):
    for endpoint, field in UPLOADS:
        target, headers, body = fill(endpoint, {}, {}, {field: (name, b"image")})
        assert ask(endpoint.method, target, headers, body).refused


@given(
    body=st.binary(max_size=300), kind=st.sampled_from(["application/json", "multipart/form-data; boundary=bound", ""])
)
def test_no_bytes_are_more_than_a_refusal(body, kind):
    for endpoint in ENDPOINTS:
        for content in (body, b"--bound\r\n" + body, b'{"max_epochs": 1, ' + body):
            answer = ask(endpoint.method, fill(endpoint)[0], {"Content-Type": kind} if kind else {}, content)
            assert answer.refused or answer.passed


@pytest.mark.parametrize(
    "text",
    [
        '{"max_epochs": 1, "max_epochs": 2}',
        '{"max_epochs": NaN}',
        '{"val_split": 1e999}',
        '{"max_epochs": ' + "9" * 5000 + "}",
        '{"client_id": "\\ud800"}',
        "[" * 100_000,
        '{"a":' * 5000 + "1" + "}" * 5000,
        "[]",
        "null",
        '{"max_epochs": 1',
        '{"max_epochs": true}',
        '{"max_epochs": 1.0}',
        '{"max_epochs": 0}',
        '{"max_epochs": "5"}',
        '{"model": "other"}',
        '{"bundle_path": "/tmp"}',
        '{"pretrained": false}',
        '{"\\ud800": 1}',  # half a character, which no answer can be encoded with
        '{"run_id": "initialize"}',
        '{"tracking_uri": "http://evil.example"}',
    ],
)
def test_training_takes_known_fields_once_and_of_their_kind(text):
    headers = {"Content-Type": "application/json"}
    for path in (f"/train/{MODEL}", "/train/"):
        assert ask("POST", path, headers, text.encode()).refused
        assert ask("POST", path, headers, text.encode("utf-16")).refused
    if text.startswith("{"):
        assert ask("POST", "/train/", headers, b'{"%s": %s}' % (MODEL.encode(), text.encode())).refused
        body, form = multipart([("params", text)])
        assert ask("POST", f"/infer/{MODEL}?image={IMAGE}", form, body).refused


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_record_must_be_called_json(kind):
    """A page may send other types without asking first."""
    assert ask("POST", f"/train/{MODEL}", {"Content-Type": kind} if kind else {}, b'{"max_epochs": 1}').refused


@pytest.mark.parametrize(
    "parts",
    [
        [("params", "{}"), ("params", "{}")],
        [("label", ("a.nrrd", b"")), ("label", ("a.nrrd", b""))],
        [("params", "{}"), ("more", "x")],
        [("label", "text")],
        [("params", ("a.nii.gz", b"{}"))],
        [("label", ("a.nrrd", b"")), ("params", '{"a": 1, "a": 2}')],
        [("label", ("a.nrrd", b"")), ("params", '{"a": [[[[[[[[[1]]]]]]]]]}')],
        [("label", ("a.nrrd", b"")), ("params", '{"a": 1e999}')],
    ],
)
def test_a_form_holds_known_fields_once(parts):
    body, headers = multipart(parts)
    assert ask("PUT", f"/datastore/label?image={IMAGE}", headers, body).refused


@pytest.mark.parametrize(
    ("method", "target"),
    [
        *(("GET", "/nothing"), ("POST", "/info/"), ("PATCH", "/train/"), ("TRACE", "/"), ("POST", "/reload")),
        *(("PUT", f"/model/{MODEL}"), ("DELETE", f"/model/{MODEL}"), ("POST", f"/infer/wsi/{MODEL}")),
        *(("POST", "/infer/other?image=x"), ("POST", f"/infer/{MODEL}"), ("POST", f"/infer/{MODEL}?image=absent")),
        *(
            ("GET", "/session/.."),
            ("GET", "/session/x"),
            ("GET", f"/session/{SESSION}/.."),
            ("GET", "/proxy/dicom/studies"),
        ),
        *(("GET", "/datastore/?output=all&output=all"), ("GET", "/datastore/?outputs=all"), ("GET", "/info/?$x=1")),
        *(
            ("GET", "/datastore/?output"),
            ("GET", "/datastore/?output=%ff"),
            ("GET", f"/datastore/image?image={IMAGE}%00"),
        ),
        *(("PUT", "/session/?uncompress=true"), ("POST", f"/infer/{MODEL}?image={IMAGE}&output=dicom_seg")),
    ],
)
def test_calls_that_no_viewer_makes_are_refused(method, target):
    assert ask(method, target, *multipart([])[::-1]).refused


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"])
def test_the_method_is_not_overridden(header):
    assert ask("POST", "/train/", {header: "DELETE"}).refused


def test_bodies_are_bounded(monkeypatch):
    monkeypatch.setattr(bodies, "TEXT_LIMIT", 2000)
    monkeypatch.setattr(bodies, "FILE_LIMIT", 9000)
    long = {"client_id": "x" * 100, "tracking_experiment_name": "y" * 100}
    json_type = {"Content-Type": "application/json"}
    assert ask("POST", "/train/", json_type, json.dumps(long).encode()).passed
    assert ask("POST", "/train/", json_type, json.dumps(long).encode() + b" " * 2000).status == 413
    for size, status in ((8000, 200), (10_000, 413)):
        body, headers = multipart([("file", ("a.nii.gz", b"x" * size))])
        assert ask("PUT", "/datastore/image", headers, body).status == status
    body, headers = multipart([("label", ("a.nii.gz", b"")), ("params", json.dumps({"a": "x" * 3000}))])
    assert ask("PUT", f"/datastore/label?image={IMAGE}", headers, body).refused


def test_sockets_are_closed_and_an_archive_of_images_is_asked():
    assert ask("GET", "/info/", kind="websocket").status == -1008
    archive = Served()
    archive.archive = True
    answer = ask("GET", "/proxy/dicom/qido/studies?limit=5&00081030=%25CHEST%25", served=archive)
    assert answer.passed["query"] == {"limit": "5", "00081030": "%CHEST%"}
    answer = ask("POST", "/proxy/dicom/stow/studies", {"Content-Type": "multipart/related"}, b"dicom", served=archive)
    assert answer.passed["body"] == b"dicom"
    assert ask("GET", "/proxy/dicom/qido/../x", served=archive).refused
