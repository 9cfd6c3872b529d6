"""Requests to the guard as uvicorn hands them over, without a server: the application keeps what reaches it."""

import asyncio
import json
from dataclasses import dataclass, field
from urllib.parse import unquote, urlencode

from starlette.requests import Request

from seat_components.labelling.guard import Gate, Guard
from seat_components.labelling.guard.endpoints import ENDPOINTS, SECTIONS, Form, JsonRecord, Raw
from seat_components.labelling.guard.kinds import Context

PORT = 8000
OWN = f"127.0.0.1:{PORT}"
MODEL = "msd_task04_hippocampus"
IMAGE = "hippocampus_001"
SESSION = "05c2507e-e8ec-11f1-8177-02fc00000001"
OPTIONS = {"device": ["cpu"], "model_filename": ["model.pt", "model_clean.pt"], "max_epochs": 50}
INFO = {
    "models": {MODEL: {"config": OPTIONS}},
    "trainers": {MODEL: {"config": OPTIONS}},
    "strategies": {"first": {}, "random": {}},
    "scoring": {MODEL: {}},
}
# What 3D Slicer sends: each option that /info/ lists, with the first of a list, and its own name.
SLICER_TRAINING = {
    **{"device": "cpu", "pretrained": True, "max_epochs": 50, "val_split": 0.2, "multi_gpu": True, "gpus": "all"},
    **{"tracking": "None", "tracking_uri": "", "tracking_experiment_name": "", "run_id": ""},
    **{"model_filename": "model.pt", "client_id": "user-xyz"},
}
# One value or more for each kind; which are right for a kind, its own test says.
POOL = [
    *(
        True,
        False,
        1,
        2,
        5,
        0.2,
        -1,
        [1, 2],
        ["anterior"],
        "user-xyz",
        IMAGE,
        "model.pt",
        "model_clean.pt",
        "cpu",
        "all",
    ),
    *("0,1", "final", "None", "run", "password", ".nrrd", "uint8", "INFO", "image", "unlabeled", "train", "stats"),
    *(SESSION, f"SHA256:{'0' * 64}", "first", MODEL, "letters, and spaces"),
]


class Served:
    """One model, one image, in a folder."""

    archive = False

    def info(self):
        return INFO

    def has_image(self, image):
        return image == IMAGE

    def has_session(self, session):
        return session == SESSION

    def has_archive(self):
        return self.archive


CONTEXT = Context(Served(), OPTIONS)


@dataclass
class Answer:
    """The status, the headers and the body of an answer; ``passed``: what reached the application, or None."""

    status: int = 0
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    passed: dict | None = None

    @property
    def refused(self):
        """Whether it is a 4xx in JSON that names field and rule, and nothing reached the application."""
        if not 400 <= self.status < 500 or self.passed is not None:
            return False
        content = json.loads(self.body)
        return (
            bool(content["field"] and content["rule"]) and content["detail"] == f"{content['field']}: {content['rule']}"
        )


def ask(method, target, headers=None, body=b"", gate=None, served=None, kind="http", chunk=1000):
    """What the guard answers to a request; ``headers`` may be a list of pairs."""
    answer = Answer()

    async def application(scope, receive, send):
        request = Request(scope, receive)
        answer.passed = {"path": scope["path"], "query": dict(request.query_params), "headers": dict(request.headers)}
        content = request.headers.get("content-type", "")
        if content.startswith("multipart/form-data"):
            async with request.form() as form:
                read = [(k, v if isinstance(v, str) else (v.filename, await v.read())) for k, v in form.multi_items()]
            answer.passed["form"] = read
        else:
            answer.passed["body"] = await request.body()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"access-control-allow-origin", b"*")]})
        await send({"type": "http.response.body", "body": b"{}"})

    messages = [
        {"type": "http.request", "body": body[start : start + chunk], "more_body": start + chunk < len(body)}
        for start in range(0, max(len(body), 1), chunk)
    ]

    async def receive():
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        elif message["type"] == "http.response.body":
            answer.body += message.get("body", b"")
        else:
            answer.status = -message["code"]

    path, _, query = target.partition("?")
    pairs = headers.items() if isinstance(headers, dict) else headers or []
    names = {name.lower() for name, _ in pairs}
    given = [] if "host" in names else [("host", OWN)]
    scope = {
        "type": kind,
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(n.lower().encode("latin-1"), v.encode("latin-1", "replace")) for n, v in [*given, *pairs]],
        "server": ("127.0.0.1", PORT),
        "client": ("127.0.0.1", 50000),
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
    }
    guard = Guard(application, served or Served(), gate or Gate())
    asyncio.run(guard(scope, receive, send))
    return answer


def multipart(parts):
    """A form's bytes and headers; ``parts``: (name, text) or (name, (file name, bytes))."""
    lines = []
    for name, value in parts:
        text, file = (value, "") if isinstance(value, str) else (value[1], f'; filename="{value[0]}"')
        content = text.encode() if isinstance(text, str) else text
        head = f'--bound\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        lines += [head.encode(errors="surrogateescape"), content, b"\r\n"]
    return b"".join([*lines, b"--bound--\r\n"]), {"Content-Type": "multipart/form-data; boundary=bound"}


def right(kind, context=CONTEXT):
    """Values of the pool that a kind takes."""
    return [value for value in POOL if kind.accepts(value, context)]


def as_text(value):
    """A value as a URL states it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def fill(endpoint, query=None, record=None, files=None):
    """Target, headers and body of a call with these fields, else only what it must have."""
    path = endpoint.path.replace("{session}", SESSION).replace("{files}", "index.html").replace("{strategies}", "first")
    for section in SECTIONS:
        path = path.replace(f"{{{section}}}", MODEL)
    given = {"image": IMAGE} if endpoint.path.startswith("/infer/") else {}
    target = f"{path}?{urlencode({**given, **{name: as_text(value) for name, value in (query or {}).items()}})}"
    if isinstance(endpoint.body, Form):
        texts = [
            (name, value if isinstance(value, str) else json.dumps(value)) for name, value in (record or {}).items()
        ]
        body, headers = multipart([*texts, *(files or {}).items()])
    elif isinstance(endpoint.body, JsonRecord):
        body, headers = json.dumps(record or {}).encode(), {"Content-Type": "application/json"}
    else:
        body, headers = (
            (b"dicom", {"Content-Type": "multipart/related"}) if isinstance(endpoint.body, Raw) else (b"", {})
        )
    return target.rstrip("?"), headers, body


def field_places():
    """Each field of each call: its call, where it stands ("query", "record", "text", a form's text), name and kind."""
    for endpoint in ENDPOINTS:
        for name, kind in (endpoint.query or {}).items():
            yield endpoint, "query", name, kind
        body = endpoint.body
        if isinstance(body, JsonRecord):
            for name, kind in (body.fields or {}).items():
                yield endpoint, "record", name, kind
        elif isinstance(body, Form):
            for text, what in body.texts.items():
                if isinstance(what, JsonRecord):
                    for name, kind in (what.fields or {}).items():
                        yield endpoint, text, name, kind
                else:
                    yield endpoint, "text", text, what


def with_field(endpoint, where, name, value):
    """The call with one field set."""
    if where == "query":
        return fill(endpoint, query={name: value})
    if where in ("record", "text"):
        return fill(endpoint, record={name: value})
    return fill(endpoint, record={where: {name: value}})
