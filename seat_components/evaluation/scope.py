"""What of a case is evaluated, a patch or the whole volume, and how many cases."""

from __future__ import annotations

from seat_components.refusals import refuse

SCOPES = {
    "patch": "one patch per case, centred on the foreground's centre of mass",
    "volume": "whole volumes through the sliding window, in the preprocessed grid",
}


def check_scope(scope: str, max_cases: int | None) -> None:
    """Refuse a scope that there is not, and a number of cases that is none.

    Raises:
        RefusalError: naming the value and the rule.
    """
    if scope not in SCOPES:
        refuse(f"scope is {scope!r}, but it must be --scope {' or '.join(SCOPES)}")
    if max_cases is not None and (isinstance(max_cases, bool) or not isinstance(max_cases, int) or max_cases < 1):
        refuse(f"max_cases is {max_cases!r}, but it must be a whole number, 1 or more, or null for all cases")
