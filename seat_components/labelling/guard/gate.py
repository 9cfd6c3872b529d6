"""Who may speak to the labelling server: programs without a page, its own pages, and who is let in by name."""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.datastructures import Headers

from seat_components.labelling.guard.kinds import RefusedError
from seat_components.labelling.names import HOST, ORIGIN, check_names

_OWN = ("127.0.0.1", "localhost", "[::1]")
_PAGE = re.compile(r"[^/]*//[^/]*")
_OVERRIDES = ("x-http-method-override", "x-method-override", "x-http-method")


class Gate:
    """Judges a request by its headers alone.

    Args:
        hosts: further names of the server, as ``NAME`` (whatever the port) or ``NAME:PORT``.
        origins: pages that may ask, such as ``https://viewer.example.org``.

    Raises:
        RefusalError: if a host or an origin is none.
    """

    def __init__(self, hosts: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        self.hosts = frozenset(host.lower() for host in hosts)
        self.origins = frozenset(origin.lower() for origin in origins)
        check_names(self.hosts, self.origins)

    def judge(self, headers: Headers, port: int | None) -> None:
        """Let pass, or raise RefusedError, by Host, Origin and the override of the method.

        Args:
            headers: those of the request.
            port: where the server listens.
        """
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_own(hosts[0], port):
            raise RefusedError(403, "Host", "must be this server's own name and port, or one given to --allow-host")
        origins = headers.getlist("origin")
        if len(origins) > 1 or (origins and not (self.is_allowed(headers) or self._is_own_page(origins[0], port))):
            raise RefusedError(403, "Origin", "must be absent, this server's own, or one given to --allow-origin")
        for name in _OVERRIDES:
            if name in headers:
                raise RefusedError(400, name, "must be absent: the method is the request's own")

    def judge_page(self, headers: Headers, port: int | None, may_navigate: bool) -> None:
        """Let pass, or raise RefusedError, by what a browser says about the page that asks.

        Args:
            headers: those of the request.
            port: where the server listens.
            may_navigate: whether a link on another page may lead here.
        """
        navigates = headers.get("sec-fetch-mode", "navigate") == "navigate"
        if may_navigate and navigates and headers.get("sec-fetch-dest", "document") == "document":
            return
        rule = "must not be another page's, unless it was given to --allow-origin"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not self.is_allowed(headers):
            raise RefusedError(403, "Sec-Fetch-Site", rule)
        page = _PAGE.match(headers.get("referer", "").lower())
        if page is not None and page[0] not in self.origins and not self._is_own_page(page[0], port):
            raise RefusedError(403, "Referer", rule)

    def is_allowed(self, headers: Headers) -> bool:
        """Whether the page that asks was let in by name."""
        return headers.get("origin", "").lower() in self.origins

    def answers(self, headers: Headers) -> dict[str, str]:
        """The headers that let a page that was let in by name, and no other, read the answer."""
        if not self.is_allowed(headers):
            return {}
        return {
            "access-control-allow-origin": headers["origin"],
            "access-control-expose-headers": "content-disposition",
            "vary": "Origin",
        }

    def _is_own(self, host: str, port: int | None) -> bool:
        host = host.lower()
        found = HOST.fullmatch(host)
        if found is None:
            return False
        name = found["name"]
        if name in _OWN:
            return host == f"{name}:{port}" or (host == name and port == 80)
        return name in self.hosts or host in self.hosts

    def _is_own_page(self, origin: str, port: int | None) -> bool:
        found = ORIGIN.fullmatch(origin.lower())
        return found is not None and self._is_own(found["host"], port)
