"""Adjusted rows: the factors of what was asked for, from the anchor of each instrument."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from fulltape import errors
from fulltape.adjustment import apply
from fulltape.adjustment import factors as rules
from fulltape.adjustment.factors import AdjustedSpan, Factor
from fulltape.context import actions
from fulltape.context.actions import PointInTime
from fulltape.market.instruments import Instrument
from fulltape.reading.request import ScanRequest


def adjusted(
    rows: pl.LazyFrame,
    request: ScanRequest,
    view: PointInTime,
    instruments: Sequence[Instrument],
    sources: Sequence[str],
) -> pl.LazyFrame:
    """Rows on the basis of the anchor that was asked for. `instruments`: all that the rows may have; `sources`: whose word on an
    action is preferred."""
    assert request.adjust
    if not view.ledger.catalogue.current("raw", actions.DATASET):
        raise errors.UsageError(
            f"this node holds no {actions.DATASET}, so prices cannot be adjusted.",
            hint=f"Add [dataset.{actions.DATASET}] with the same universe, and run fulltape nightly.",
        )
    names = [instrument.instrument for instrument in instruments]
    known = actions.events(view, sources, names)
    made = actions.factors_of(view, known, request.convention)
    by_instrument: dict[str, list[Factor]] = {}
    for factor in made:
        by_instrument.setdefault(factor.instrument, []).append(factor)
    anchors = _anchors(request, view, names)
    spans: list[AdjustedSpan] = []
    for name in names:
        spans += rules.spans(name, by_instrument.get(name, []), request.adjust, anchors[name])
    return apply.adjusted(rows, spans)


def _anchors(request: ScanRequest, view: PointInTime, names: Iterable[str]) -> Mapping[str, dt.date]:
    """The session to whose basis each instrument is brought: a date, or its first or its last visible session."""
    if isinstance(request.anchor, dt.date):
        return dict.fromkeys(names, request.anchor)
    edges = {name: _life(request, view, name) for name in names}
    return {name: first if request.anchor == "first" else last for name, (first, last) in edges.items()}


def _life(request: ScanRequest, view: PointInTime, name: str) -> tuple[dt.date, dt.date]:
    """The first and the last session of which rows of an instrument are visible; of one without rows today's basis."""
    limit = _last_visible(request, view)
    spans = [
        (dt.date.fromisoformat(first), dt.date.fromisoformat(last))
        for _, fact, _, first, last in view.ledger.coverage.spans_of(request.dataset.name, name)
        if fact in ("present", "partial")
    ]
    captured = view.ledger.streams.captured(request.dataset.name, name)
    days = [*(day for span in spans for day in span), *captured]
    visible = [min(day, limit) for day in days if day <= limit] + [
        limit for first, last in spans if first <= limit < last
    ]
    return (min(visible), max(visible)) if visible else (limit, limit)


def _last_visible(request: ScanRequest, view: PointInTime) -> dt.date:
    """The last session of which any row may be visible: one that has begun, or is over where its row is a day's."""
    if view.until is None:
        return dt.date.max
    sessions = view.calendar.sessions
    whole = request.dataset.grain == "day"
    over = [session.label for session in sessions if (session.close if whole else session.open) <= view.until]
    return over[-1] if over else dt.date.min
