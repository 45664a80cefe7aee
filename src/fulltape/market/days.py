"""Where a trading day begins, by calendar: the one rule by which an instant belongs to a session.

Equities: 20:00 New York of the evening before. Forex: 17:00 New York of the evening before. Everything else, and macro
releases and corporate actions, which have dates only: the UTC day.
"""

from __future__ import annotations

import datetime as dt
import functools
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass

from fulltape.market.time import HOUR, Instant, from_datetime, midnight, to_datetime, utc_date

NEW_YORK = "America/New_York"
PRE_OPEN, EXTENDED_END = 4 * HOUR, 20 * HOUR
"""Where early hours begin and late ones end, since midnight of the market's zone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRule:
    """A session labelled D begins `early` microseconds before the midnight, in `zone`, at which D begins."""

    zone: str
    early: int

    def begin(self, day: dt.date) -> Instant:
        """The instant at which session `day` begins; by the wall clock, so daylight saving moves nothing."""
        if self.zone == "UTC":
            return midnight(day) - self.early
        clock = dt.datetime.combine(day, dt.time()) - dt.timedelta(microseconds=self.early)
        return from_datetime(clock.replace(tzinfo=zoneinfo.ZoneInfo(self.zone)))

    def session(self, instant: Instant) -> dt.date:
        """The session to which an instant belongs."""
        if self.zone == "UTC":
            return utc_date(instant + self.early)
        local = to_datetime(instant).astimezone(zoneinfo.ZoneInfo(self.zone)).replace(tzinfo=None)
        return (local + dt.timedelta(microseconds=self.early)).date()


ROUND_THE_CLOCK = "24/7"
DATES = "dates"
FOREX = "forex"
RULES: Mapping[str, DayRule] = {
    "XNYS": DayRule(zone=NEW_YORK, early=4 * HOUR),
    FOREX: DayRule(zone=NEW_YORK, early=7 * HOUR),
    ROUND_THE_CLOCK: DayRule(zone="UTC", early=0),
    DATES: DayRule(zone="UTC", early=0),
}


def rule(calendar: str) -> DayRule | None:
    """The rule that is written down for a calendar."""
    return RULES.get(calendar)


@functools.cache
def zone_midnight(zone: str) -> DayRule:
    """The rule of days that begin at midnight of a zone."""
    return DayRule(zone=zone, early=0)
