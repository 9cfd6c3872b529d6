"""Where MONAI Label fails on a file, whoever asked hears the reason; any other failure is as it was."""

import asyncio
import json

import pytest
from starlette.responses import PlainTextResponse

from seat_components.data.slabs import ScanError
from seat_components.labelling.guard.failures import answered
from seat_components.refusals import RefusalError


def answer(status, error=None):
    """Status, body and error of what an application says that sends an answer, and then raises, as Starlette does."""
    sent = []

    async def call(send):
        await PlainTextResponse("Internal Server Error", status)({"type": "http"}, None, send)
        if error is not None:
            raise RuntimeError("applying transform") from error

    async def send(message):
        sent.append(message)

    raised = None
    try:
        asyncio.run(answered(call, {"type": "http"}, None, send))
    except RuntimeError as caught:
        raised = caught
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]), raised


@pytest.mark.parametrize("kind", [RefusalError, ScanError])
def test_a_refused_scan_is_answered_in_its_words(kind):
    status, body, raised = answer(500, kind("x.nii.gz is an RGB colour image"))
    assert (status, json.loads(body), raised) == (422, {"detail": "x.nii.gz is an RGB colour image"}, None)


def test_a_damaged_scan_is_called_damaged():
    status, body, raised = answer(500, EOFError("ended before the marker"))
    assert (status, raised) == (422, None)
    assert "The image cannot be read to the end: it is truncated" in json.loads(body)["detail"]


def test_other_failures_go_on_to_the_log():
    status, body, raised = answer(500, KeyError("image"))
    assert (status, body) == (500, b"Internal Server Error")
    assert isinstance(raised.__cause__, KeyError)


@pytest.mark.parametrize("status", [200, 404, 500])
def test_what_fails_nowhere_is_passed_on(status):
    assert answer(status) == (status, b"Internal Server Error", None)


def test_an_answer_that_has_begun_is_not_taken_back():
    status, _, raised = answer(200, RefusalError("too late"))
    assert status == 200
    assert raised is not None
