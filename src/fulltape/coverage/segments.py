"""Many series of a dataset at once: segments, stretches of sessions in which everything known of a series is the same.

The same answers as `coverage.series`, for all series of a dataset in one sweep: the series lie one behind the other on one
axis, the edges of all ranges are sorted along it, and between two edges a session stands for all others. A property test
holds the two together.

polars is imported when a function is called, so that a process that only converses with vendors stays small.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fulltape.market.instruments import Instrument
from fulltape.market.ranges import Range, Ranges
from fulltape.market.sessions import Calendar

if TYPE_CHECKING:
    import polars as pl

FACTS = ("source", "series", "fact", "first", "last")
"""Columns of `facts`: the session labels as ISO text; an empty that is sound is called `sound`."""
OPENED = ("series", "first", "last")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesOnAxis:
    """A series on the axis: what is wanted of it, and who may be asked for which positions."""

    instrument: Instrument
    wanted: Ranges
    servable: Mapping[str, Ranges]


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Consecutive positions of a series that no source has been asked for; `eligible_sources` could all answer all of them."""

    series: int
    span: Range
    eligible_sources: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Segments:
    """The table: columns `series`, `start`, `stop` (positions), `size`, whether they are `wanted`, `held`, `open` and
    `to_ask`, and which sources are left to ask (`left <source>`)."""

    frame: pl.DataFrame
    listed: Sequence[SeriesOnAxis]
    sources: tuple[str, ...]
    events: bool
    newest: Mapping[int, int]
    """By series the position after the last one about which any source has said anything."""
    silent: bool
    """Whether any source has said that there is nothing, or has refused."""

    def silent_series(self) -> list[int]:
        """Series with wanted sessions about which sources have answered, and nothing but silence: what that is worth,
        `series.picture` says."""
        import polars as pl

        if self.events or not self.silent:
            return []
        silent = pl.col("wanted") & ~pl.col("held") & ~pl.col("partial") & ~pl.col("to_ask") & pl.col("empty")
        return self.frame.filter(silent)["series"].unique().sort().to_list()

    def sizes(self, without: Sequence[int] = ()) -> Mapping[str, int]:
        """How many wanted sessions are in each state of `series.Picture`, of all series but some: those with silence, unless
        they are events, whose silence is proved."""
        import polars as pl

        wanted, size = self.frame.filter("wanted"), pl.col("size")
        if without:
            wanted = wanted.filter(~pl.col("series").is_in(list(without)))
        rest = ~pl.col("held") & ~pl.col("partial")
        settled = rest & ~pl.col("to_ask")
        silent = settled & pl.col("empty")
        states = {
            "wanted": pl.lit(True),
            "held": pl.col("held"),
            "partial": pl.col("partial") & ~pl.col("held"),
            "empty": silent & pl.lit(self.events),
            "unobtainable": settled & ~pl.col("empty"),
            "unknown_listing": pl.lit(False),
            "missing": rest & pl.col("to_ask"),
        }
        sums = wanted.select(
            size.filter(state).sum().cast(pl.Int64).alias(name) for name, state in states.items()
        )
        return {name: int(sums[name][0]) for name in states}

    def missing(self) -> list[Missing]:
        """What no source has been asked for, cut where other sources are left to ask."""
        import polars as pl

        left = [f"left {source}" for source in self.sources]
        some = self.frame.filter(pl.col("to_ask") & ~pl.col("open"))
        if some.is_empty():
            return []
        other = functools.reduce(operator.or_, (pl.col(name) != pl.col(name).shift() for name in left))
        apart = (pl.col("start") != pl.col("stop").shift()) | (pl.col("series") != pl.col("series").shift())
        merged = (
            some.with_columns(run=(other | apart).fill_null(True).cum_sum())
            .group_by("run", maintain_order=True)
            .agg(pl.col("series", "start", *left).first(), pl.col("stop").last())
        )
        marks = zip(*(merged[name].to_list() for name in left), strict=True)
        return [
            Missing(series=series, span=(start, stop), eligible_sources=self._named(mark))
            for series, start, stop, mark in zip(
                *(merged[name].to_list() for name in ("series", "start", "stop")), marks, strict=True
            )
        ]

    def _named(self, mark: tuple[bool, ...]) -> tuple[str, ...]:
        return tuple(itertools.compress(self.sources, mark))

    def whole(self) -> list[tuple[str, ...]]:
        """By series every source that may be asked for it, if each of them could answer all that is open; else none."""
        import polars as pl

        lacking = {
            source: [at for at, on_axis in enumerate(self.listed) if source not in on_axis.servable]
            for source in self.sources
        }
        every = _all(
            pl.col(f"left {source}") | pl.col("series").is_in(without) for source, without in lacking.items()
        )
        divided = set(self.frame.filter(pl.col("open") & ~every)["series"])
        return [() if at in divided else tuple(on_axis.servable) for at, on_axis in enumerate(self.listed)]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Where days lie on the axis of a calendar: `places` for each day from `begin` on, `width` for each series."""

    width: int
    begin: int
    places: pl.Series


def axis(calendar: Calendar) -> Axis:
    """The axis of a calendar; a day without a session has the place of the next one."""
    import polars as pl

    sessions = pl.Series([session.label for session in calendar.sessions], dtype=pl.Date).to_physical()
    begin, end = int(sessions[0]), int(sessions[-1]) + 1
    days = pl.int_range(begin, end + 1, eager=True)
    return Axis(
        width=len(calendar) + 1, begin=begin, places=sessions.search_sorted(days).cast(pl.Int64).rename("")
    )


def lay(
    listed: Sequence[SeriesOnAxis],
    facts: pl.DataFrame,
    opened: pl.DataFrame,
    along: Axis,
    sources: Sequence[str],
    *,
    events: bool,
    votes: bool = False,
) -> Segments:
    """Everything about these series (their place in `listed` is their number) as one table; with `votes` only that is held of
    which no source is left to ask. `facts` and `opened`, with
    the columns of `FACTS` and `OPENED`, in any order and overlapping as they like."""
    import polars as pl

    width = along.width
    facts, opened = _placed(facts, along), _placed(opened, along)
    sets: dict[str, tuple[pl.Series, pl.Series]] = {
        "wanted": _edges((on_axis.wanted for on_axis in listed), width),
        "open": (opened["start"], opened["stop"]),
    }
    for source in sources:
        sets[f"may {source}"] = _edges((on_axis.servable.get(source, ()) for on_axis in listed), width)
    said: dict[str, list[str]] = {}
    for (source, fact), of in facts.partition_by("source", "fact", as_dict=True).items():
        sets[f"{fact} {source}"] = (of["start"], of["stop"])
        for about in (source, fact):
            said.setdefault(str(about), []).append(f"{fact} {source}")
    newest = (
        facts.filter(pl.col("start") < pl.col("stop"))
        .group_by("series")
        .agg(pl.col("stop").max() - pl.col("series").first() * width)
    )
    sound = said.get("sound", [])
    left = {source: pl.col(f"may {source}") & ~_any(said.get(source, [])) for source in sources}
    present = _any(said.get("present", []))
    unasked = _any(left.values()) & pl.lit(votes)
    frame = _swept(sets, width).select(
        "series",
        "start",
        "stop",
        "size",
        "wanted",
        "open",
        held=present & ~unasked,
        partial=_any(said.get("partial", [])) | (present & unasked),
        empty=_any([*said.get("empty", []), *sound]),
        **{f"left {source}": is_left for source, is_left in left.items()},
    )
    asked = _any([f"left {source}" for source in sources])
    return Segments(
        frame=frame.with_columns(to_ask=pl.col("wanted") & ~pl.col("held") & asked),
        listed=listed,
        sources=tuple(sources),
        events=events,
        newest=dict(zip(newest["series"], newest["stop"], strict=True)),
        silent=not said.keys().isdisjoint(("empty", "sound", "refused")),
    )


def _any(conditions: Iterable[str | pl.Expr]) -> pl.Expr:
    import polars as pl

    columns = (pl.col(condition) if isinstance(condition, str) else condition for condition in conditions)
    return functools.reduce(operator.or_, columns, pl.lit(False))


def _all(conditions: Iterable[pl.Expr]) -> pl.Expr:
    import polars as pl

    return functools.reduce(operator.and_, conditions, pl.lit(True))


def _placed(spans: pl.DataFrame, along: Axis) -> pl.DataFrame:
    """`start` and `stop` on the axis for the labels `first` and `last`."""
    import polars as pl

    def place(name: str, after: int) -> pl.Expr:
        days = pl.col(name).str.to_date("%Y-%m-%d").to_physical() + after - along.begin
        # Looked up: of a hundred thousand days most are the same few thousand.
        place = pl.lit(along.places).gather(days.clip(0, len(along.places) - 1))
        return pl.col("series") * along.width + place

    return spans.with_columns(start=place("first", 0), stop=place("last", 1))


def _edges(many: Iterable[Ranges], width: int) -> tuple[pl.Series, pl.Series]:
    import polars as pl

    def placed() -> Iterator[Range]:
        for at, ranges in enumerate(many):
            for start, stop in ranges:
                yield at * width + start, at * width + stop

    pairs = list(placed())
    return (
        pl.Series([start for start, _ in pairs], dtype=pl.Int64),
        pl.Series([stop for _, stop in pairs], dtype=pl.Int64),
    )


def _swept(sets: Mapping[str, tuple[pl.Series, pl.Series]], width: int) -> pl.DataFrame:
    """A row for each stretch between two edges, and for each set whether it holds there."""
    import polars as pl

    edges = [
        (places.rename(""), number, step)
        for number, pair in enumerate(sets.values())
        for places, step in zip(pair, (1, -1), strict=True)
    ]

    def along(values: Iterable[int]) -> pl.Series:
        lengths = (len(places) for places, _, _ in edges)
        return pl.concat(
            pl.repeat(value, length, dtype=pl.Int32, eager=True)
            for value, length in zip(values, lengths, strict=True)
        )

    steps = pl.DataFrame(
        {
            "at": pl.concat(places for places, _, _ in edges),
            "set": along(number for _, number, _ in edges),
            "step": along(step for _, _, step in edges),
        }
    )
    at, inside = pl.col("at"), pl.col("step")
    holds = [
        pl.when(pl.col("set") == number).then(inside).otherwise(0).cum_sum().gt(0).alias(name)
        for number, name in enumerate(sets)
    ]
    series = at // width
    return (
        steps.sort("at")
        .select("at", *holds, size=at.shift(-1) - at)
        .filter((pl.col("size") > 0) & pl.any_horizontal(*sets))
        .with_columns(series=series, start=at - series * width, stop=at - series * width + pl.col("size"))
    )
