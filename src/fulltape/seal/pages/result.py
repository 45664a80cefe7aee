"""What one fetch has come to: rows by raw folder, facts, and what was rejected. Nothing of it is written here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import polars as pl

from fulltape.context import ConfiguredDataset, NodeContext
from fulltape.context.quarantine import SetAside
from fulltape.contract.vendor import Outcome, Rejected
from fulltape.coverage.facts import CoverageFact
from fulltape.lake.fetches import StoredFetch, StoredPage
from fulltape.market import ranges
from fulltape.market.ranges import Ranges
from fulltape.market.time import Instant, utc_date
from fulltape.seal.messages import gap_repair
from fulltape.seal.pages import decode, plan
from fulltape.seal.pages.decode import DecodedFetch
from fulltape.seal.pages.plan import FactRange

_FOLDERS = {"year": "year=%Y", "month": "month=%Y-%m", "date": "date=%Y-%m-%d"}
_SPANS = {"year": "1y", "month": "1mo", "date": "1d"}


@dataclass(slots=True, kw_only=True)
class FetchResult:
    """Of one fetch: rows by raw folder, facts, by symbol the positions about which there are some, an interval that it
    filled, and, where its sessions were captured live, all of its rows to hold those against."""

    frames: list[tuple[str, pl.DataFrame]] = field(default_factory=list)
    facts: list[CoverageFact] = field(default_factory=list)
    covered: dict[str, Ranges] = field(default_factory=dict)
    filled: gap_repair.RepairedIntervals | None = None
    whole: pl.DataFrame | None = None
    rows: int = 0


def whole_page(page: StoredPage, reason: str) -> Rejected:
    """A page of which nothing can be taken."""
    return Rejected(page=page.record.number, symbol=None, session=None, rows=0, reason=reason)


def read(context: NodeContext, stored: StoredFetch, now: Instant, aside: SetAside) -> FetchResult:
    """Decode a fetch's pages; what is rejected is kept by `aside`."""
    return _Reading(context, stored, now, aside).read()


class _Reading:
    """One fetch that is being decoded."""

    def __init__(self, context: NodeContext, stored: StoredFetch, now: Instant, aside: SetAside) -> None:
        self._context = context
        self._stored = stored
        self._now = now
        self._aside = aside
        self._found = FetchResult()

    def read(self) -> FetchResult:
        stored = self._stored
        fetch = stored.record.fetch
        for bad in stored.malformed:
            self._aside.page(stored.record.fetch_id, fetch.source, bad, whole_page(bad, bad.record.reason))
        if not stored.pages:
            return self._found
        wanted, feed = self._context.wanted[fetch.dataset], self._context.feeds[fetch.source]
        sealed = decode.decode(stored, self._context.vendors[feed.vendor], feed, wanted)
        pages = {page.record.number: page for page in stored.sound_pages()}
        for rejected in sealed.rejected:
            self._aside.page(stored.record.fetch_id, fetch.source, pages[rejected.page], rejected)
        if fetch.narrow:
            self._fill(sealed, wanted)
            return self._found
        frame = self._complete_rows(sealed, wanted)
        if fetch.source in wanted.live:
            self._found.whole = frame
        folder = pl.col("session").dt.truncate(_SPANS[wanted.dataset.raw_folder]).alias("folder")
        for piece in frame.with_columns(folder).partition_by("folder", maintain_order=True):
            key = piece["folder"][0].strftime(_FOLDERS[wanted.dataset.raw_folder])
            self._found.frames.append((key, piece.drop("folder")))
        self._found.rows = frame.height
        return self._found

    def _fill(self, sealed: DecodedFetch, wanted: ConfiguredDataset) -> None:
        """An answer about an interval: a part of its own, and no fact about the session."""
        stored, fetch = self._stored, self._stored.record.fetch
        spoiled = {
            rejected.symbol
            for rejected in sealed.rejected
            if rejected.lost and rejected.session in (None, fetch.first)
        }
        self._found.filled = gap_repair.fill(self._context, stored, sealed.frame, spoiled)
        self._found.rows = sum(draft.part.rows for draft in self._found.filled.drafts)
        asked = (wanted.calendar.between(fetch.first, fetch.last),)
        for symbol, through in stored.complete_through().items():
            if through >= fetch.last:
                self._found.covered[symbol] = asked

    def _complete_rows(self, sealed: DecodedFetch, wanted: ConfiguredDataset) -> pl.DataFrame:
        """The rows of sessions that the answer settles and that hold nothing rejected, with their facts noted."""
        calendar = wanted.calendar
        rows = {
            symbol: ranges.from_points(
                position for label in sessions if (position := calendar.position(label)) is not None
            )
            for symbol, sessions in sealed.frame.group_by("symbol")
            .agg(pl.col("session").unique())
            .iter_rows()
        }
        keep = []
        for symbol in self._stored.record.fetch.symbols:
            others = ranges.union(*(positions for other, positions in rows.items() if other != symbol))
            keep.append(self._note(self._shown(symbol, sealed, rows, wanted), others, wanted))
        kept = pl.concat([frame for frame in keep if not frame.is_empty()] or [_no_cells()])
        return sealed.frame.join(kept, on=["symbol", "session"], how="semi", maintain_order="left")

    def _shown(
        self, symbol: str, sealed: DecodedFetch, rows: dict[str, Ranges], wanted: ConfiguredDataset
    ) -> plan.ShownSymbol:
        stored, fetch = self._stored, self._stored.record.fetch
        asked = wanted.calendar.between(fetch.first, fetch.last)
        labels = [wanted.calendar.label(position) for position in range(*asked)]
        lost = [
            rejected for rejected in sealed.rejected if rejected.symbol in (None, symbol) and rejected.lost
        ]
        refused = stored.end is not None and symbol in stored.end.refused
        confirmed = stored.end is not None and symbol in stored.end.confirmed
        return plan.ShownSymbol(
            symbol=symbol,
            asked=asked,
            complete_to=plan.complete_through(stored.complete_through(), symbol, asked, labels),
            rows=rows.get(symbol, ()),
            rejected=_rejected(sealed, symbol, rows.get(symbol, ()), wanted),
            why=next((rejected.reason for rejected in lost), ""),
            unlocated=any(rejected.session is None for rejected in lost),
            anywhere=wanted.dataset.grain != "day"
            and any(rejected.session is None and not rejected.placed for rejected in lost),
            exists=symbol in fetch.known or symbol in rows or confirmed,
            refused=refused and symbol not in rows,
            positional=stored.positional,
        )

    def _note(self, shown: plan.ShownSymbol, others: Ranges, wanted: ConfiguredDataset) -> pl.DataFrame:
        """Record the facts about one symbol and return the cells whose rows may be taken."""
        stored, fetch = self._stored, self._stored.record.fetch
        history = self._context.feeds[fetch.source].first_day(fetch.dataset, self._now)
        facts = plan.facts(
            shown,
            others=others,
            history_from=wanted.calendar.between(history, history)[0],
            ended=stored.end is not None and stored.end.outcome in (Outcome.ROWS, Outcome.EMPTY),
            quiet_until=self._quiet_until(wanted),
        )
        self._found.covered[shown.symbol] = ranges.normalise(fact.span for fact in facts)
        # On other sessions the symbol was another instrument's, and so are the rows.
        instrument = stored.record.instruments[shown.symbol]
        theirs = wanted.spelled(instrument, shown.symbol)
        facts = [
            replace(fact, span=span) for fact in facts for span in ranges.intersect((fact.span,), theirs)
        ]
        self._found.facts += self._facts(instrument, facts, wanted)
        taken = [
            wanted.calendar.label(position)
            for fact in facts
            if fact.fact == "present"
            for position in range(*fact.span)
        ]
        return pl.DataFrame(
            {"symbol": [shown.symbol] * len(taken), "session": taken}, schema=_no_cells().schema
        )

    def _facts(
        self, instrument: str, facts: list[FactRange], wanted: ConfiguredDataset
    ) -> Iterator[CoverageFact]:
        fetch = self._stored.record.fetch
        for fact in facts:
            yield CoverageFact(
                dataset=fetch.dataset,
                instrument=instrument,
                source=fetch.source,
                first=wanted.calendar.label(fact.span[0]),
                last=wanted.calendar.label(fact.span[1] - 1),
                fact=fact.fact,
                sound=fact.sound,
                final=True,
                since=self._now,
                evidence=self._stored.record.fetch_id,
                reason=fact.reason,
                extent=fact.extent,
                asked=f"{fetch.first}/{fetch.last}" if fact.extent else "",
            )

    def _quiet_until(self, wanted: ConfiguredDataset) -> int:
        """Up to which position a dataset of events may be silent without a witness."""
        if wanted.dataset.expectation != "events":
            return 0
        last = utc_date(self._now) - dt.timedelta(days=wanted.dataset.late_days)
        return wanted.calendar.between(wanted.calendar.known_from, last)[1]


def _rejected(sealed: DecodedFetch, symbol: str, rows: Ranges, wanted: ConfiguredDataset) -> Ranges:
    """The positions that rejected rows of a symbol belong to, or may belong to."""
    spans: list[ranges.Range] = []
    for rejected in sealed.rejected:
        # A row without a session, told beside its neighbours: a day that has its one bar lacks nothing.
        counts = rejected.lost and (rejected.rows or wanted.dataset.grain != "day")
        if rejected.symbol in (None, symbol) and counts and rejected.session is not None:
            position = wanted.calendar.position(rejected.session)
            if position is not None:
                spans.append(plan.reach(rows, position) if rejected.edge else (position, position + 1))
    return ranges.normalise(spans)


def _no_cells() -> pl.DataFrame:
    return pl.DataFrame(schema={"symbol": pl.String, "session": pl.Date})
