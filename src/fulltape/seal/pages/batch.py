"""Asks of one run become raw parts, facts and finished tasks, in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import polars as pl

from fulltape import errors
from fulltape.context import Event, NodeContext, Progress, drafts
from fulltape.context.drafts import Draft
from fulltape.context.quarantine import SetAside
from fulltape.contract.vendor import Outcome
from fulltape.coverage.facts import CoverageFact
from fulltape.lake.fetches import Contents, StoredFetch
from fulltape.ledger.task import Task
from fulltape.market import ranges
from fulltape.market.ranges import Ranges
from fulltape.market.time import Instant
from fulltape.seal.messages import confirm, gap_repair
from fulltape.seal.pages import restated, result
from fulltape.version import VERSION

STAGE = drafts.RAW_STAGE
_WRITERS = 4


class Batch:
    """The fetches of one run, gathered by raw folder so that many small answers make few parts."""

    def __init__(self, context: NodeContext, now: Instant, progress: Progress) -> None:
        self._context = context
        self._now = now
        self._progress = progress
        self._frames: dict[tuple[str, str, str], list[pl.DataFrame]] = defaultdict(list)
        self._fetch_ids: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        self._ended_at: dict[tuple[str, str, str], list[Instant]] = defaultdict(list)
        self._facts: list[CoverageFact] = []
        self._set_aside = SetAside(context.layout)
        self._covered: dict[tuple[str, str], Ranges] = {}
        self._failed: dict[str, str] = {}
        self._filled: list[gap_repair.RepairedIntervals] = []
        self._held: list[confirm.ConfirmedSessions] = []
        self._asked_again: set[tuple[str, str, str]] = set()
        self._compared: list[tuple[str, str, restated.SecondAnswer]] = []
        self._order = 0
        self.rows = 0
        self.parts = 0
        self.rejected = 0

    def seal(self, ready: Sequence[StoredFetch], contents: Contents, lost: Sequence[Task]) -> None:
        """Decode, write parts, commit; `lost` tasks go back to the queue."""
        for done, stored in enumerate(ready, start=1):
            self._isolated(stored)
            self._progress(Event(stage=STAGE, done=done, total=len(ready), unit="fetches"))
        for page in contents.orphans:
            self._set_aside.page(
                page.record.fetch_id, "unknown", page, result.whole_page(page, "its fetch was lost")
            )
        for path, damage in contents.damage:
            self._set_aside.damage(path, damage)
        self._compare()
        # Each part waits for the disk a few times, so several wait together.
        with ThreadPoolExecutor(max_workers=_WRITERS) as pool:
            written = list(pool.map(self._write, sorted(self._frames)))
        written += [draft for filled in self._filled for draft in filled.drafts]
        journals = {path for stored in ready for path in stored.paths}
        registered = drafts.publish(self._context, written, journals=journals, now=self._now)
        with self._context.ledger.write():
            for part in registered:
                self._context.ledger.catalogue.register(part, now=self._now)
            for name in dict.fromkeys(fact.dataset for fact in self._facts):
                of_dataset = [fact for fact in self._facts if fact.dataset == name]
                self._context.ledger.coverage.record(of_dataset, self._context.wanted[name].next_session)
            for filled in self._filled:
                gap_repair.decide(self._context, filled, self._now)
            for held in self._held:
                confirm.confirm(self._context, held, self._now)
            for compared in self._compared:
                self._note(*compared)
            for rejection in self._set_aside.rejections:
                self._context.ledger.reject(rejection, now=self._now)
            for stored in ready:
                self._finish(stored)
                self._context.ledger.set_bookmark(STAGE, stored.record.fetch_id, 1)
            for task in lost:
                error = "what was fetched for it is lost"
                self._context.ledger.queue.release(task.task_id, task.attempt, error=error)
            gap_repair.give_up(self._context, self._now)
        self.parts, self.rejected = len(registered), len(self._set_aside.rejections)

    def _isolated(self, stored: StoredFetch) -> None:
        """Take one fetch; if that fails, its pages are kept with the reason and its tasks fail, and nothing else."""
        fetch_id, source = stored.record.fetch_id, stored.record.fetch.source
        try:
            fetched = result.read(self._context, stored, self._now, self._set_aside)
            held = (
                None
                if fetched.whole is None
                else confirm.hold(self._context, stored, fetched.whole, fetched.facts)
            )
        except errors.StorageError:
            raise
        except Exception as error:  # noqa: BLE001 — a defect must cost one fetch, not every later run
            reason = f"{type(error).__name__}: {error}"
            self._failed[fetch_id] = reason
            for page in stored.pages.values():
                self._set_aside.page(fetch_id, source, page, result.whole_page(page, reason))
            return
        # Only now: of a fetch that failed half-way nothing counts.
        self._facts += fetched.facts
        self._covered |= {(fetch_id, symbol): spans for symbol, spans in fetched.covered.items()}
        self._filled += [fetched.filled] if fetched.filled else []
        self._held += [held] if held else []
        self._order += 1
        for folder, frame in fetched.frames:
            place = (source, stored.record.fetch.dataset, folder)
            self._frames[place].append(frame.with_columns(pl.lit(self._order).alias("order")))
            self._fetch_ids[place].append(fetch_id)
            if self._is_recheck(stored):
                self._asked_again.add(place)
            self._ended_at[place].append(stored.end.ended_at if stored.end else stored.record.started_at)
        self.rows += fetched.rows

    def _is_recheck(self, stored: StoredFetch) -> bool:
        """Whether the source had answered all of it before."""
        tasks = [self._context.ledger.tasks.get(task_id) for task_id in stored.record.tasks]
        return any(task is not None and task.kind == "QC_PROBE" for task in tasks)

    def _compare(self) -> None:
        """Of answers that were asked for again keep what is other than before: the rest is there already."""
        for place in sorted(self._asked_again):
            source, dataset, _ = place
            rows = _whole(self._frames.pop(place))
            comparison = restated.compared(
                self._context, self._context.wanted[dataset], source, rows, self._now
            )
            self._compared.append((dataset, source, comparison))
            if comparison.rows.height:
                self._frames[place] = [comparison.rows.with_columns(pl.lit(0).alias("order"))]

    def _note(self, dataset: str, source: str, comparison: restated.SecondAnswer) -> None:
        restatements = self._context.ledger.restatements
        restatements.confirm(dataset, source, comparison.same, now=self._now)
        restatements.record(dataset, comparison.restated, now=self._now)
        restatements.count(
            dataset, source, cells=comparison.held, restated=len(comparison.restated), now=self._now
        )

    def _write(self, key: tuple[str, str, str]) -> Draft:
        source, dataset_name, folder = key
        rows = _whole(self._frames[key])
        wanted = self._context.wanted[dataset_name]
        return drafts.write(
            self._context,
            wanted,
            rows,
            layer="raw",
            folder=folder,
            source=source,
            origin="fetched",
            metadata={
                "schema_version": str(wanted.dataset.schema.version),
                "source": source,
                "asks": ",".join(sorted(set(self._fetch_ids[key]))),
                "software": f"fulltape {VERSION}",
                "known_at": str(max(self._ended_at[key])),
            },
        )

    def _finish(self, stored: StoredFetch) -> None:
        """Tasks whose every session has a fact now are done; what is left of the others goes back to the queue."""
        queue = self._context.ledger.queue
        fetch_id = stored.record.fetch_id
        outcome = stored.end.outcome if stored.end else Outcome.ROWS
        reason = stored.end.reason if stored.end else "its worker died before it had an answer"
        reason = self._failed.get(fetch_id, reason)
        failed = fetch_id in self._failed or outcome in (Outcome.TRANSIENT, Outcome.MALFORMED)
        for task_id, attempt in stored.record.tasks.items():
            task = self._context.ledger.tasks.get(task_id)
            if task is None or task.attempt != attempt or task.state not in ("leased", "fetched"):
                continue
            wanted = self._context.wanted[task.dataset]
            span = (wanted.calendar.between(task.first, task.last),)
            left = ranges.subtract(span, self._covered.get((fetch_id, task.symbol), ranges.EMPTY))
            refused = stored.end.refused.get(task.symbol) if stored.end else None
            if not left:
                queue.finish(task_id, attempt, "done", now=self._now)
            elif failed and task.failures + 1 >= self._context.rules.max_failures:
                queue.finish(task_id, attempt, "stalled", now=self._now, error=reason)
            else:
                queue.release(task_id, attempt, error=refused or reason, failed=failed)
                first = wanted.calendar.label(left[0][0])
                if first > task.first:
                    queue.shrink(task, first, now=self._now)


def _whole(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The rows of fetches of one folder."""
    return _merged(frames) if len(frames) > 1 else frames[0].drop("order")


def _merged(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The rows of several fetches, each sorted already; where two hold the same cell, the later answer replaces the
    earlier one as a whole."""
    newest = pl.col("order") == pl.col("order").max().over("instrument", "session")
    return pl.concat(frames).filter(newest).drop("order").sort("instrument", "ts", maintain_order=True)
