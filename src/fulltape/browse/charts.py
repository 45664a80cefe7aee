"""Bars of a series for a chart: as long as makes it readable, with gaps as gaps."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from fulltape import errors
from fulltape.browse.questions import BarsAnswer, BarsQuestion, Marker
from fulltape.context import ConfiguredDataset, NodeContext, known
from fulltape.coverage.cell import Verdict
from fulltape.market.time import MINUTE, Clock, Instant
from fulltape.reader import Reader
from fulltape.reading import lengths
from fulltape.reading.request import is_adjustable
from fulltape.views import gaps

_READABLE = 2_500
"""Bars of a chart."""
_MOST_BARS, _MOST_ROWS, _MOST_MARKERS = 8_000, 500, 500
_LENGTHS: Mapping[str, int] = {"1s": 1, "5s": 5, "1m": 60, "5m": 300, "15m": 900, "1h": 3_600}
"""Of bars, in seconds; longer ones are whole sessions."""
_DAY = "1d"
ROWS = "rows"
_USUAL = {"day": 250, "minute": 5, "tick": 1, "event": 2_500}
"""Sessions that are shown where the question names none."""


def answer(context: NodeContext, reader: Reader, clock: Clock, question: BarsQuestion) -> BarsAnswer:
    """What the question asks for; `UsageError` for whatever cannot be meant."""
    wanted, instrument = gaps.series_of(context, question.dataset, question.symbol)
    first, last = _window(wanted, question, clock.now())
    every = _every(wanted, question.every, first, last)
    more = _arguments(wanted, question, every)
    shape: dict[str, Any] = {} if every == ROWS else {"grid": True}
    start, end = (question.start or first, question.end or last)
    if wanted.dataset.grain == "event" or every == ROWS:
        shape = {}
    rows = reader.scan(
        wanted.dataset.name, instruments=instrument, start=start, end=end, **more, **shape
    ).collect()
    about: dict[str, Any] = {
        "dataset": wanted.dataset.name,
        "title": wanted.title,
        "instrument": instrument,
        "every": more.get("every", ""),
        "first": first.isoformat(),
        "last": last.isoformat(),
        "python": _python(context, wanted, instrument, str(start), str(end), more),
    }
    if not {"open", "high", "low", "close"} <= set(rows.columns) or every == ROWS:
        return _table(rows, about)
    return _bars(
        context, wanted, instrument, rows, about, whole=every == _DAY or wanted.dataset.grain == "day"
    )


def _window(wanted: ConfiguredDataset, question: BarsQuestion, now: Instant) -> tuple[dt.date, dt.date]:
    """The first and the last session that are asked for, or the newest."""
    calendar = wanted.calendar
    newest = known.last_wanted(wanted, now)
    last = _day(question.end) or newest or wanted.first
    if begins := _day(question.start):
        return begins, last
    stop = calendar.between(last, last)[1]
    return max(wanted.first, calendar.label(max(0, stop - _USUAL[wanted.dataset.grain]))), last


def _day(text: str) -> dt.date | None:
    """The day of a date or a moment; None for ''."""
    if not text:
        return None
    try:
        return dt.date.fromisoformat(text[:10])
    except ValueError:
        raise errors.UsageError(f"{text!r} is no date.", hint="Write it like 2024-03-28.") from None


def _every(wanted: ConfiguredDataset, every: str, first: dt.date, last: dt.date) -> str:
    """The length of bars; '' as the dataset has them."""
    dataset = wanted.dataset
    if every != "auto":
        return every
    if not lengths.is_ticks(dataset) and dataset.grain != "minute":
        return ""
    seconds = 60 * wanted.calendar.expected_minutes_of(wanted.calendar.between(first, last))
    shortest = 1 if lengths.is_ticks(dataset) else MINUTE // 1_000_000
    for text, length in _LENGTHS.items():
        if length >= shortest and seconds // length <= _READABLE:
            return text
    return _DAY


def _arguments(wanted: ConfiguredDataset, question: BarsQuestion, every: str) -> dict[str, Any]:
    more: dict[str, Any] = {"every": every} if every not in ("", ROWS) else {}
    if question.adjust != "none":
        if not is_adjustable(wanted.dataset):
            raise errors.UsageError(f"the prices of {wanted.dataset.name} are not adjusted.")
        more["adjust"] = question.adjust
    return more


def _python(
    context: NodeContext,
    wanted: ConfiguredDataset,
    instrument: str,
    start: str,
    end: str,
    more: Mapping[str, str],
) -> str:
    """The line that reads just that."""
    named = {"instruments": instrument, "start": start, "end": end, **more}
    arguments = ", ".join(f'{name}="{value}"' for name, value in named.items())
    return f'fulltape.open("{context.folder}").scan("{wanted.dataset.name}", {arguments}).collect()'


def _table(rows: pl.DataFrame, about: dict[str, Any]) -> BarsAnswer:
    shown = rows.tail(_MOST_ROWS)
    return BarsAnswer(
        kind="rows",
        zone="UTC",
        cut=rows.height > shown.height,
        columns=shown.columns,
        rows=[["" if value is None else str(value) for value in row] for row in shown.iter_rows()],
        **about,
    )


def _bars(
    context: NodeContext,
    wanted: ConfiguredDataset,
    instrument: str,
    rows: pl.DataFrame,
    about: dict[str, Any],
    *,
    whole: bool,
) -> BarsAnswer:
    shown = rows.sort("session", "ts", maintain_order=True).tail(_MOST_BARS)
    times, zone = _times(shown, wanted.calendar.zone, whole=whole)
    return BarsAnswer(
        kind="bars",
        zone=zone,
        cut=rows.height > shown.height,
        time=times,
        markers=_markers(context, wanted, instrument, shown["session"], times),
        open=_numbers(shown, "open"),
        high=_numbers(shown, "high"),
        low=_numbers(shown, "low"),
        close=_numbers(shown, "close"),
        volume=_numbers(shown, "volume") if "volume" in shown.columns else [],
        **about,
    )


def _numbers(rows: pl.DataFrame, column: str) -> list[float | None]:
    return rows[column].cast(pl.Float64).to_list()


def _times(rows: pl.DataFrame, zone: str, *, whole: bool) -> tuple[list[int | str], str]:
    """Sessions as dates, or what a clock in the market's zone shows as seconds since 1970; in UTC where that clock is put back."""
    if whole:
        return rows["session"].cast(pl.String).to_list(), zone
    utc = rows["ts"].dt.replace_time_zone(None)
    local = rows["ts"].dt.convert_time_zone(zone).dt.replace_time_zone(None)
    ascending = bool((local.diff().drop_nulls() > dt.timedelta(0)).all())
    chosen, zone = (local, zone) if ascending else (utc, "UTC")
    return chosen.dt.epoch("s").to_list(), zone


def _markers(
    context: NodeContext,
    wanted: ConfiguredDataset,
    instrument: str,
    sessions: pl.Series,
    times: Sequence[int | str],
) -> list[Marker]:
    """What the checks said of sessions that are not GREEN, at the first bar of each."""
    at: dict[dt.date, int | str] = {}
    for session, time in zip(sessions.to_list(), times, strict=True):
        at.setdefault(session, time)
    said = [
        verdict
        for kind in (Verdict.RED, Verdict.AMBER)
        for verdict in context.ledger.verdicts.of_kind(wanted.dataset.name, kind)
        if verdict.instrument == instrument
    ]
    markers = [
        Marker(time=time, verdict=verdict.verdict.value, text=verdict.codes)
        for session, time in at.items()
        for verdict in said
        if verdict.first <= session <= verdict.last
    ]
    return markers[-_MOST_MARKERS:]
