"""Segments say of many series at once what `coverage.series` says of each."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from fulltape import context as opening
from fulltape.coverage import segments, series
from fulltape.coverage.cell import FactKind
from fulltape.coverage.segments import FACTS, OPENED, Segments, SeriesOnAxis
from fulltape.coverage.series import Series
from fulltape.market import ranges
from fulltape.market.instruments import DatedSymbol, Instrument
from fulltape.market.ranges import Range, Ranges

CALENDAR = opening.calendar("XNYS")
AXIS = segments.axis(CALENDAR)
BEGIN = 1_000
SOURCES = ("a.x", "b.x", "c.x")
FACT: dict[str, tuple[FactKind, bool]] = {
    "present": ("present", False),
    "partial": ("partial", False),
    "empty": ("empty", False),
    "sound": ("empty", True),
    "refused": ("refused", True),
}

span = st.tuples(st.integers(0, 15), st.integers(1, 6)).map(lambda one: (BEGIN + one[0], BEGIN + sum(one)))
spans = st.lists(span, max_size=4)
fact = st.tuples(st.sampled_from(SOURCES), st.sampled_from(sorted(FACT)), span)
one_series = st.fixed_dictionaries(
    {
        "wanted": spans,
        "servable": st.dictionaries(st.sampled_from(SOURCES), span),
        "facts": st.lists(fact, max_size=6),
        "open": spans,
        "known": st.booleans(),
    }
)
universe = st.lists(one_series, min_size=1, max_size=4)


def labels(where: Range) -> tuple[str, str]:
    return CALENDAR.label(where[0]).isoformat(), CALENDAR.label(where[1] - 1).isoformat()


def as_series(one: dict[str, Any], *, events: bool, votes: bool = False) -> Series:
    first = dt.date(2000, 1, 3) if one["known"] else None
    return Series(
        instrument=Instrument(instrument="X", symbols=(DatedSymbol(symbol="X", first=first, last=None),)),
        wanted=ranges.normalise(one["wanted"]),
        known={
            source: series.known((*FACT[kind], where) for name, kind, where in one["facts"] if name == source)
            for source in SOURCES
            if any(name == source for name, _, _ in one["facts"])
        },
        servable={name: (one["servable"][name],) for name in SOURCES if name in one["servable"]},
        open=ranges.normalise(one["open"]),
        events=events,
        votes=votes,
    )


def as_table(many: Sequence[dict[str, Any]], *, events: bool, votes: bool = False) -> Segments:
    facts = [
        (source, at, kind, *labels(where))
        for at, one in enumerate(many)
        for source, kind, where in one["facts"]
    ]
    opened = [(at, *labels(where)) for at, one in enumerate(many) for where in one["open"]]
    types = {"series": pl.Int64}
    return segments.lay(
        [
            SeriesOnAxis(
                instrument=as_series(one, events=events).instrument,
                wanted=ranges.normalise(one["wanted"]),
                servable={name: (one["servable"][name],) for name in SOURCES if name in one["servable"]},
            )
            for one in many
        ],
        pl.DataFrame(facts, schema={name: types.get(name, pl.String) for name in FACTS}, orient="row"),
        pl.DataFrame(opened, schema={name: types.get(name, pl.String) for name in OPENED}, orient="row"),
        AXIS,
        SOURCES,
        events=events,
        votes=votes,
    )


@given(universe, st.booleans(), st.booleans())
def test_segments_count_what_the_series_count(many: list[dict[str, Any]], events: bool, votes: bool) -> None:
    table = as_table(many, events=events, votes=votes)
    apart = [at for at, one in enumerate(many) if _judged(as_series(one, events=events, votes=votes))]
    assert table.silent_series() == apart, "what silence is worth is said of each series alone"
    counted = dict.fromkeys((field.name for field in dataclasses.fields(series.Picture)), 0)
    for at, one in enumerate(many):
        if at in apart:
            continue
        shown = series.picture(as_series(one, events=events, votes=votes))
        for name in counted:
            counted[name] += ranges.size(getattr(shown, name))
    assert table.sizes(apart) == counted


def _judged(one: Series) -> bool:
    return bool(one.silent) and not one.events


@given(universe, st.booleans())
def test_segments_ask_for_what_the_series_lack(many: list[dict[str, Any]], votes: bool) -> None:
    found: dict[int, list[tuple[Range, tuple[str, ...]]]] = {at: [] for at in range(len(many))}
    table = as_table(many, events=False, votes=votes)
    for one in table.missing():
        found[one.series].append((one.span, one.eligible_sources))
    for at, single in enumerate(many):
        about = as_series(single, events=False, votes=votes)
        lacking = ranges.subtract(about.to_ask, about.open)
        edges = [edge for where in about.left.values() for pair in where for edge in pair]
        assert found[at] == [
            (piece, tuple(name for name, where in about.left.items() if ranges.overlaps(where, piece)))
            for piece in ranges.split_at(lacking, edges)
        ]


@given(universe)
def test_segments_know_who_could_answer_all_that_is_open(many: list[dict[str, Any]]) -> None:
    table = as_table(many, events=False)
    for one, whole in zip(many, table.whole(), strict=True):
        about = as_series(one, events=False)
        every = all(not ranges.subtract(about.open, where) for where in about.left.values())
        assert whole == (tuple(about.servable) if every else ())


@given(universe)
def test_segments_know_where_each_series_ends(many: list[dict[str, Any]]) -> None:
    ends: dict[int, int] = {}
    for at, one in enumerate(many):
        answered: Ranges = ranges.union(
            *(known.answered for known in as_series(one, events=False).known.values())
        )
        if answered:
            ends[at] = answered[-1][1]
    assert as_table(many, events=False).newest == ends
