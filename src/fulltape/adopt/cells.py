"""Which cells of the files are taken: sound ones, wanted, final, whole, and not known from the source already."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field

import polars as pl

from fulltape.adopt.adopted import Adoption, FilesSeen
from fulltape.adopt.plan import FileMapping
from fulltape.context import NodeContext, valid_rows
from fulltape.contract.vendor import Capability, Rejected
from fulltape.decoding import frames
from fulltape.market.time import Instant

_NEAR = dt.timedelta(minutes=30)
"""The rows of a symbol's first and last session must reach so near to its open and its close: else it may be cut off."""


TIMELESS = "no moment that exists"
_DAY = dt.timedelta(days=1)
"""No session is longer, nor lies further from its rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenRows:
    """Of a batch: the rows that are taken, in the dataset's schema beside `page` (the file's number); what is rejected; rows, as they were
    read, of sessions that a later file may go on with; and files of which something is left for another time."""

    rows: pl.DataFrame
    rejected: list[Rejected]
    deferred: pl.DataFrame
    left: frozenset[int]


@dataclass(slots=True)
class CellCount:
    """Cells that were taken, and by why not those that were not; rows that break the contract, by reason."""

    taken: int = 0
    known: int = 0
    edges: int = 0
    open: int = 0
    outside: int = 0
    regular: int = 0
    """Rows of the regular session."""
    rejected: Counter[str] = field(default_factory=Counter)
    symbols: set[str] = field(default_factory=set)
    days: list[dt.date] = field(default_factory=list)


class CellChoice:
    """Chooses cells, and counts them."""

    def __init__(
        self, context: NodeContext, adoption: Adoption, mapping: FileMapping, seen: FilesSeen, now: Instant
    ) -> None:
        self._context, self._adoption, self._mapping, self._seen = context, adoption, mapping, seen
        self._wanted = context.wanted[adoption.dataset]
        self._now = now
        self.count = CellCount()

    def of(self, wide: pl.DataFrame, last: int) -> ChosenRows:
        """Choose among the rows of a batch whose last file has this number."""
        timeless = _beside(wide)
        if timeless.height:
            self.count.rejected[TIMELESS] += timeless.height
        wide = wide.filter(pl.col("ts").is_not_null())
        frame, rejected = frames.placed(
            self._typed(wide), self._wanted.dataset, self._capability(), self._wanted.calendar
        )
        frame = self._with_instruments(frame)
        frame, deferred = self._without_unfinished(frame, wide, last)
        frame, broken = valid_rows.by_schema(frame, self._wanted)
        frame, wrong = valid_rows.by_sessions_and_keys(frame, self._wanted)
        lost = [each for each in (*rejected, *broken, *wrong) if each.lost] + self._told_twice(frame)
        for each in lost:
            self.count.rejected[each.reason] += each.rows
        # As of an answer: of a session of which a row is lost nothing counts.
        spoiled = pl.DataFrame(
            {"symbol": [each.symbol for each in lost], "session": [each.session for each in lost]},
            schema={"symbol": pl.String, "session": pl.Date},
        ).unique()
        frame = frame.join(spoiled, on=["symbol", "session"], how="anti", maintain_order="left")
        frame = _without_sessions_of(frame, timeless)
        cells, left = self._chosen(frame)
        pages = frame.join(left, on=["instrument", "session"], how="semi")["page"].unique().to_list()
        frame = frame.join(cells, on=["instrument", "session"], how="semi", maintain_order="left")
        if "phase" in frame.columns:
            self.count.regular += frame.filter(pl.col("phase") == "regular").height
        return ChosenRows(rows=frame, rejected=lost, deferred=deferred, left=frozenset(pages))

    def _without_unfinished(
        self, frame: pl.DataFrame, wide: pl.DataFrame, last: int
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Without sessions that a later file may go on with; and their rows as they were read."""
        later = self._seen.spans.filter(pl.col("file") > last)
        if self._wanted.dataset.grain == "day" or later.is_empty():
            return frame, wide.clear()
        cells = frame.group_by("symbol", "session").agg(
            pl.col("ts").min().alias("from"), pl.col("ts").max().alias("to")
        )
        both = cells.join(later, on="symbol").filter(
            (pl.col("first") <= pl.col("to") + _DAY) & (pl.col("last") >= pl.col("from") - _DAY)
        )
        open_cells = both.select("symbol", "session").unique()
        on = ["symbol", "session"]
        unfinished = frame.join(open_cells, on=on, how="semi")
        deferred = wide.join(
            unfinished.select("page", "symbol", "ts").unique(),
            on=["page", "symbol", "ts"],
            how="semi",
            maintain_order="left",
        )
        return frame.join(open_cells, on=on, how="anti", maintain_order="left"), deferred

    def _told_twice(self, frame: pl.DataFrame) -> list[Rejected]:
        """Sessions of ticks of which two files have the same time: without a key copies are not told from ticks."""
        if self._wanted.dataset.schema.key:
            return []
        pieces = frame.group_by("symbol", "session", "page").agg(
            pl.col("ts").min().alias("from"), pl.col("ts").max().alias("to"), pl.len().alias("rows")
        )
        both = pieces.join(pieces, on=["symbol", "session"], suffix="_other").filter(
            (pl.col("page") != pl.col("page_other"))
            & (pl.col("from") <= pl.col("to_other"))
            & (pl.col("to") >= pl.col("from_other"))
        )
        return [
            Rejected(
                page=page,
                symbol=symbol,
                session=session,
                rows=rows,
                reason="two files have ticks of the same time",
            )
            for symbol, session, page, rows in both.select("symbol", "session", "page", "rows")
            .unique()
            .iter_rows()
        ]

    def _typed(self, wide: pl.DataFrame) -> pl.DataFrame:
        """Text as the schema declares it; what is no number becomes null, and breaks the schema."""
        casts = [
            pl.col(column.name).cast(frames.dtype(column.dtype), strict=False)
            for column in self._wanted.dataset.schema.columns
            if column.name in wide.columns and column.name not in ("ts", "ts_event", "session", "symbol")
        ]
        if self._wanted.dataset.adjusted:
            casts.append(pl.lit(self._mapping.adjustment or "raw").alias("adjustment"))
        return wide.with_columns(casts)

    def _capability(self) -> Capability:
        dated = self._wanted.dataset.grain == "day" and not self._mapping.zone
        return Capability(
            dataset=self._adoption.dataset,
            history_from=dt.date.min,
            symbols_per_request=1,
            rows_per_page=1,
            timestamp="date" if dated else self._mapping.timestamp or "start",
            timestamp_zone=self._mapping.zone or "UTC",
        )

    def _with_instruments(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Who bears the symbol on that session; rows of sessions on which none of the universe does are left out."""
        bearers = pl.DataFrame(
            [
                (dated.symbol, name, dated.first or dt.date.min, dated.last or dt.date.max)
                for name, instrument in self._wanted.instruments.items()
                for dated in instrument.symbols
            ],
            schema={"symbol": pl.String, "bearer": pl.String, "since": pl.Date, "until": pl.Date},
            orient="row",
        )
        born = frame.join(bearers, on="symbol", how="left", maintain_order="left").filter(
            pl.col("session").is_between("since", "until")
        )
        cells = pl.struct("symbol", "session")
        self.count.outside += frame.select(cells.n_unique()).item() - born.select(cells.n_unique()).item()
        return born.with_columns(pl.col("bearer").alias("instrument")).drop("bearer", "since", "until")

    def _chosen(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Instrument and session of the cells that are taken, and of those that another time may be."""
        wanted, calendar = self._wanted, self._wanted.calendar
        last = calendar.label(wanted.final_until(self._now) - 1)
        until = wanted.until or dt.date.max
        cells = frame.group_by("instrument", "symbol", "session").agg(
            pl.col("ts").min().alias("from"), pl.col("ts").max().alias("to")
        )
        inside = cells.filter(pl.col("session").is_between(wanted.first, until))
        final = inside.filter(pl.col("session") <= last)
        whole = self._whole(final)
        fresh = whole.join(self._held(whole), on=["instrument", "session"], how="anti")
        count = self.count
        count.outside += cells.height - inside.height
        count.open += inside.height - final.height
        count.edges += final.height - whole.height
        count.known += whole.height - fresh.height
        count.taken += fresh.height
        count.symbols |= set(fresh["symbol"].unique().to_list())
        ends = fresh.select(pl.col("session").min().alias("first"), pl.col("session").max().alias("last"))
        count.days += [day for day in ends.row(0) if day is not None]
        key = ["instrument", "session"]
        left = inside.join(whole, on=key, how="anti")
        return fresh.select(key), left.select(key)

    def _whole(self, cells: pl.DataFrame) -> pl.DataFrame:
        """Without a first or last session of a symbol that its rows do not reach over."""
        if self._wanted.dataset.grain == "day":
            return cells
        ends = self._seen.spans.group_by("symbol").agg(
            pl.col("first").min().alias("begin"), pl.col("last").max().alias("end")
        )
        # The ends of every file of several days, too: a download that broke off goes on with the next day.
        longer = self._seen.spans.filter("longer")
        begins = longer.select(
            "symbol", pl.col("first").alias("from"), pl.lit(value=True).alias("begins")
        ).unique()
        stops = longer.select(
            "symbol", pl.col("last").alias("to"), pl.lit(value=True).alias("stops")
        ).unique()
        hours = frames.sessions(self._wanted.calendar).select("session", "open", "close")
        joined = (
            cells.join(ends, on="symbol")
            .join(hours, on="session")
            .join(begins, on=["symbol", "from"], how="left")
            .join(stops, on=["symbol", "to"], how="left")
        )
        at_begin = (pl.col("from") == pl.col("begin")) | pl.col("begins").fill_null(value=False)
        at_end = (pl.col("to") == pl.col("end")) | pl.col("stops").fill_null(value=False)
        early = at_begin & (pl.col("from") > pl.col("open") + _NEAR)
        late = at_end & (pl.col("to") < pl.col("close") - _NEAR)
        return joined.filter(~(early | late)).select(cells.columns)

    def _held(self, cells: pl.DataFrame) -> pl.DataFrame:
        """Cells of which the source has shown rows already: what it answered itself stands."""
        held: list[tuple[str, dt.date]] = []
        for name, days in cells.group_by("instrument").agg("session").iter_rows():
            spans = [
                (dt.date.fromisoformat(first), dt.date.fromisoformat(last))
                for source, fact, _, first, last in self._context.ledger.coverage.spans_of(
                    self._adoption.dataset, name
                )
                if source == self._adoption.source and fact in ("present", "empty")
            ]
            held += [(name, day) for day in days if any(first <= day <= last for first, last in spans)]
        return pl.DataFrame(held, schema={"instrument": pl.String, "session": pl.Date}, orient="row")


def _beside(wide: pl.DataFrame) -> pl.DataFrame:
    """Of each row without a moment: its symbol, and the moments of the rows before and after it in its file."""
    around = pl.col("ts").is_null()
    return (
        wide.select(
            "symbol",
            pl.col("ts").forward_fill().over("page", "symbol").alias("before"),
            pl.col("ts").backward_fill().over("page", "symbol").alias("after"),
            around.alias("timeless"),
        )
        .filter("timeless")
        .with_columns(
            pl.coalesce("before", pl.col("after") - _DAY).alias("before"),
            pl.coalesce("after", pl.col("before") + _DAY).alias("after"),
        )
        .drop("timeless")
    )


def _without_sessions_of(frame: pl.DataFrame, timeless: pl.DataFrame) -> pl.DataFrame:
    """Without the sessions that rows without a moment may belong to."""
    if timeless.is_empty():
        return frame
    cells = frame.group_by("symbol", "session").agg(
        pl.col("ts").min().alias("from"), pl.col("ts").max().alias("to")
    )
    doubtful = cells.join(timeless.unique(), on="symbol").filter(
        (pl.col("from") <= pl.col("after")) & (pl.col("to") >= pl.col("before"))
    )
    return frame.join(doubtful, on=["symbol", "session"], how="anti", maintain_order="left")
