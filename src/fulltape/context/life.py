"""From which session to which rows of an instrument are visible."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence

from fulltape.context import scanning
from fulltape.context.point_in_time import PointInTime
from fulltape.ledger.part import Part
from fulltape.market.dataset import Dataset


def of(dataset: Dataset, view: PointInTime, names: Iterable[str]) -> Mapping[str, tuple[dt.date, dt.date]]:
    """The first and the last session of which curated rows of each instrument may be visible, whatever window was asked for; of
    one without any, the last session that may be, twice."""
    newest = view.ledger.catalogue.newest_session("curated", dataset.name)
    limit = min(last_visible(dataset, view), newest or dt.date.min)
    held = functools.cache(lambda: _held(view, dataset.name))
    return {name: _life(dataset, view, name, limit, held) for name in names}


def _held(view: PointInTime, dataset: str) -> Sequence[Part]:
    """The parts that tell of what coverage does not: curated ones, and as of an earlier knowledge what was captured by then."""
    if view.known is None:
        return view.ledger.catalogue.current("curated", dataset)
    raw = view.ledger.catalogue.current("raw", dataset)
    live = [part for part in raw if part.origin == "captured"]
    return [part for part in live if min(scanning.heard(view.layout, part)) <= view.known]


def _life(
    dataset: Dataset, view: PointInTime, name: str, limit: dt.date, held: Callable[[], Sequence[Part]]
) -> tuple[dt.date, dt.date]:
    spans = [
        (dt.date.fromisoformat(first), dt.date.fromisoformat(last))
        for _, fact, _, first, last in view.spans_of(dataset.name, name)
        if fact in ("present", "partial")
    ]
    if view.known is None:
        spans += [(day, day) for day in view.ledger.streams.captured(dataset.name, name)]
    if not spans or view.known is not None:  # nothing is known of it any more, its rows may be there still
        spans += [span for part in held() for span in part.cells.get(name, ())]
    seen = [(first, min(last, limit)) for first, last in spans if first <= limit]
    return (min(first for first, _ in seen), max(last for _, last in seen)) if seen else (limit, limit)


def last_visible(dataset: Dataset, view: PointInTime) -> dt.date:
    """The last session of which any row may be visible: one that has begun, or is over where its row is a day's."""
    moments = [moment for moment in (view.until, view.known) if moment is not None]
    if not moments:
        return dt.date.max
    calendar, until = view.calendar, min(moments)
    over = calendar.closed_by(until)
    if dataset.grain != "day":
        while over < len(calendar) and calendar.day_rule.begin(calendar.label(over)) <= until:
            over += 1
    return calendar.label(over - 1) if over else dt.date.min
