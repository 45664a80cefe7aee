"""Asks of one run become raw parts, facts and finished tasks, in one transaction."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import polars as pl

from fulltape import errors
from fulltape.core import ranges
from fulltape.core.ranges import Ranges
from fulltape.core.time import Instant, utc_date
from fulltape.core.vendor import Outcome, Rejected
from fulltape.lake import parts
from fulltape.lake.asks import Contents, StoredAsk, StoredPage
from fulltape.ledger.catalogue import NewPart
from fulltape.ledger.coverage import CoverageFact
from fulltape.ledger.task import Task
from fulltape.seal import decode, holes, plan
from fulltape.seal.aside import SetAside
from fulltape.seal.decode import Sealed
from fulltape.stores import Event, Progress, Stores, Wanted
from fulltape.version import VERSION

STAGE = "seal"
_WRITERS = 4
_FOLDERS = {"year": "year=%Y", "month": "month=%Y-%m", "date": "date=%Y-%m-%d"}


class Batch:
    """The asks of one run, gathered by raw folder so that many small answers make few parts."""

    def __init__(self, stores: Stores, now: Instant, progress: Progress) -> None:
        self._stores = stores
        self._now = now
        self._progress = progress
        self._frames: dict[tuple[str, str, str], list[pl.DataFrame]] = defaultdict(list)
        self._ask_ids: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        self._facts: list[CoverageFact] = []
        self._set_aside = SetAside(stores.layout)
        self._covered: dict[tuple[str, str], Ranges] = {}
        self._failed: dict[str, str] = {}
        self._filled: list[holes.Filled] = []
        self._taken: list[tuple[StoredAsk, pl.DataFrame]] = []
        self._order = 0
        self.rows = 0
        self.parts = 0
        self.rejected = 0

    def seal(self, ready: Sequence[StoredAsk], contents: Contents, lost: Sequence[Task]) -> None:
        """Decode, write parts, commit; `lost` tasks go back to the queue."""
        for done, stored in enumerate(ready, start=1):
            self._isolated(stored)
            self._progress(Event(stage=STAGE, done=done, total=len(ready), unit="asks"))
        for page in contents.orphans:
            self._set_aside.page(page.record.ask_id, "unknown", page, _whole_page(page, "its ask was lost"))
        for path, damage in contents.damage:
            self._set_aside.damage(path, damage)
        # Each part waits for the disk a few times, so several wait together.
        with ThreadPoolExecutor(max_workers=_WRITERS) as pool:
            registered = list(pool.map(self._write, sorted(self._frames)))
        with self._stores.ledger.write():
            for part in registered:
                self._stores.ledger.catalogue.register(part, now=self._now)
            for name in dict.fromkeys(fact.dataset for fact in self._facts):
                of_dataset = [fact for fact in self._facts if fact.dataset == name]
                self._stores.ledger.coverage.record(of_dataset, self._stores.wanted[name].next_session)
            for filled in self._filled:
                registered += filled.parts
                for part in filled.parts:
                    self._stores.ledger.catalogue.register(part, now=self._now)
                holes.decide(self._stores, filled, self._now)
            for stored, frame in self._taken:
                holes.confirm(self._stores, stored, frame, self._now)
            for rejection in self._set_aside.rejections:
                self._stores.ledger.reject(rejection, now=self._now)
            for stored in ready:
                self._finish(stored)
                self._stores.ledger.set_bookmark(STAGE, stored.record.ask_id, 1)
            for task in lost:
                error = "what was fetched for it is lost"
                self._stores.ledger.queue.release(task.task_id, task.attempt, error=error)
            holes.give_up(self._stores, self._now)
        self.parts, self.rejected = len(registered), len(self._set_aside.rejections)

    def _isolated(self, stored: StoredAsk) -> None:
        """Take one ask; if that fails, its pages are kept with the reason and its tasks fail, and nothing else."""
        try:
            self._take(stored)
        except errors.StorageError:
            raise
        except Exception as error:  # noqa: BLE001 — a defect must cost one ask, not every later run
            reason = f"{type(error).__name__}: {error}"
            self._failed[stored.record.ask_id] = reason
            for page in stored.pages.values():
                found = _whole_page(page, reason)
                self._set_aside.page(stored.record.ask_id, stored.record.ask.source, page, found)

    def _take(self, stored: StoredAsk) -> None:
        ask = stored.record.ask
        for bad in stored.malformed:
            self._set_aside.page(stored.record.ask_id, ask.source, bad, _whole_page(bad, bad.record.reason))
        if not stored.pages:
            return
        wanted, feed = self._stores.wanted[ask.dataset], self._stores.feeds[ask.source]
        sealed = decode.decode(stored, self._stores.vendors[feed.vendor], feed, wanted)
        pages = {page.record.number: page for page in stored.sound_pages()}
        for rejected in sealed.rejected:
            self._set_aside.page(stored.record.ask_id, ask.source, pages[rejected.page], rejected)
        if ask.narrow:
            self._fill(stored, sealed, wanted)
            return
        frame = self._settled_rows(stored, sealed, wanted)
        if ask.source in wanted.live:
            self._taken.append((stored, frame))
        self._order += 1
        for piece in frame.with_columns(_folder(wanted)).partition_by("folder", maintain_order=True):
            folder = piece["folder"][0].strftime(_FOLDERS[wanted.dataset.raw_folder])
            place = (ask.source, ask.dataset, folder)
            self._frames[place].append(piece.drop("folder").with_columns(pl.lit(self._order).alias("order")))
            self._ask_ids[place].append(stored.record.ask_id)
        self.rows += frame.height

    def _fill(self, stored: StoredAsk, sealed: Sealed, wanted: Wanted) -> None:
        """An answer about an interval: a part of its own, and no fact about the session."""
        ask = stored.record.ask
        spoiled = {one.symbol for one in sealed.rejected if one.lost and one.session in (None, ask.first)}
        filled = holes.fill(self._stores, stored, sealed.frame, spoiled)
        self._filled.append(filled)
        self.rows += sum(part.rows for part in filled.parts)
        asked = (wanted.calendar.between(ask.first, ask.last),)
        for symbol, through in stored.settled().items():
            if through >= ask.last:
                self._covered[stored.record.ask_id, symbol] = asked

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
                rejected=_rejected(sealed, symbol, rows.get(symbol, ()), wanted),
                why=next(
                    (one.reason for one in sealed.rejected if one.symbol in (None, symbol) and one.lost), ""
                ),
                unlocated=any(
                    one.session is None and one.symbol in (None, symbol) and one.lost
                    for one in sealed.rejected
                ),
                anywhere=wanted.dataset.grain != "day"
                and any(
                    one.session is None and not one.placed and one.symbol in (None, symbol) and one.lost
                    for one in sealed.rejected
                ),
                exists=symbol in ask.known or symbol in rows or self._confirmed(stored, symbol),
                refused=stored.end is not None and symbol in stored.end.refused and symbol not in rows,
                positional=stored.positional,
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
            quiet_until=self._quiet_until(wanted),
        )
        self._covered[stored.record.ask_id, shown.symbol] = ranges.normalise(fact.span for fact in found)
        # On other sessions the symbol was another instrument's, and so are the rows.
        instrument = stored.record.instruments[shown.symbol]
        theirs = wanted.spelled(instrument, shown.symbol)
        found = [
            replace(fact, span=span) for fact in found for span in ranges.intersect((fact.span,), theirs)
        ]
        taken = []
        for fact in found:
            first, last = wanted.calendar.label(fact.span[0]), wanted.calendar.label(fact.span[1] - 1)
            self._facts.append(
                CoverageFact(
                    dataset=ask.dataset,
                    instrument=instrument,
                    source=ask.source,
                    first=first,
                    last=last,
                    fact=fact.fact,
                    sound=fact.sound,
                    final=True,
                    since=self._now,
                    evidence=stored.record.ask_id,
                    reason=fact.reason,
                    extent=fact.extent,
                    asked=f"{ask.first}/{ask.last}" if fact.extent else "",
                )
            )
            if fact.fact == "present":
                taken += [wanted.calendar.label(position) for position in range(*fact.span)]
        return pl.DataFrame(
            {"symbol": [shown.symbol] * len(taken), "session": taken}, schema=_no_cells().schema
        )

    def _quiet_until(self, wanted: Wanted) -> int:
        """Up to which position a dataset of events may be silent without a witness."""
        if wanted.dataset.expectation != "events":
            return 0
        last = utc_date(self._now) - dt.timedelta(days=wanted.dataset.late_days)
        return wanted.calendar.between(wanted.calendar.known_from, last)[1]

    def _confirmed(self, stored: StoredAsk, symbol: str) -> bool:
        return stored.end is not None and symbol in stored.end.confirmed

    def _write(self, key: tuple[str, str, str]) -> NewPart:
        source, dataset_name, folder = key
        found = self._frames[key]
        wanted = self._stores.wanted[dataset_name]
        frame = _merged(found) if len(found) > 1 else found[0].drop("order")
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
        return self._stores.described(
            written,
            layer="raw",
            dataset=dataset_name,
            folder=folder,
            cells=cells,
            source=source,
            origin="fetched",
        )

    def _finish(self, stored: StoredAsk) -> None:
        """Tasks whose every session has a fact now are done; what is left of the others goes back to the queue."""
        queue = self._stores.ledger.queue
        ask_id = stored.record.ask_id
        outcome = stored.end.outcome if stored.end else Outcome.ROWS
        reason = stored.end.reason if stored.end else "its worker died before it had an answer"
        reason = self._failed.get(ask_id, reason)
        failed = ask_id in self._failed or outcome in (Outcome.TRANSIENT, Outcome.MALFORMED)
        for task_id, attempt in stored.record.tasks.items():
            task = queue.get(task_id)
            if task is None or task.attempt != attempt or task.state not in ("leased", "fetched"):
                continue
            wanted = self._stores.wanted[task.dataset]
            span = (wanted.calendar.between(task.first, task.last),)
            left = ranges.subtract(span, self._covered.get((ask_id, task.symbol), ranges.EMPTY))
            refused = stored.end.refused.get(task.symbol) if stored.end else None
            if not left:
                queue.finish(task_id, attempt, "done", now=self._now)
            elif failed and task.failures + 1 >= self._stores.rules.max_failures:
                queue.finish(task_id, attempt, "stalled", now=self._now, error=reason)
            else:
                queue.release(task_id, attempt, error=refused or reason, failed=failed)
                first = wanted.calendar.label(left[0][0])
                if first > task.first:
                    queue.shrink(task, first, now=self._now)


def _merged(found: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The rows of several asks, each sorted already; where two hold the same cell, the later answer replaces the
    earlier one as a whole."""
    newest = pl.col("order") == pl.col("order").max().over("instrument", "session")
    return pl.concat(found).filter(newest).drop("order").sort("instrument", "ts", maintain_order=True)


def _whole_page(page: StoredPage, reason: str) -> Rejected:
    return Rejected(page=page.record.number, symbol=None, session=None, rows=0, reason=reason)


def _folder(wanted: Wanted) -> pl.Expr:
    """The first day of the raw folder that each row's session belongs into."""
    spans = {"year": "1y", "month": "1mo", "date": "1d"}
    return pl.col("session").dt.truncate(spans[wanted.dataset.raw_folder]).alias("folder")


def _rejected(sealed: Sealed, symbol: str, rows: Ranges, wanted: Wanted) -> Ranges:
    """The positions that rejected rows of a symbol belong to, or may belong to."""
    found: list[ranges.Range] = []
    for one in sealed.rejected:
        # A row without a session, told beside its neighbours: a day that has its one bar lacks nothing.
        counts = one.lost and (one.rows or wanted.dataset.grain != "day")
        if one.symbol in (None, symbol) and counts and one.session is not None:
            position = wanted.calendar.position(one.session)
            if position is not None:
                found.append(plan.reach(rows, position) if one.edge else (position, position + 1))
    return ranges.normalise(found)


def _no_cells() -> pl.DataFrame:
    return pl.DataFrame(schema={"symbol": pl.String, "session": pl.Date})
