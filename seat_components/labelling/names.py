"""The forms of a server's name and of a page's origin, as the labelling server's options and requests state them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from seat_components.refusals import refuse

HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9._-]*[a-z0-9])?)(:[0-9]{1,5})?")
ORIGIN = re.compile(r"https?://(?P<host>.+)")


def check_names(hosts: Iterable[str], origins: Iterable[str]) -> None:
    """Refuse hosts and origins that are none.

    Raises:
        RefusalError: naming the first that is none, and what to write.
    """
    for host in hosts:
        if not HOST.fullmatch(host.lower()):
            refuse(f"'{host}' is no host. Write NAME or NAME:PORT, such as label.example.org")
    for origin in origins:
        found = ORIGIN.fullmatch(origin.lower())
        if found is None or not HOST.fullmatch(found["host"]):
            refuse(f"'{origin}' is no origin. Write scheme://NAME or scheme://NAME:PORT, and no path and no *")
