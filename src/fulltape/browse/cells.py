"""The story of a cell, for a page."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Sequence

import polars as pl

from fulltape import errors
from fulltape.browse import series
from fulltape.browse.questions import CellAnswer, CellQuestion
from fulltape.context import ConfiguredDataset, NodeContext
from fulltape.heatmap.plan import CellState
from fulltape.market.time import Clock
from fulltape.reader import Reader
from fulltape.views import explain, story

_MOST_HOLES = 40


def answer(context: NodeContext, reader: Reader, clock: Clock, question: CellQuestion) -> CellAnswer:
    """Everything that is known of the cell."""
    wanted, instrument = series.named(context, question.dataset, question.symbol)
    session = _session(question.session)
    explained = explain.explain(context, clock, wanted, instrument, session)
    calendar = wanted.calendar
    start, stop = calendar.between(session, session)
    position = calendar.position(session)
    shown = series.picture(context, wanted, instrument, clock.now())
    state = series.state(shown, explained.cell.verdict, position)
    counted = wanted.dataset.grain == "minute" and position is not None and state is not CellState.NOT_WANTED
    minutes = _minutes(reader, wanted, instrument, session) if counted else None
    expected = calendar.expected_minutes(position) if counted and position is not None else 0
    return CellAnswer(
        dataset=wanted.dataset.name,
        title=wanted.title,
        instrument=instrument,
        session=session.isoformat(),
        state=state.name.lower(),
        verdict=explained.cell.verdict.value,
        answer=story.answer(explained),
        pairs=list(story.pairs(explained)),
        zone=calendar.zone,
        expected=minutes.height if minutes is not None else expected,
        rows=minutes.filter("there").height if minutes is not None else 0,
        holes=_holes(minutes, calendar.zone) if minutes is not None else [],
        before=calendar.label(start - 1).isoformat() if start else "",
        after=calendar.label(stop).isoformat() if stop < len(calendar) else "",
    )


def _session(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise errors.UsageError(f"{text!r} is no date.", hint="Write it like 2024-03-28.") from None


def _minutes(
    reader: Reader, wanted: ConfiguredDataset, instrument: str, session: dt.date
) -> pl.DataFrame | None:
    """The regular minutes of a session, and whether each is there; None where none is."""
    rows = reader.scan(
        wanted.dataset.name, instruments=instrument, start=session, end=session, every="1m", grid=True
    ).collect()
    there = rows.select("ts", pl.col("close").is_not_null().alias("there"))
    return there if there["there"].any() else None


def _holes(minutes: pl.DataFrame, zone: str) -> list[str]:
    """Minutes that are expected and not there, neighbours together."""
    lacking = minutes.filter(~pl.col("there"))["ts"].to_list()
    runs: list[list[dt.datetime]] = []
    for moment in lacking:
        if runs and moment - runs[-1][-1] == dt.timedelta(minutes=1):
            runs[-1].append(moment)
        else:
            runs.append([moment])
    words = [_words(run, zone) for run in runs]
    more = len(words) - _MOST_HOLES
    return words if more <= 0 else [*words[:_MOST_HOLES], f"and {more} more"]


def _words(run: Sequence[dt.datetime], zone: str) -> str:
    there = zoneinfo.ZoneInfo(zone)
    first, last = (moment.astimezone(there).strftime("%H:%M") for moment in (run[0], run[-1]))
    return first if first == last else f"{first} to {last}"
