"""The guard: an ASGI application that lets pass to another what the table of calls allows, and refuses the rest."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seat_components.labelling.guard.bodies import Body, read_body, sender
from seat_components.labelling.guard.endpoints import ENDPOINTS, PLACES, Endpoint
from seat_components.labelling.guard.failures import answered
from seat_components.labelling.guard.gate import Gate
from seat_components.labelling.guard.kinds import IMAGE, Context, RefusedError, Served
from seat_components.labelling.guard.values import check, read_query

# What MONAI Label may need to know of a request; nothing else of its head is passed on.
_PASSED_ON = frozenset(
    (
        *("accept", "accept-encoding", "accept-language", "authorization", "host", "user-agent"),
        *("if-modified-since", "if-none-match", "if-range", "range"),
    )
)
# A page of another origin may neither frame these answers nor load them as a picture or a script.
_ANSWERED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """Stands in front of MONAI Label's application.

    Args:
        application: the application that answers what passes.
        served: what the guard asks of it.
        gate: judges who asks.
    """

    def __init__(self, application: ASGIApp, served: Served, gate: Gate) -> None:
        self.application = application
        self.served = served
        self.gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request: by the application if it passes, with status 4xx and the broken rule if not."""
        if scope["type"] == "lifespan":
            await self.application(scope, receive, send)
        elif scope["type"] == "websocket":
            # MONAI Label has none; closed before it was accepted, it is answered with status 403.
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._answer(scope, receive, self._sender(Headers(scope=scope), send))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            headers = Headers(scope=scope)
            self.gate.judge(headers, _port(scope))
            if scope["method"] == "OPTIONS":
                await self._preflight(headers)(scope, receive, send)
                return
            endpoint, context = self._endpoint(scope, headers)
            query = read_query(scope["query_string"], endpoint.query, context)
            async with read_body(scope, receive, endpoint.body, context) as body:
                if endpoint.path == "/infer/{models}" and "file" not in body.files:
                    self._require_image(query, context)
                passed, body_sent = _passed_on(scope, headers, query, body), sender(body, receive)
                await answered(lambda hold: self.application(passed, body_sent, hold), scope, receive, send)
        except RefusedError as refused:
            content = {"detail": str(refused), "field": refused.name, "rule": refused.rule}
            await JSONResponse(content, refused.status)(scope, receive, send)
        except ClientDisconnect:
            return

    def _require_image(self, query: Mapping[str, object], context: Context) -> None:
        """Refuse to infer on nothing: what a session uploaded counts, else the image of that name."""
        session = query.get("session_id")
        if session is not None and self.served.has_session(str(session)):
            return
        if session is not None and "image" not in query:
            raise RefusedError(404, "session_id", "must be a session that is open here")
        check("image", query.get("image"), IMAGE, context)

    def _endpoint(self, scope: Scope, headers: Headers) -> tuple[Endpoint, Context]:
        context = Context(self.served)
        for endpoint in ENDPOINTS:
            places = endpoint.places(scope["path"]) if endpoint.method == scope["method"] else None
            if places is not None:
                self.gate.judge_page(headers, _port(scope), endpoint.page)
                for name, value in places.items():
                    check(name, value, PLACES[name], context)
                if scope["path"].startswith("/proxy/") and not self.served.has_archive():
                    raise RefusedError(404, "the path", "must not be /proxy/: the images lie in a folder")
                return endpoint, endpoint.context(context, places)
        raise RefusedError(404, "method and path", "must be a call that a viewer makes; see docs/security.md")

    def _preflight(self, headers: Headers) -> Response:
        if not self.gate.is_allowed(headers):
            raise RefusedError(403, "Origin", "must be one given to --allow-origin")
        methods = {"access-control-allow-methods": "GET, HEAD, POST, PUT, DELETE", "access-control-max-age": "600"}
        return Response(headers={**methods, "access-control-allow-headers": "authorization, content-type"})

    def _sender(self, asked: Headers, send: Send) -> Send:
        async def send_answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(raw=list(message.get("headers", [])))
                for name in ("access-control-allow-origin", "access-control-allow-credentials"):
                    del answered[name]
                answered.update({**_ANSWERED, **self.gate.answers(asked)})
                message = {**message, "headers": answered.raw}
            await send(message)

        return send_answer


def _port(scope: Scope) -> int | None:
    _, port = scope.get("server") or ("", None)
    return port


def _passed_on(scope: Scope, headers: Headers, query: dict[str, object], body: Body) -> Scope:
    """The scope of the request that the application sees: its head and its URL are written anew."""
    head = [(name, value) for name, value in headers.raw if name.decode("latin-1").lower() in _PASSED_ON]
    if body.kind:
        head.append((b"content-type", body.kind.encode()))
        head.append((b"content-length", str(body.length).encode()))
    text = urlencode({name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()})
    return {**scope, "headers": head, "query_string": text.encode()}
