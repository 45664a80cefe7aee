"""Where one source's pages become durable, and the leases of what it fetches are kept alive."""

from __future__ import annotations

from fulltape.backfill.work import Result, Work
from fulltape.context import ConfiguredSource, Event, NodeContext, Progress
from fulltape.contract.vendor import Outcome, PageResult, Response
from fulltape.lake import fetches
from fulltape.lake.fetches import EndRecord, FetchRecord, PageRecord
from fulltape.lake.journal import Journal, RecordKind
from fulltape.market.time import Clock, Instant


class PageLog:
    """The journal of one source on one thread; its file is opened by the first fetch."""

    def __init__(
        self, context: NodeContext, feed: ConfiguredSource, clock: Clock, progress: Progress
    ) -> None:
        self._context, self._feed, self._clock, self._progress = context, feed, clock, progress
        self._journal: Journal | None = None
        self._renewed_at: Instant = 0

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._journal.size if self._journal else 0

    def close(self) -> None:
        """Close the file."""
        if self._journal:
            self._journal.close()

    def begin(self, work: Work) -> None:
        """A fetch begins, or is gone on with."""
        self._renewed_at = self._clock.now()
        record = FetchRecord(
            fetch_id=work.fetch_id,
            fetch=work.fetch,
            tasks=dict(work.tasks),
            instruments=dict(work.instruments),
            started_at=self._clock.now(),
        )
        self._append(RecordKind.FETCH, fetches.encode_fetch(record))

    def page(self, work: Work, result: Result, response: Response, answer: PageResult) -> None:
        """Keep a page before the next one is asked for; a malformed one is kept, but is not one of the answer's."""
        record = PageRecord(
            fetch_id=work.fetch_id,
            number=result.pages + 1,
            status=response.status,
            outcome=answer.outcome,
            cursor=answer.cursor,
            complete_through=answer.complete_through,
            reason=answer.reason,
            memo=answer.memo,
            positional=answer.positional,
        )
        self._append(RecordKind.PAGE, fetches.encode_page(record, response.body))
        if answer.outcome is Outcome.MALFORMED:
            return
        result.pages += 1
        self.renew(work)
        self._progress(Event(stage="backfill", done=1, unit="pages"))

    def end(self, work: Work, result: Result) -> None:
        """The fetch is over."""
        record = EndRecord(
            fetch_id=work.fetch_id,
            outcome=result.outcome,
            ended_at=self._clock.now(),
            refused={symbol: reason for symbol, (_, reason) in result.refused.items()},
            confirmed=tuple(result.confirmed),
            reason=result.reason,
        )
        self._append(RecordKind.END, fetches.encode_end(record))

    def renew(self, work: Work) -> None:
        """A sign of life: leases are extended once a third of their time has gone by."""
        now = self._clock.now()
        if now - self._renewed_at < self._context.rules.lease // 3:
            return
        self._renewed_at = now
        with self._context.ledger.write():
            self._context.ledger.queue.renew(
                work.tasks, worker=self._context.rules.worker, lease_until=now + self._context.rules.lease
            )

    def _append(self, kind: RecordKind, record: bytes) -> None:
        if self._journal is None:
            self._journal = Journal(
                self._context.layout,
                writer=self._context.rules.worker,
                source=self._feed.source.name,
                clock=self._clock,
            )
        self._journal.append(kind, record)
        self._journal.sync()
