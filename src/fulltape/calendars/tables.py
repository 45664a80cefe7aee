"""Loads a calendar: the table, with the overrides laid over it.

A table is a CSV file with one line a session (`session,open,close`, where there is a midday break also
`break_start,break_end`; times UTC, `23:00-1` on the day before the label and `00:00+1` on the day after) under a comment
line that says where it comes from and which days it knows. The version is a digest of table and overrides and goes into manifests.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import importlib.resources
import re
import tomllib
from pathlib import Path
from typing import Any

from fulltape import errors
from fulltape.calendars import rules
from fulltape.market.sessions import Calendar, Session
from fulltape.market.time import HOUR, MINUTE, SECOND, Instant, Span, midnight

_NAME = re.compile(r"[\w/-]+")
_HERE = importlib.resources.files(__package__)


@functools.cache
def load(name: str, folder: Path | None = None) -> Calendar:
    """The calendar of that name, by rule, from a table in `folder`, or from package data; `UsageError` if there is none."""
    if name in rules.names():
        return rules.build(name)
    return parse(*texts(name, folder))


def texts(name: str, folder: Path | None = None) -> tuple[str, str]:
    """The texts that a calendar is read from, which is not known by rule: its table and the overrides; `UsageError` as `load`."""
    file = f"{name}.csv"
    table = folder / file if folder and (folder / file).is_file() else _HERE / "tables" / file
    if not _NAME.fullmatch(name) or not table.is_file():
        raise errors.UsageError(
            f"there is no calendar {name!r}.",
            hint=f"`fulltape calendars refresh {name}` builds its table, if exchange_calendars knows it.",
        )
    return table.read_text(), (_HERE / "overrides.toml").read_text()


def parse(text: str, overrides: str) -> Calendar:
    """A calendar out of a table's text and the overrides' text."""
    lines = text.splitlines()
    head = dict(pair.split("=", 1) for pair in lines[0].removeprefix("# ").split(" "))
    known = tomllib.loads(overrides).get(head["name"], {})
    hours = {row["session"]: row for row in known.get("hours", ())}
    halts: dict[dt.date, tuple[Span, ...]] = {}
    for row in known.get("halt", ()):
        halts[row["session"]] = (*halts.get(row["session"], ()), _span(row))
    return Calendar(
        name=head["name"],
        version=hashlib.sha256(f"{text}\n{overrides}".encode()).hexdigest()[:12],
        zone=head["zone"],
        known_from=dt.date.fromisoformat(head["known_from"]),
        known_to=dt.date.fromisoformat(head["known_to"]),
        sessions=tuple(_session(line, hours) for line in lines[2:]),
        halts=halts,
    )


def _session(line: str, hours: dict[dt.date, Any]) -> Session:
    label_text, open_text, close_text, *pause = line.split(",")
    label = dt.date.fromisoformat(label_text)
    override = hours.get(label, {})
    return Session(
        label=label,
        open=_at(label, override.get("open", open_text)),
        close=_at(label, override.get("close", close_text)),
        pause=Span(start=_at(label, pause[0]), end=_at(label, pause[1])) if pause and pause[0] else None,
    )


def _span(row: dict[str, Any]) -> Span:
    return Span(start=_at(row["session"], row["from"]), end=_at(row["session"], row["to"]))


def _at(day: dt.date, clock: str) -> Instant:
    clock, day = _day_of(clock, day)
    hour, minute, *second = clock.split(":")
    return (
        midnight(day) + int(hour) * HOUR + int(minute) * MINUTE + (int(second[0]) if second else 0) * SECOND
    )


def _day_of(clock: str, day: dt.date) -> tuple[str, dt.date]:
    """The clock without its offset in days, and the day that it is on."""
    for sign in "+-":
        if sign in clock:
            clock, _, days = clock.partition(sign)
            return clock, day + dt.timedelta(days=int(f"{sign}{days}"))
    return clock, day
