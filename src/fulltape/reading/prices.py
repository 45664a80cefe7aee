"""Adjusted rows: the factors of what was asked for, from the anchor of each instrument."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from fulltape.adjustment import apply
from fulltape.adjustment import factors as rules
from fulltape.adjustment.factors import AdjustedSpan, Factor
from fulltape.market.instruments import Instrument
from fulltape.reading.request import ScanRequest
from fulltape.reading.source import RowSource


def adjusted(
    rows: pl.LazyFrame, request: ScanRequest, source: RowSource, chosen: Sequence[Instrument] | None
) -> pl.LazyFrame:
    """Rows on the basis of the anchor that was asked for. `chosen`: whose the rows are (None: of any)."""
    assert request.adjust
    if chosen is None:  # rows may be there of some that have left the universe
        names = sorted({*(listed.instrument for listed in source.instruments()), *source.holders()})
    else:
        names = [listed.instrument for listed in chosen]
    by_instrument: dict[str, list[Factor]] = {}
    for factor in source.factors(names, request.convention):
        by_instrument.setdefault(factor.instrument, []).append(factor)
    lives = source.lives(request, names)
    spans: list[AdjustedSpan] = []
    for name in names:
        first, last = lives[name]
        anchor = _anchor(request, first, last)
        stretch = (min(first, anchor), max(last, anchor))
        edges = rules.unanswered_edges(source.answered(name), *stretch, anchor)
        mine = [*by_instrument.get(name, []), *(rules.unanswered(name, day) for day in edges)]
        mine.sort(key=lambda factor: factor.ex_date)
        spans += rules.spans(name, mine, request.adjust, anchor)
    return apply.adjusted(rows, spans, alone=chosen is not None and len(names) == 1)


def _anchor(request: ScanRequest, first: dt.date, last: dt.date) -> dt.date:
    """The session to whose basis an instrument is brought: a date, or its first or its last visible session."""
    if isinstance(request.anchor, dt.date):
        return request.anchor
    return first if request.anchor == "first" else last
