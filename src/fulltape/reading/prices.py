"""Adjusted rows: the factors of what was asked for, from the anchor of each instrument."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from fulltape import errors
from fulltape.adjustment import apply
from fulltape.adjustment import factors as rules
from fulltape.adjustment.factors import AdjustedSpan, Factor
from fulltape.context import actions
from fulltape.context.point_in_time import PointInTime
from fulltape.market.instruments import Instrument
from fulltape.reading import life
from fulltape.reading.request import ScanRequest


def adjusted(
    rows: pl.LazyFrame,
    request: ScanRequest,
    view: PointInTime,
    chosen: Sequence[Instrument] | None,
    known: Sequence[Instrument],
    sources: Sequence[str],
) -> pl.LazyFrame:
    """Rows on the basis of the anchor that was asked for. `chosen`: whose the rows are (None: of any), `known`: who is in the
    dataset; `sources`: whose word on an action is preferred."""
    assert request.adjust
    if not view.ledger.coverage.knows(actions.DATASET):
        raise errors.UsageError(
            f"this node knows of no {actions.DATASET}, so prices cannot be adjusted.",
            hint=f"Add [dataset.{actions.DATASET}] with the same universe, and run fulltape nightly.",
        )
    names = [instrument.instrument for instrument in (known if chosen is None else chosen)]
    if chosen is None:  # rows may be there of some that have left the universe
        names = sorted({*names, *(name for name, *_ in view.ledger.coverage.held(request.dataset.name))})
    events = actions.events(view, sources, names)
    by_instrument: dict[str, list[Factor]] = {}
    for factor in actions.factors_of(view, events, request.convention):
        by_instrument.setdefault(factor.instrument, []).append(factor)
    lives = life.of(request, view, names)
    spans: list[AdjustedSpan] = []
    for name in names:
        first, last = lives[name]
        anchor = _anchor(request, first, last)
        edges = actions.unanswered(view, name, min(first, anchor), max(last, anchor))
        mine = [*by_instrument.get(name, []), *(rules.unanswered(name, day) for day in edges)]
        mine.sort(key=lambda factor: factor.ex_date)
        spans += rules.spans(name, mine, request.adjust, anchor)
    return apply.adjusted(rows, spans, alone=chosen is not None and len(names) == 1)


def _anchor(request: ScanRequest, first: dt.date, last: dt.date) -> dt.date:
    """The session to whose basis an instrument is brought: a date, or its first or its last visible session."""
    if isinstance(request.anchor, dt.date):
        return request.anchor
    return first if request.anchor == "first" else last
