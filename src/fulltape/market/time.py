"""Instants, spans and the clock's contract.

An instant is an `int`: microseconds since 1970-01-01T00:00:00Z. A session is a `datetime.date`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal, Protocol

Instant = int

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EPOCH_ORDINAL = dt.date(1970, 1, 1).toordinal()


class Clock(Protocol):
    """Where time comes from: wall time for stamps, steady time for waiting and refilling."""

    def now(self) -> Instant:
        """Wall time, microseconds UTC; may jump when the machine's clock is set."""
        ...

    def steady(self) -> Instant:
        """Wall time that never runs ahead of the monotonic clock, so that a jump refills no budget."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for that many seconds."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Span:
    """The instants from `start` (inclusive) to `end` (exclusive)."""

    start: Instant
    end: Instant

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise ValueError(f"a span cannot end ({iso(self.end)}) before it starts ({iso(self.start)})")

    @property
    def length(self) -> int:
        """Microseconds from start to end."""
        return self.end - self.start

    def __contains__(self, instant: Instant) -> bool:
        return self.start <= instant < self.end

    def intersect(self, other: Span) -> Span | None:
        """The instants in both, or None where there are none."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Span(start=start, end=end) if start < end else None


def iso(instant: Instant) -> str:
    """`instant` as ISO 8601 in UTC, with microseconds only where there are some."""
    text = (_EPOCH + dt.timedelta(microseconds=instant)).isoformat()
    return text.replace("+00:00", "Z")


def to_second(instant: Instant) -> str:
    """`instant` as ISO 8601 in UTC, cut to the second: for people."""
    return iso(instant - instant % SECOND)


def from_datetime(moment: dt.datetime) -> Instant:
    """The instant of an aware datetime; a naive one is refused, since its zone is unknown."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds


def parse_iso(text: str) -> Instant:
    """The instant that an ISO 8601 text names; digits below the microsecond are cut off."""
    return from_datetime(dt.datetime.fromisoformat(text))


EARLIEST: Instant = 0
LATEST: Instant = 7_258_118_400 * SECOND
"""1970 to 2200: no stamp of market data lies outside."""


def parse_timestamp(text: str) -> Instant:
    """`parse_iso` for stamps of market data; `ValueError` outside of 1970 to 2200."""
    try:
        instant = parse_iso(text)
    except OverflowError as error:
        raise ValueError(f"{text!r} is no time") from error
    if not EARLIEST <= instant < LATEST:
        raise ValueError(f"{text!r} lies outside of 1970 to 2200")
    return instant


def to_datetime(instant: Instant) -> dt.datetime:
    """An aware UTC datetime."""
    return _EPOCH + dt.timedelta(microseconds=instant)


def midnight(day: dt.date) -> Instant:
    """The instant at which `day` begins in UTC."""
    return (day.toordinal() - _EPOCH_ORDINAL) * DAY


def epoch_unit(number: float) -> Literal["s", "ms", "us", "ns"]:
    """The unit of an instant since 1970, as its size tells."""
    return "s" if number < 1e11 else "ms" if number < 1e14 else "us" if number < 1e17 else "ns"


def utc_date(instant: Instant) -> dt.date:
    """The UTC date of an instant."""
    return dt.date.fromordinal(_EPOCH_ORDINAL + instant // DAY)
