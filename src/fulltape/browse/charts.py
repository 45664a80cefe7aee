"""Bars of a series for a chart: as long as makes it readable, with gaps as gaps."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from fulltape import errors
from fulltape.browse import series
from fulltape.browse.questions import BarsAnswer, BarsQuestion, Marker
from fulltape.context import ConfiguredDataset, NodeContext, known
from fulltape.coverage.cell import Verdict
from fulltape.coverage.series import Picture
from fulltape.market import ranges
from fulltape.market.time import SECOND, Clock, Instant, Span
from fulltape.reader import Reader
from fulltape.reading import lengths
from fulltape.reading.request import is_adjustable

_READABLE = 2_500
"""Bars of a chart."""
_MOST_BARS, _MOST_ROWS, _MOST_MARKERS = 20_000, 500, 500
_MOST_TICKS = 20_000_000
"""Rows, at most, out of which bars are made for a page."""
_LENGTHS: Mapping[str, int] = {"1s": 1, "5s": 5, "1m": 60, "5m": 300, "15m": 900, "1h": 3_600}
"""Of bars, in seconds; longer ones are whole sessions."""
_DAY = "1d"
ROWS = "rows"
_USUAL = {"day": 250, "minute": 5, "tick": 1, "event": 2_500}
"""Sessions that are shown where the question names none."""
_PRICES = ("open", "high", "low", "close")


def answer(context: NodeContext, reader: Reader, clock: Clock, question: BarsQuestion) -> BarsAnswer:
    """What the question asks for; `UsageError` for whatever cannot be meant."""
    wanted, instrument = series.named(context, question.dataset, question.symbol)
    shown = series.picture(context, wanted, instrument, clock.now())
    first, last = _window(wanted, question, clock.now())
    every = _every(wanted, question.every, first, last)
    _bounded(context, wanted, instrument, (first, last), every)
    more = _arguments(wanted, question, every)
    gridded = every != ROWS and wanted.dataset.grain in ("day", "minute")
    window = {"start": question.start or first.isoformat(), "end": question.end or last.isoformat()}
    arguments = {"instruments": instrument, **window, **more, **({"grid": True} if gridded else {})}
    lazy = reader.scan(wanted.dataset.name, **arguments)
    about: dict[str, Any] = {
        "dataset": wanted.dataset.name,
        "title": wanted.title,
        "instrument": instrument,
        "every": more.get("every", ""),
        "first": first.isoformat(),
        "last": last.isoformat(),
        "python": _python(context, wanted, arguments),
        "lacking": sum(ranges.size(where) for where in _lacking(wanted, shown, (first, last)).values()),
    }
    if every == ROWS or not set(_PRICES) <= set(lazy.collect_schema().names()):
        return _table(lazy, about)
    chart = _Chart(context, wanted, instrument, shown, (first, last), every or _own(wanted))
    return chart.of(lazy.collect(), about, short=_short(reader, wanted, arguments))


def _own(wanted: ConfiguredDataset) -> str:
    """How long the bars of a dataset are."""
    return "1m" if wanted.dataset.grain == "minute" else _DAY


def _window(wanted: ConfiguredDataset, question: BarsQuestion, now: Instant) -> tuple[dt.date, dt.date]:
    """The first and the last session that are asked for, or the newest."""
    calendar = wanted.calendar
    newest = known.last_wanted(wanted, now)
    begins, ends = _day(question.start), _day(question.end)
    if newest is None or newest < wanted.first:
        if not (begins and ends):
            raise errors.UsageError(
                f"nothing of {wanted.dataset.name} is wanted yet that is final: it is wanted from {wanted.first} on."
            )
        newest = ends
    last = ends or newest
    if begins:
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
    if every not in ("auto", "", ROWS, _DAY, *_LENGTHS):
        raise errors.UsageError(
            f"{every!r} is no length of a bar here.", hint=f"There is {', '.join(_LENGTHS)}, {_DAY}, rows."
        )
    if every != "auto":
        return every
    if not lengths.is_ticks(dataset) and dataset.grain != "minute":
        return ""
    shortest = 1 if lengths.is_ticks(dataset) else 60
    seconds = _seconds(wanted, first, last)
    for text, length in _LENGTHS.items():
        if length >= shortest and seconds // length <= _READABLE:
            return text
    return _DAY


def _seconds(wanted: ConfiguredDataset, first: dt.date, last: dt.date) -> int:
    return 60 * wanted.calendar.expected_minutes_of(wanted.calendar.between(first, last))


def _bounded(
    context: NodeContext,
    wanted: ConfiguredDataset,
    instrument: str,
    window: tuple[dt.date, dt.date],
    every: str,
) -> None:
    """`UsageError` for what would take more memory than a small machine has to give."""
    bars = _seconds(wanted, *window) // _LENGTHS.get(every or _own(wanted), 86_400)
    if every != ROWS and wanted.dataset.grain != "day" and bars > 10 * _MOST_BARS:
        raise errors.UsageError(
            f"{window[0]} to {window[1]} are {bars:,} bars of {every or _own(wanted)}.",
            hint="Ask for longer bars, or fewer sessions.",
        )
    if not lengths.is_ticks(wanted.dataset) or every == ROWS:
        return
    parts = context.ledger.catalogue.current("curated", wanted.dataset.name, first=window[0], last=window[1])
    rows = sum(part.rows // max(1, len(part.cells)) for part in parts if instrument in part.cells)
    if rows > _MOST_TICKS:
        raise errors.UsageError(
            f"{window[0]} to {window[1]} are about {rows:,} rows.", hint="Ask for fewer sessions."
        )


def _arguments(wanted: ConfiguredDataset, question: BarsQuestion, every: str) -> dict[str, Any]:
    more: dict[str, Any] = {"every": every} if every not in ("", ROWS) else {}
    if question.adjust != "none":
        if not is_adjustable(wanted.dataset):
            raise errors.UsageError(f"the prices of {wanted.dataset.name} are not adjusted.")
        more["adjust"] = question.adjust
    return more


def _python(context: NodeContext, wanted: ConfiguredDataset, arguments: Mapping[str, Any]) -> str:
    """The line that reads just that."""
    given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return f"import fulltape; fulltape.open({str(context.folder)!r}).scan({wanted.dataset.name!r}, {given}).collect()"


def _table(lazy: pl.LazyFrame, about: dict[str, Any]) -> BarsAnswer:
    rows = lazy.tail(_MOST_ROWS + 1).collect(engine="streaming")
    shown = rows.tail(_MOST_ROWS)
    return BarsAnswer(
        kind="rows",
        zone="UTC",
        cut=rows.height > shown.height,
        columns=shown.columns,
        rows=[["" if value is None else str(value) for value in row] for row in shown.iter_rows()],
        **about,
    )


def _lacking(
    wanted: ConfiguredDataset, shown: Picture, window: tuple[dt.date, dt.date]
) -> Mapping[str, ranges.Ranges]:
    """Positions of a window that should be there and are not, or not whole, by reason."""
    span = ranges.normalise([wanted.calendar.between(*window)])
    reasons = ("missing", "partial", "unobtainable", "unknown_listing")
    return {reason: ranges.intersect(getattr(shown, reason), span) for reason in reasons}


def _short(reader: Reader, wanted: ConfiguredDataset, arguments: Mapping[str, Any]) -> int:
    """Minutes that are expected and are not there in sessions of which some are, where bars are longer than a minute."""
    if wanted.dataset.grain != "minute" or arguments.get("every", "1m") == "1m":
        return 0
    minutes = {name: value for name, value in arguments.items() if name != "adjust"} | {"every": "1m"}
    there = pl.col("close").is_not_null()
    by_session = (
        reader.scan(wanted.dataset.name, **minutes)
        .group_by("session")
        .agg(there.sum().alias("there"), there.not_().sum().alias("lacking"))
        .filter(pl.col("there") > 0)
        .select(pl.col("lacking").sum())
        .collect()
    )
    return int(by_session.item() or 0)


class _Chart:
    """Bars of a window, each at its time, and those that should be there beside them."""

    def __init__(
        self,
        context: NodeContext,
        wanted: ConfiguredDataset,
        instrument: str,
        shown: Picture,
        window: tuple[dt.date, dt.date],
        every: str,
    ) -> None:
        self._context, self._wanted, self._instrument = context, wanted, instrument
        self._shown, self._window, self._every = shown, window, every

    def of(self, rows: pl.DataFrame, about: dict[str, Any], *, short: int) -> BarsAnswer:
        """The answer: rows of `scan`, and nothing at the times of sessions that lack."""
        prices = [name for name in (*_PRICES, "volume") if name in rows.columns]
        bars = rows.select(
            "session", pl.col("ts").dt.epoch("us"), *(pl.col(name).cast(pl.Float64) for name in prices)
        )
        absent = self._absent(set(bars["session"].to_list()))
        whole = pl.concat([bars, absent], how="diagonal").sort("session", "ts", maintain_order=True)
        kept = whole.tail(_MOST_BARS)
        times, zone = self._times(kept)
        markers, unmarked = self._markers(kept["session"].to_list(), times)
        return BarsAnswer(
            kind="bars",
            zone=zone,
            cut=whole.height > kept.height,
            short=short,
            unmarked=unmarked,
            time=times,
            session=kept["session"].cast(pl.String).to_list(),
            markers=markers,
            open=kept["open"].to_list(),
            high=kept["high"].to_list(),
            low=kept["low"].to_list(),
            close=kept["close"].to_list(),
            volume=kept["volume"].to_list() if "volume" in kept.columns else [],
            **about,
        )

    def _absent(self, there: set[dt.date]) -> pl.DataFrame:
        """The times of bars of sessions of which none is there and some should be."""
        calendar = self._wanted.calendar
        lacking = ranges.union(*_lacking(self._wanted, self._shown, self._window).values())
        length = _LENGTHS.get(self._every)
        # Where too many lack to be drawn bar by bar, one at the open stands for a session.
        fine = length is not None and _seconds(self._wanted, *self._window) // length <= _MOST_BARS
        times: list[tuple[dt.date, Instant]] = []
        for position in ranges.points(lacking):
            session = calendar.sessions[position]
            if session.label in there:
                continue
            step = length * SECOND if length and fine else session.close - session.open
            starts = range(session.open, session.close, step)
            times += [(session.label, at) for at in starts if not _pausing(session.pause, at)]
        return pl.DataFrame(times, schema={"session": pl.Date, "ts": pl.Int64}, orient="row")

    def _times(self, rows: pl.DataFrame) -> tuple[list[int | str], str]:
        """Sessions as dates, or what a clock in the market's zone shows as seconds since 1970; in UTC where that clock is put back."""
        zone = self._wanted.calendar.zone
        if self._every == _DAY:
            return rows["session"].cast(pl.String).to_list(), zone
        moments = rows["ts"].cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        local = moments.dt.convert_time_zone(zone).dt.replace_time_zone(None).dt.epoch("s").to_list()
        if all(before < after for before, after in itertools.pairwise(local)):
            return local, zone
        return moments.dt.epoch("s").to_list(), "UTC"

    def _markers(self, sessions: Sequence[dt.date], times: Sequence[int | str]) -> tuple[list[Marker], int]:
        """What the checks said of sessions that are not GREEN, at the first bar of each; and how many of AMBER ones are left out."""
        at: dict[dt.date, int | str] = {}
        for session, time in zip(sessions, times, strict=True):
            at.setdefault(session, time)
        by_kind = {
            kind: [
                Marker(time=time, verdict=kind.value, text=said.codes)
                for said in self._context.ledger.verdicts.of_kind(self._wanted.dataset.name, kind)
                if said.instrument == self._instrument
                for session, time in at.items()
                if said.first <= session <= said.last
            ]
            for kind in (Verdict.RED, Verdict.AMBER)
        }
        red, amber = by_kind[Verdict.RED], by_kind[Verdict.AMBER]
        kept = [*red, *amber][: max(_MOST_MARKERS, len(red))]
        return sorted(kept, key=lambda marker: marker.time), len(red) + len(amber) - len(kept)


def _pausing(pause: Span | None, at: Instant) -> bool:
    return pause is not None and pause.start <= at < pause.end
