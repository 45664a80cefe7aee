"""How long a bar is, as people write it: `30s`, `5m`, `1h`, `1d`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fulltape import errors
from fulltape.market.time import DAY, HOUR, MINUTE, SECOND

_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """The length of a bar in microseconds; a day is a session, however long it is."""

    text: str
    length: int

    @property
    def whole_session(self) -> bool:
        """Whether a bar is a session."""
        return self.length == DAY


def parse(text: str) -> Every:
    """Out of a number and s, m, h or d. `UsageError` for anything else, for more than a day, and for what does not divide one
    day evenly: its bars would begin elsewhere each day."""
    match = re.fullmatch(r"([1-9]\d{0,5})\s*([smhd])", str(text).strip())
    if match is None:
        raise errors.UsageError(
            f"{text!r} is no length of a bar.", hint="Write a number and s, m, h or d: 30s, 5m, 1h, 1d."
        )
    length = int(match[1]) * _UNITS[match[2]]
    if length > DAY or DAY % length:
        raise errors.UsageError(
            f"bars of {text} do not fill a day evenly.", hint="1m, 5m, 15m, 30m, 1h, 2h, 4h and 1d do."
        )
    return Every(text=text.strip(), length=length)
