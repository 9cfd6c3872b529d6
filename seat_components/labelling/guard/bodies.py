"""Reading a request's body in bounded memory, and the body that is passed on, written anew from what passed."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message, Receive, Scope

from seat_components.labelling.guard.endpoints import Form, JsonRecord, Raw
from seat_components.labelling.guard.kinds import Context, Kind, RefusedError, is_name
from seat_components.labelling.guard.values import check, read_json_record, require_known, unique

TEXT_LIMIT = 2**20
# The largest scans of the ten tasks are some 100 MB; a whole-body scan in floating point stays below this.
FILE_LIMIT = 4 * 2**30
_RAW_LIMIT = 2**30
_FILES_LIMIT = 2000
_CHUNK = 2**20
_LOCAL_PATH = re.compile(r"/|[A-Za-z]:[/\\]|\\\\")


@dataclass
class Body:
    """What is passed on: its type, its length in bytes, its chunks, and the fields that hold files."""

    kind: str
    length: int
    chunks: AsyncIterator[bytes]
    files: tuple[str, ...] = ()


@asynccontextmanager
async def read_body(
    scope: Scope, receive: Receive, endpoint_body: JsonRecord | Form | Raw | None, context: Context
) -> AsyncIterator[Body]:
    """The body, as it is passed on; files that were uploaded are there while the context is open.

    Raises:
        RefusedError: if it is too large, of another type than the call's, or says what it must not.
    """
    limit = FILE_LIMIT if isinstance(endpoint_body, Form) and endpoint_body.files else TEXT_LIMIT
    if isinstance(endpoint_body, Raw):
        limit = _RAW_LIMIT
    request = Request(scope, _limited(receive, limit))
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if isinstance(endpoint_body, Raw):
        content_bytes = await request.body()
        yield Body(request.headers.get("content-type", ""), len(content_bytes), _once(content_bytes))
    elif isinstance(endpoint_body, Form):
        if kind not in ("multipart/form-data", "application/x-www-form-urlencoded"):
            raise RefusedError(415, "Content-Type", "must be multipart/form-data")
        form = request.form(max_files=_FILES_LIMIT, max_fields=50, max_part_size=TEXT_LIMIT)
        try:
            async with form as content:
                yield _form(content.multi_items(), endpoint_body, context)
        except MultiPartException as error:
            raise RefusedError(400, "the form", f"must be well formed: {error.message}") from None
    else:
        content_bytes = await request.body()
        if not content_bytes:
            yield Body("", 0, _once(b""))
        elif endpoint_body is None:
            raise RefusedError(400, "the body", "must be empty: this call takes none")
        elif kind != "application/json":
            raise RefusedError(415, "Content-Type", "must be application/json")
        else:
            text = json.dumps(read_json_record("the body", content_bytes, endpoint_body, context)).encode()
            yield Body("application/json", len(text), _once(text))


def _form(items: list[tuple[str, UploadFile | str]], form: Form, context: Context) -> Body:
    require_known((name for name, _ in items), {**form.texts, **form.files})
    unique([(name, value) for name, value in items if not (form.many and name in form.files)], "the form")
    parts: list[tuple[str, UploadFile | bytes]] = []
    boundary = uuid4().hex
    for name, value in items:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
        if name in form.files:
            if isinstance(value, str):
                raise RefusedError(400, name, "must be a file")
            file = _file_name(name, value.filename, form.files[name])
            head += f'; filename="{file}"\r\nContent-Type: application/octet-stream'
            parts.append((head + "\r\n\r\n", value))
        elif isinstance(value, str):
            if value:
                parts.append((head + "\r\n\r\n", _text(name, value, form.texts[name], context)))
        else:
            raise RefusedError(400, name, "must be text, not a file")
    length = sum(len(head.encode()) + _size(value) + 2 for head, value in parts) + len(boundary) + 6
    files = tuple(name for name, _ in items if name in form.files)
    return Body(f"multipart/form-data; boundary={boundary}", length, _parts(parts, boundary), files)


def _text(name: str, value: str, kind: JsonRecord | Kind, context: Context) -> bytes:
    if isinstance(kind, Kind):
        return str(check(name, value, kind, context)).encode()
    return json.dumps(read_json_record(name, value, kind, context)).encode()


def _file_name(field: str, name: str | None, suffixes: tuple[str, ...]) -> str:
    """The name of an uploaded file. 3D Slicer states the whole path of its own file; the last part of it is passed on.

    Raises:
        RefusedError: if it is not a name with one of the suffixes.
    """
    parts = re.split(r"[/\\]", name or "")
    last = parts[-1]
    local = len(parts) == 1 or (
        _LOCAL_PATH.match(name or "") and not {".", ".."} & set(parts) and "\0" not in str(name)
    )
    if not (local and is_name(last) and last.endswith(suffixes)):
        rule = f"must be a file whose name ends in {', '.join(suffixes)} and holds no separators, '..' or other signs"
        raise RefusedError(400, field, rule)
    return last


async def _parts(parts: list[tuple[str, UploadFile | bytes]], boundary: str) -> AsyncIterator[bytes]:
    for head, value in parts:
        yield head.encode()
        if isinstance(value, bytes):
            yield value
        else:
            await value.seek(0)
            while chunk := await value.read(_CHUNK):
                yield chunk
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def _size(value: UploadFile | bytes) -> int:
    return len(value) if isinstance(value, bytes) else value.size or 0


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _limited(receive: Receive, limit: int) -> Receive:
    received = 0

    async def receive_limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise RefusedError(413, "the body", f"must be at most {limit} bytes")
        return message

    return receive_limited


def sender(body: Body, receive: Receive) -> Receive:
    """A ``receive`` that gives ``body``, and after it what the connection says."""
    chunks: Any = body.chunks
    done = False

    async def receive_body() -> Message:
        nonlocal done
        if done:
            return await receive()
        try:
            return {"type": "http.request", "body": await anext(chunks), "more_body": True}
        except StopAsyncIteration:
            done = True
            return {"type": "http.request", "body": b"", "more_body": False}

    return receive_body
