"""What the application behind the guard could not do, told to who asked where the reason is a file's or a value's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from seat_components.data.compressed import DAMAGE, why_damaged
from seat_components.data.slabs import ScanError
from seat_components.refusals import RefusalError, causes

_FAILED, _REFUSED = 500, 422


async def answered(call: Callable[[Send], Awaitable[None]], scope: Scope, receive: Receive, send: Send) -> None:
    """Let the application answer; where it fails for a reason in our own words, these are the answer, with status 422.

    An answer of status 500 is held back until it is known what was raised: of any other error it is sent as it is, and
    the error goes on to the server's log. A refusal needs no traceback there.

    Args:
        call: the application's answer, which it sends to what it is given.
        scope, receive, send: of the request.
    """
    held: list[Message] = []

    async def hold(message: Message) -> None:
        if held or (message["type"] == "http.response.start" and message["status"] == _FAILED):
            held.append(message)
        else:
            await send(message)

    try:
        await call(hold)
    except Exception as error:
        if held and (words := _spoken(error)):
            await JSONResponse({"detail": words}, _REFUSED)(scope, receive, send)
            return
        for message in held:
            await send(message)
        raise
    for message in held:
        await send(message)


def _spoken(error: BaseException) -> str:
    """The refusal, or the damage of a file, that an error comes from, in our words; empty if it is neither."""
    for cause in causes(error):
        if isinstance(cause, RefusalError | ScanError):
            return str(cause).encode("utf-8", "replace").decode()
        if isinstance(cause, DAMAGE):
            return f"The image {why_damaged(cause)}."
    return ""
