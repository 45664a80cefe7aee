"""Cron expressions in a time zone: the only file that imports cronsim."""

from __future__ import annotations

import zoneinfo

from cronsim import CronSim, CronSimError

from fulltape.market.time import Instant, from_datetime, to_datetime

_FORM = 'it is no cron expression of minute, hour, day, month and weekday, such as "30 2 * * *" for 02:30'


def problem(expression: str, zone: str) -> str:
    """What is wrong with an expression or its zone, as the end of a sentence; '' where nothing is."""
    if reason := zone_problem(zone):
        return reason
    try:
        next(CronSim(expression, to_datetime(0)))
    except CronSimError as error:
        return f"{_FORM} ({str(error).rstrip('.')})"
    except StopIteration:
        return "no such day ever comes"
    return ""


def zone_problem(zone: str) -> str:
    """What is wrong with the name of a zone; '' where nothing is."""
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return f"there is no time zone {zone!r}"
    return ""


def following(expression: str, zone: str, after: Instant) -> Instant:
    """The first moment after another at which an expression is due. In the night in which clocks go forward an hour that
    does not exist is made up for at once; in the one in which they go back an hour that comes twice counts once."""
    local = to_datetime(after).astimezone(zoneinfo.ZoneInfo(zone))
    moments = map(from_datetime, CronSim(expression, local))
    # In an hour that comes twice the first moment may lie in its first pass, and we in the second.
    return next(at for at in moments if at > after)
