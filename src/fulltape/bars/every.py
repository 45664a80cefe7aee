"""How long a bar is, as people write it: `30s`, `5m`, `1h`, `1d`, or by what is traded: `500 ticks`, `10000 volume`, `1e6 value`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from fulltape import errors
from fulltape.market.time import DAY, HOUR, MINUTE, SECOND

Measure = Literal["ticks", "volume", "value"]
_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_MEASURES: dict[str, Measure] = {
    "tick": "ticks", "ticks": "ticks", "volume": "volume", "shares": "volume", "value": "value", "dollars": "value",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """The length of a bar of time in microseconds; a day is a session, however long it is."""

    text: str
    length: int

    @property
    def whole_session(self) -> bool:
        """Whether a bar is a session."""
        return self.length == DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class EveryTraded:
    """A bar ends when so much of something was traded: trades (or quotes), units, or price times units."""

    text: str
    measure: Measure
    size: float


def of_time(text: str) -> Every:
    """Like `parse`, of a length of time only."""
    length = parse(text)
    if isinstance(length, EveryTraded):
        raise errors.UsageError(
            f"bars of {text} are made of ticks, not of minutes.",
            hint="Scan the dataset of trades of the same kind.",
        )
    return length


def parse(text: str) -> Every | EveryTraded:
    """Out of a number and s, m, h or d, or a number and ticks, volume (or shares), value (or dollars). `UsageError` for anything
    else, for more than a day, and for what does not divide one day evenly: its bars would begin elsewhere each day."""
    plain = str(text).strip()
    match = re.fullmatch(r"([1-9]\d{0,5})\s*([smhd])", plain)
    if match is None:
        return _traded(plain)
    length = int(match[1]) * _UNITS[match[2]]
    if length > DAY or DAY % length:
        raise errors.UsageError(
            f"bars of {text} do not fill a day evenly.", hint="1m, 5m, 15m, 30m, 1h, 2h, 4h and 1d do."
        )
    return Every(text=plain, length=length)


def _traded(plain: str) -> EveryTraded:
    match = re.fullmatch(r"(\d+(?:\.\d+)?(?:[eE]\d{1,2})?)\s*([a-z]+)", plain)
    measure = _MEASURES.get(match[2]) if match else None
    size = float(match[1]) if match else math.nan
    if measure is None or not size > 0 or (measure == "ticks" and size != int(size)):
        raise errors.UsageError(
            f"{plain!r} is no length of a bar.",
            hint="Write a number and s, m, h or d (30s, 5m, 1h, 1d), or of ticks: 500 ticks, 10000 volume, 1e6 value.",
        )
    return EveryTraded(text=plain, measure=measure, size=size)
