"""The calls of MONAI Label's interface that a viewer makes."""

import json
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen
from uuid import uuid4

from seat_components.refusals import refuse

FINISHED = ("DONE", "ERROR")


class LabelClient:
    """Talks to a MONAI Label server, as 3D Slicer's extension does.

    Args:
        address: such as ``http://127.0.0.1:8000``.
        timeout: seconds that one answer may take.

    Every call raises a RefusalError with the server's words if it answers with an error.
    """

    def __init__(self, address: str, timeout: float = 600) -> None:
        self.address = address.rstrip("/")
        self.timeout = timeout

    def info(self) -> dict[str, Any]:
        """The app: its models, labels, strategies and options."""
        return self._json("GET", "/info/")

    def infer(self, model: str, image: str) -> bytes:
        """The mask of an image, as the bytes of its NIfTI file."""
        return self._call("POST", f"/infer/{model}?image={quote(image)}&output=image", *_form({"params": "{}"}))

    def infer_own(self, model: str, scan: Path) -> bytes:
        """The mask of a scan that the server does not have, uploaded in a session."""
        opened = _content(self._call("PUT", "/session/", *_form({"client_id": "user"}, {"files": scan})))
        target = f"/infer/{model}?session_id={opened['session_id']}&output=image"
        return self._call("POST", target, *_form({"params": "{}"}))

    def upload_label(self, image: str, label: Path, tag: str = "final") -> dict[str, Any]:
        """Store a label for an image."""
        body = _form({"params": "{}"}, {"label": label})
        return _content(self._call("PUT", f"/datastore/label?image={quote(image)}&tag={tag}", *body))

    def datastore(self) -> dict[str, Any]:
        """All images, with their labels and scores."""
        return self._json("GET", "/datastore/?output=all")

    def train(self, model: str, **options: Any) -> dict[str, Any]:
        """Train a model on all labelled images; returns when the job has ended, as its record.

        Args:
            model: the bundle's name.
            options: ``max_epochs``, ``val_split``, …; one GPU or the CPU.
        """
        self._json("POST", f"/train/{model}", {"multi_gpu": False, **options})
        return self._finished("/train/")

    def score(self, model: str, **options: Any) -> dict[str, Any]:
        """Compute each unlabelled image's uncertainty; returns when that is done."""
        return self._json("POST", f"/scoring/{model}?run_sync=true", options)

    def next_image(self, strategy: str = "first") -> dict[str, Any]:
        """The image to label next."""
        return self._json("POST", f"/activelearning/{strategy}", {})

    def batch_infer(self, model: str, **options: Any) -> dict[str, Any]:
        """Segment all images that have no label of this model; returns when that is done."""
        self._json("POST", f"/batch/infer/{model}", {"multi_gpu": False, **options})
        return self._finished("/batch/infer/")

    def _finished(self, path: str) -> dict[str, Any]:
        deadline = time.monotonic() + self.timeout
        while (record := self._json("GET", path)).get("status") not in FINISHED:
            if time.monotonic() > deadline:
                refuse(f"The job at {self.address}{path} has not ended within {self.timeout:g} s.")
            time.sleep(0.5)
        return record

    def _json(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        content = None if body is None else json.dumps(body).encode()
        return _content(self._call(method, path, content, "application/json"))

    def _call(self, method: str, path: str, body: bytes | None, kind: str) -> bytes:
        url = f"{self.address}{path}"
        request = Request(url, body, {"Content-Type": kind}, method=method)  # noqa: S310 - a test's own server
        try:
            with urlopen(request, timeout=self.timeout) as answer:  # noqa: S310 - a test's own server
                data: bytes = answer.read()
                return data
        except HTTPError as error:
            refuse(f"{method} {url} failed ({error.code}): {error.read().decode(errors='replace')[:500]}")


def _content(data: bytes) -> dict[str, Any]:
    content = json.loads(data)
    return content if isinstance(content, dict) else {"result": content}


def _form(fields: dict[str, str], files: dict[str, Path] | None = None) -> tuple[bytes, str]:
    """A multipart form: its bytes and its content type."""
    boundary = uuid4().hex
    lines: list[bytes] = []
    for name, value in fields.items():
        lines += [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()]
    for name, file in (files or {}).items():
        head = f'Content-Disposition: form-data; name="{name}"; filename="{file.name}"'
        lines += [f"--{boundary}\r\n{head}\r\n\r\n".encode(), file.read_bytes(), b"\r\n"]
    return b"".join([*lines, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"
