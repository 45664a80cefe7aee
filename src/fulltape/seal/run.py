"""Reads closed journal files, writes raw parts, and commits them with coverage and tasks in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import polars as pl

from fulltape.core import ranges
from fulltape.core.time import Clock, Instant
from fulltape.core.vendor import Outcome, Rejected
from fulltape.lake import asks, files, journal, parts
from fulltape.lake.asks import Contents, StoredAsk, StoredPage
from fulltape.ledger.catalogue import NewPart
from fulltape.ledger.coverage import CoverageFact
from fulltape.ledger.ledger import Rejection
from fulltape.seal import decode, plan
from fulltape.seal.decode import Sealed
from fulltape.stores import Event, Progress, Stores, Wanted, silent
from fulltape.version import VERSION

STAGE = "seal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was sealed; `damaged` counts stretches of journal that no checksum vouches for."""

    asks: int = 0
    rows: int = 0
    parts: int = 0
    rejected: int = 0
    damaged: int = 0
    left_open: int = 0


def run_once(stores: Stores, clock: Clock, progress: Progress = silent) -> Report:
    """Seal every ask that has ended or that nobody can go on with; the others stay in the journal."""
    with stores.stage(STAGE, clock, layer="raw"):
        paths = [
            path for path in stores.layout.journal_files(stores.rules.worker) if not journal.in_use(path)
        ]
        if not paths:
            return Report()
        contents = asks.collect(paths)
        sealed_before = {ask_id for ask_id in contents.asks if stores.ledger.bookmark(STAGE, ask_id)}
        waiting = {
            ask_id
            for ask_id, stored in contents.asks.items()
            if ask_id not in sealed_before and _goes_on(stores, stored)
        }
        ready = [
            stored
            for ask_id, stored in contents.asks.items()
            if ask_id not in sealed_before and ask_id not in waiting
        ]
        outcome = _Batch(stores, clock.now(), progress).seal(ready, contents)
        _clear(stores, contents, waiting, paths)
        return Report(
            asks=len(ready),
            rows=outcome.rows,
            parts=outcome.parts,
            rejected=outcome.rejected,
            damaged=len(contents.damage),
            left_open=len(waiting),
        )


def _goes_on(stores: Stores, stored: StoredAsk) -> bool:
    """Whether backfill will resume the ask: it has no end, nothing of it is lost, and a task of it is still ours."""
    if stored.end is not None or not stored.whole:
        return False
    pages = stored.sound_pages()
    if pages and pages[-1].record.cursor is None:
        return False
    for task_id, attempt in stored.record.tasks.items():
        task = stores.ledger.queue.get(task_id)
        if task and task.state == "leased" and task.attempt == attempt and task.worker == stores.rules.worker:
            return True
    return False


def _clear(stores: Stores, contents: Contents, waiting: set[str], paths: Iterable[Path]) -> None:
    """Remove files in which no ask waits any more, then the bookmarks that kept their asks from being sealed twice."""
    needed = {path for ask_id in waiting for path in contents.asks[ask_id].paths}
    for ask_id in waiting:
        needed |= {page.path for page in contents.asks[ask_id].pages.values()}
    for path in paths:
        if path not in needed:
            files.remove(path)
    gone = [ask_id for ask_id, stored in contents.asks.items() if not stored.paths & needed]
    with stores.ledger.write():
        for ask_id in gone:
            stores.ledger.drop_bookmark(STAGE, ask_id)


class _Batch:
    """The asks of one run, gathered by raw folder so that many small answers make few parts."""

    def __init__(self, stores: Stores, now: Instant, progress: Progress) -> None:
        self._stores = stores
        self._now = now
        self._progress = progress
        self._frames: dict[tuple[str, str, str], list[pl.DataFrame]] = defaultdict(list)
        self._ask_ids: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        self._facts: list[CoverageFact] = []
        self._rejections: list[Rejection] = []
        self.rows = 0
        self.parts = 0
        self.rejected = 0

    def seal(self, ready: list[StoredAsk], contents: Contents) -> _Batch:
        """Decode, write parts, commit."""
        for done, stored in enumerate(ready, start=1):
            self._take(stored)
            self._progress(Event(stage=STAGE, done=done, total=len(ready), unit="asks"))
        for page in contents.orphans:
            lost = Rejected(
                page=page.record.number, symbol=None, session=None, rows=0, reason="its ask was lost"
            )
            self._reject(page.record.ask_id, "unknown", page, lost)
        registered = [self._write(key, found) for key, found in sorted(self._frames.items())]
        with self._stores.ledger.write():
            for part in registered:
                self._stores.ledger.catalogue.register(part, now=self._now)
            for fact in self._facts:
                self._stores.ledger.coverage.record([fact], self._stores.wanted[fact.dataset].next_session)
            for rejection in self._rejections:
                self._stores.ledger.reject(rejection, now=self._now)
            for stored in ready:
                self._finish(stored)
                self._stores.ledger.set_bookmark(STAGE, stored.record.ask_id, 1)
        self.parts, self.rejected = len(registered), len(self._rejections)
        return self

    def _take(self, stored: StoredAsk) -> None:
        ask = stored.record.ask
        for bad in stored.malformed:
            self._reject(stored.record.ask_id, ask.source, bad, decode.malformed(bad))
        wanted = self._stores.wanted.get(ask.dataset)
        feed = self._stores.feeds.get(ask.source)
        if wanted is None or feed is None or not stored.pages:
            return
        sealed = decode.decode(stored, self._stores.vendors[feed.vendor], feed, wanted)
        pages = {page.record.number: page for page in stored.sound_pages()}
        for rejected in sealed.rejected:
            self._reject(stored.record.ask_id, ask.source, pages[rejected.page], rejected)
        frame = self._settled_rows(stored, sealed, wanted)
        for (key,), piece in frame.group_by([_folder(wanted)], maintain_order=True):
            place = (ask.source, ask.dataset, str(key))
            self._frames[place].append(piece.drop("folder", strict=False))
            self._ask_ids[place].append(stored.record.ask_id)
        self.rows += frame.height

    def _settled_rows(self, stored: StoredAsk, sealed: Sealed, wanted: Wanted) -> pl.DataFrame:
        """The rows of sessions that the answer settles and that hold nothing rejected, with their facts noted."""
        ask = stored.record.ask
        calendar = wanted.calendar
        asked = calendar.between(ask.first, ask.last)
        labels = [calendar.label(position) for position in range(*asked)]
        settled = stored.settled()
        rows = {
            symbol: ranges.from_points(
                position for label in sessions if (position := calendar.position(label)) is not None
            )
            for symbol, sessions in sealed.frame.group_by("symbol")
            .agg(pl.col("session").unique())
            .iter_rows()
        }
        keep = []
        for symbol in ask.symbols:
            shown = plan.Shown(
                symbol=symbol,
                asked=asked,
                settled_to=plan.settled_through(settled, symbol, asked, labels),
                rows=rows.get(symbol, ()),
                rejected=ranges.from_points(_rejected_positions(sealed, symbol, wanted)),
                unlocated=any(
                    one.session is None and one.symbol in (None, symbol) and one.lost
                    for one in sealed.rejected
                ),
                exists=symbol in ask.known or symbol in rows or self._confirmed(stored, symbol),
                refused=stored.end is not None and symbol in stored.end.refused,
            )
            others = ranges.union(*(found for other, found in rows.items() if other != symbol))
            keep.append(self._note(stored, shown, others, wanted))
        kept = pl.concat([frame for frame in keep if not frame.is_empty()] or [_no_cells()])
        return sealed.frame.join(kept, on=["symbol", "session"], how="semi", maintain_order="left")

    def _note(
        self, stored: StoredAsk, shown: plan.Shown, others: ranges.Ranges, wanted: Wanted
    ) -> pl.DataFrame:
        """Record the facts about one symbol and return the cells whose rows may be taken."""
        ask = stored.record.ask
        history = self._stores.feeds[ask.source].first_day(ask.dataset, self._now)
        ended = stored.end is not None and stored.end.outcome in (Outcome.ROWS, Outcome.EMPTY)
        found = plan.facts(
            shown,
            others=others,
            history_from=wanted.calendar.between(history, history)[0],
            ended=ended,
        )
        taken = []
        for fact in found:
            first, last = wanted.calendar.label(fact.span[0]), wanted.calendar.label(fact.span[1] - 1)
            self._facts.append(
                CoverageFact(
                    dataset=ask.dataset,
                    instrument=stored.record.instruments[shown.symbol],
                    source=ask.source,
                    first=first,
                    last=last,
                    fact=fact.fact,
                    sound=fact.sound,
                    final=True,
                    since=self._now,
                    evidence=stored.record.ask_id,
                    reason=fact.reason,
                )
            )
            if fact.fact == "present":
                taken += [wanted.calendar.label(position) for position in range(*fact.span)]
        return pl.DataFrame(
            {"symbol": [shown.symbol] * len(taken), "session": taken}, schema=_no_cells().schema
        )

    def _confirmed(self, stored: StoredAsk, symbol: str) -> bool:
        return stored.end is not None and symbol in stored.end.confirmed

    def _reject(self, ask_id: str, source: str, page: StoredPage, rejected: Rejected) -> None:
        """Copy the page's bytes to rejected/ with the reason beside them."""
        path = self._stores.layout.rejected(source, ask_id, page.record.number)
        files.publish_bytes(path, page.body)
        reasons = path.with_suffix(".json")
        known = msgspec.json.decode(reasons.read_bytes()) if reasons.exists() else []
        entry = {
            "reason": rejected.reason,
            "symbol": rejected.symbol,
            "session": rejected.session.isoformat() if rejected.session else None,
            "rows": rejected.rows,
        }
        if entry not in known:
            files.publish_bytes(reasons, msgspec.json.format(msgspec.json.encode([*known, entry])))
        self._rejections.append(
            Rejection(
                ask=ask_id,
                page=page.record.number,
                source=source,
                reason=rejected.reason,
                rows=rejected.rows,
                path=self._stores.layout.relative(path),
            )
        )

    def _write(self, key: tuple[str, str, str], found: list[pl.DataFrame]) -> NewPart:
        source, dataset_name, folder = key
        wanted = self._stores.wanted[dataset_name]
        frame = pl.concat(found).sort("instrument", "ts")
        cells = wanted.cells(frame.select("instrument", "session").unique().iter_rows())
        sessions = [day for spans in cells.values() for span in spans for day in span]
        written = parts.write(
            frame,
            self._stores.layout.raw(source, wanted.dataset, folder),
            first=min(sessions),
            last=max(sessions),
            names=sorted(cells),
            metadata={
                "dataset": dataset_name,
                "schema_version": str(wanted.dataset.schema.version),
                "source": source,
                "asks": ",".join(sorted(set(self._ask_ids[key]))),
                "software": f"fulltape {VERSION}",
            },
        )
        return NewPart(
            layer="raw",
            source=source,
            dataset=dataset_name,
            folder=folder,
            path=self._stores.layout.relative(written.path),
            rows=written.rows,
            bytes=written.bytes,
            sha256=written.sha256,
            min_ts=written.min_ts,
            max_ts=written.max_ts,
            origin="fetched",
            cells=cells,
        )

    def _finish(self, stored: StoredAsk) -> None:
        """Tasks that are settled to their end are done; what is left of the others goes back to the queue."""
        queue = self._stores.ledger.queue
        settled = stored.settled()
        outcome = stored.end.outcome if stored.end else Outcome.ROWS
        failed = outcome in (Outcome.TRANSIENT, Outcome.MALFORMED)
        reason = stored.end.reason if stored.end else "its worker died before it had an answer"
        for task_id, attempt in stored.record.tasks.items():
            task = queue.get(task_id)
            if task is None or task.attempt != attempt or task.state not in ("leased", "fetched"):
                continue
            through = settled.get(task.symbol)
            refused = stored.end.refused.get(task.symbol) if stored.end else None
            if through is not None and through >= task.last and not refused:
                queue.finish(task_id, attempt, "done", now=self._now)
            elif failed and task.failures + 1 >= self._stores.rules.max_failures:
                queue.finish(task_id, attempt, "stalled", now=self._now, error=reason)
            else:
                queue.release(task_id, attempt, error=refused or reason, failed=failed)
                if through is not None and through >= task.first and not refused:
                    wanted = self._stores.wanted[task.dataset]
                    queue.shrink(task, wanted.next_session(through), now=self._now)


def _folder(wanted: Wanted) -> pl.Expr:
    """The raw folder of each row's session."""
    patterns = {"year": "year=%Y", "month": "month=%Y-%m", "date": "date=%Y-%m-%d"}
    return pl.col("session").dt.strftime(patterns[wanted.dataset.raw_folder]).alias("folder")


def _rejected_positions(sealed: Sealed, symbol: str, wanted: Wanted) -> list[int]:
    return [
        position
        for one in sealed.rejected
        if one.symbol == symbol
        and one.session is not None
        and (position := wanted.calendar.position(one.session)) is not None
    ]


def _no_cells() -> pl.DataFrame:
    return pl.DataFrame(schema={"symbol": pl.String, "session": pl.Date})
