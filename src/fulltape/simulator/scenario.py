"""Scenarios: a small TOML file that switches faults on, at chosen requests, for chosen symbols, times or by chance."""

from __future__ import annotations

import datetime as dt
import random
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import msgspec

from fulltape import errors

OfAnswers = Literal[
    "rate_limit",
    "ban",
    "error",
    "hang",
    "hold",
    "reset",
    "drip",
    "truncate",
    "garbage",
    "empty",
    "empty_page",
    "short_page",
    "repeat_cursor",
    "duplicates",
    "out_of_order",
]
OfData = Literal[
    "missing_days",
    "delisted",
    "not_entitled",
    "unknown_symbol",
    "restated",
    "dst_shift",
    "wrong_clock",
]
OfStreams = Literal[
    "mute",
    "close",
    "cut_frame",
    "kick",
    "hole",
    "repeat",
    "disorder",
    "burst",
    "unknown",
    "too_many",
]
Do = Literal[OfAnswers, OfData, OfStreams]
_ABOUT_CONNECTIONS = frozenset({"mute", "close", "kick", "cut_frame"})
_ABOUT_STREAMS = frozenset(get_args(OfStreams))
_ABOUT_DATA = frozenset(get_args(OfData))


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One fault.

    It concerns requests of `vendor` for data, narrowed by `grain`, `symbols`, `page` (from 1) and by seconds since the
    server began (`after`, `until`). Of those it strikes the ones counted in `requests` (from 1), or each with
    `probability`, or else the first `times`. Faults of data concern sessions `first` to `last` and strike always. Faults of
    streams strike `times` times, `every` so many seconds; `count` is how many messages they are about.
    """

    vendor: str
    do: Do
    grain: str = ""
    symbols: tuple[str, ...] = ()
    page: int = 0
    requests: tuple[int, ...] = ()
    probability: float = 0.0
    times: int = 1
    after: float = 0.0
    until: float = float("inf")
    status: int = 503
    wait: float = 1.0
    every: float = 1.0
    count: int = 10
    first: dt.date | None = None
    last: dt.date | None = None
    matched: int = 0
    struck: int = 0

    def covers(self, session: dt.date) -> bool:
        """Whether a session lies in its span."""
        return (self.first or dt.date.min) <= session <= (self.last or dt.date.max)


class Scenario(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """All faults, the requests per minute that each simulated vendor enforces (0: none), and the seed of chance."""

    limits: dict[str, int] = {}
    fault: list[Fault] = []
    seed: int = 1
    began: float = msgspec.field(default_factory=time.monotonic)

    def strike(self, vendor: str, *, grain: str, symbols: Sequence[str], page: int) -> Fault | None:
        """Count a request against every fault that it concerns, and return the one that strikes it, if any."""
        struck = None
        for at, fault in enumerate(self.fault):
            if fault.do in _ABOUT_DATA | _ABOUT_STREAMS or not self._concerns(
                fault, vendor, grain, symbols, page
            ):
                continue
            fault.matched += 1
            if fault.requests:
                due = fault.matched in fault.requests
            elif fault.probability:
                # By the count of requests, so that a run that is repeated meets the same faults.
                due = random.Random(f"{self.seed}/{at}/{fault.matched}").random() < fault.probability
            else:
                due = fault.struck < fault.times
            if due and struck is None:
                fault.struck += 1
                struck = fault
        return struck

    def of_stream(self, vendor: str, *, connecting: bool = False, heard: bool = True) -> list[Fault]:
        """The faults of streams that strike now, of those about connecting or of all others; each counts as struck. What
        strikes connections waits until a subscriber is `heard`."""
        elapsed = time.monotonic() - self.began
        due = [
            fault
            for fault in self.fault
            if fault.do in _ABOUT_STREAMS
            and fault.vendor == vendor
            and (fault.do == "too_many") == connecting
            and (heard or fault.do not in _ABOUT_CONNECTIONS)
            and fault.struck < fault.times
            and fault.after + fault.struck * fault.every <= elapsed < fault.until
        ]
        for fault in due:
            fault.struck += 1
        return due

    def about(self, do: Do, vendor: str, *, grain: str, symbol: str) -> Fault | None:
        """The fault of data that holds for a symbol, if any."""
        for fault in self.fault:
            if fault.do == do and self._concerns(fault, vendor, grain, (symbol,), fault.page):
                return fault
        return None

    def of_data(self, vendor: str, *, grain: str, symbol: str) -> list[Fault]:
        """All faults of data that hold for a symbol."""
        return [
            fault
            for fault in self.fault
            if fault.do in _ABOUT_DATA and self._concerns(fault, vendor, grain, (symbol,), fault.page)
        ]

    def _concerns(self, fault: Fault, vendor: str, grain: str, symbols: Sequence[str], page: int) -> bool:
        return (
            fault.vendor == vendor
            and fault.grain in ("", grain)
            and (not fault.symbols or bool(set(fault.symbols) & set(symbols)))
            and fault.page in (0, page)
            and fault.after <= time.monotonic() - self.began < fault.until
        )


def parse(text: str, *, where: str, vendors: Sequence[str] = ()) -> Scenario:
    """A scenario; `ConfigError` says what is wrong. `vendors` are those that there are, if they are known."""
    try:
        scenario = msgspec.convert(tomllib.loads(text), type=Scenario)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise errors.ConfigError(f"is no scenario: {error}.", where=where) from error
    for name in (*scenario.limits, *(fault.vendor for fault in scenario.fault)):
        if vendors and name not in vendors:
            raise errors.ConfigError(
                f"names the vendor {name!r}; there are {', '.join(vendors)}.", where=where
            )
    return scenario


def load(path: Path, vendors: Sequence[str] = ()) -> Scenario:
    """A scenario from a file."""
    try:
        return parse(path.read_text(), where=str(path), vendors=vendors)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise errors.ConfigError(f"cannot be read: {reason}.", where=str(path)) from error
