"""Scenarios: a small TOML file that switches faults on, at chosen requests or for chosen symbols."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from fulltape import errors

Do = Literal[
    "rate_limit",
    "error",
    "hang",
    "hold",
    "truncate",
    "garbage",
    "empty_page",
    "repeat_cursor",
    "missing_days",
    "not_entitled",
    "unknown_symbol",
]
VENDORS = ("alpaca", "massive")
_ABOUT_DATA = ("missing_days", "not_entitled", "unknown_symbol")


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One fault.

    It concerns requests of `vendor` for bars, narrowed by `grain`, `symbols` and `page` (from 1). Of those it strikes
    the ones counted in `requests` (from 1), or the first `times`. Faults about data strike always.
    """

    vendor: str
    do: Do
    grain: str = ""
    symbols: tuple[str, ...] = ()
    page: int = 0
    requests: tuple[int, ...] = ()
    times: int = 1
    status: int = 503
    wait: float = 1.0
    first: dt.date | None = None
    last: dt.date | None = None
    matched: int = 0
    struck: int = 0


class Scenario(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """All faults, and the requests per minute that each twin enforces (0: none)."""

    limits: dict[str, int] = {}
    fault: list[Fault] = []

    def strike(self, vendor: str, *, grain: str, symbols: Sequence[str], page: int) -> Fault | None:
        """Count a request against every fault that it concerns, and return the one that strikes it, if any."""
        struck = None
        for fault in self.fault:
            if fault.do in _ABOUT_DATA or not _concerns(fault, vendor, grain, symbols, page):
                continue
            fault.matched += 1
            due = fault.matched in fault.requests if fault.requests else fault.struck < fault.times
            if due and struck is None:
                fault.struck += 1
                struck = fault
        return struck

    def about(self, do: Do, vendor: str, *, grain: str, symbol: str) -> Fault | None:
        """The fault about data that holds for a symbol, if any."""
        for fault in self.fault:
            if fault.do == do and _concerns(fault, vendor, grain, (symbol,), fault.page):
                return fault
        return None

    def lacks(self, vendor: str, *, grain: str, symbol: str, session: dt.date) -> bool:
        """Whether the vendor has no bars of a session, though it traded."""
        return any(
            fault.do == "missing_days"
            and _concerns(fault, vendor, grain, (symbol,), fault.page)
            and (fault.first or dt.date.min) <= session <= (fault.last or dt.date.max)
            for fault in self.fault
        )


def _concerns(fault: Fault, vendor: str, grain: str, symbols: Sequence[str], page: int) -> bool:
    return (
        fault.vendor == vendor
        and fault.grain in ("", grain)
        and (not fault.symbols or bool(set(fault.symbols) & set(symbols)))
        and fault.page in (0, page)
    )


def parse(text: str, *, where: str) -> Scenario:
    """A scenario; `ConfigError` says what is wrong."""
    try:
        found = msgspec.convert(tomllib.loads(text), type=Scenario)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise errors.ConfigError(f"is no scenario: {error}.", where=where) from error
    for name in (*found.limits, *(fault.vendor for fault in found.fault)):
        if name not in VENDORS:
            raise errors.ConfigError(
                f"names the vendor {name!r}; there are {', '.join(VENDORS)}.", where=where
            )
    return found


def load(path: Path) -> Scenario:
    """A scenario from a file."""
    try:
        return parse(path.read_text(), where=str(path))
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise errors.ConfigError(f"cannot be read: {reason}.", where=str(path)) from error
