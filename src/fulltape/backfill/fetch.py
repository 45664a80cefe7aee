"""One conversation with one vendor: within its budget, retried inside the lease, every page durable before the next
request."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping

import stamina

from fulltape import errors
from fulltape.backfill import conversation as steps
from fulltape.backfill.throughput import Throughput
from fulltape.backfill.work import NoRoomError, Result, StoppedError, Work
from fulltape.context import ConfiguredSource, Event, NodeContext, Progress
from fulltape.contract.vendor import (
    RETRYABLE,
    Conversation,
    FetchRequest,
    Outcome,
    PageResult,
    Request,
    Response,
    Vendor,
)
from fulltape.lake import fetches
from fulltape.lake.fetches import EndRecord, FetchRecord, PageRecord
from fulltape.lake.journal import Journal, RecordKind
from fulltape.ledger.allowance import Granted, Refused, Want
from fulltape.market.time import SECOND, Clock, Instant
from fulltape.transport.http import HttpClient

stamina.instrumentation.set_on_retry_hooks([])  # every retry is told through our own progress

_PATIENCE = 3
"""So often may a vendor answer one request with "too many" before its source pauses."""


class Fetcher:
    """Fetches for one source on one thread; `demand` tells the requests still due today, by kind."""

    def __init__(
        self,
        context: NodeContext,
        feed: ConfiguredSource,
        clock: Clock,
        progress: Progress,
        stop: threading.Event,
        throughput: Throughput,
        demand: Callable[[str], Mapping[str, int]],
    ) -> None:
        self._throughput = throughput
        self._demand = demand
        self._context = context
        self._feed = feed
        self._clock = clock
        self._progress = progress
        self._stop = stop
        self._vendor: Vendor = context.vendors[feed.vendor]
        self._client = HttpClient(context.accounts[feed.vendor], clock)
        self._journal: Journal | None = None
        self._renewed_at: Instant = 0
        self._told = ""

    @property
    def journal_size(self) -> int:
        """Bytes written so far."""
        return self._journal.size if self._journal else 0

    def close(self) -> None:
        """Close the journal file and the connections."""
        self._client.close()
        if self._journal:
            self._journal.close()

    def fetch(self, work: Work) -> Result:
        """Carry the fetch to its end; `StoppedError` leaves it open."""
        journal = self._open_journal()
        self._renewed_at = self._clock.now()
        record = FetchRecord(
            fetch_id=work.fetch_id,
            fetch=work.fetch,
            tasks=dict(work.tasks),
            instruments=dict(work.instruments),
            started_at=self._clock.now(),
        )
        journal.append(RecordKind.FETCH, fetches.encode_fetch(record))
        journal.sync()
        result = Result(pages=work.pages)
        self._converse(work, journal, result)
        end = EndRecord(
            fetch_id=work.fetch_id,
            outcome=result.outcome,
            ended_at=self._clock.now(),
            refused={symbol: reason for symbol, (_, reason) in result.refused.items()},
            confirmed=tuple(result.confirmed),
            reason=result.reason,
        )
        journal.append(RecordKind.END, fetches.encode_end(end))
        journal.sync()
        return result

    def _open_journal(self) -> Journal:
        if self._journal is None:
            self._journal = Journal(
                self._context.layout,
                writer=self._context.rules.worker,
                source=self._feed.source.name,
                clock=self._clock,
            )
        return self._journal

    def _converse(self, work: Work, journal: Journal, result: Result) -> None:
        conversation = self._vendor.history(work.fetch, work.resume)
        tokens = {work.resume.token} if work.resume else set()
        request = self._following(conversation, result)
        most = self._most_pages(work.fetch)
        while request is not None:
            if result.pages - work.pages >= most:
                # What it has settled counts; a vendor that turns in circles with new cursors does not go on for ever.
                result.outcome = Outcome.TRANSIENT
                result.reason = f"{most:,} pages, far more than were expected; what is left is asked anew"
                return
            try:
                answer = self._exchange(work, conversation, request, journal, result)
            except NoRoomError as error:
                result.outcome, result.no_room, result.reason = (
                    Outcome.RATE_LIMITED,
                    error.refused,
                    str(error),
                )
                return
            if answer.cursor and answer.cursor.token in tokens:
                answer = PageResult(
                    outcome=Outcome.MALFORMED, keep=True, reason="a page that repeats its cursor"
                )
                self._keep(work, journal, answer, result)
                result.outcome, result.reason = answer.outcome, answer.reason
                return
            if answer.cursor:
                tokens.add(answer.cursor.token)
            if answer.outcome in RETRYABLE:
                result.outcome, result.reason = answer.outcome, answer.reason
                return
            self._learn(answer, result)
            if answer.keep:
                self._keep(work, journal, answer, result)
            request = self._following(conversation, result)

    def _most_pages(self, fetch: FetchRequest) -> int:
        wanted, serves = self._context.wanted[fetch.dataset], self._feed.serves(fetch.dataset)
        assert serves is not None
        return steps.most_pages(
            rows=wanted.rows(wanted.calendar.between(fetch.first, fetch.last)) * len(fetch.symbols),
            rows_per_page=serves.rows_per_page,
            symbols=len(fetch.symbols),
            counted=wanted.dataset.grain in ("day", "minute"),
        )

    def _following(self, conversation: Conversation, result: Result) -> Request | None:
        """The next request; a vendor's file that fails here ends its fetch, as one that fails over a response does."""
        try:
            return steps.following(conversation)
        except Exception as error:  # noqa: BLE001 — a defect in one vendor's file must not stop the node
            result.outcome, result.reason = Outcome.MALFORMED, f"{type(error).__name__}: {error}"
            return None

    def _exchange(
        self, work: Work, conversation: Conversation, request: Request, journal: Journal, result: Result
    ) -> PageResult:
        """One request until it has an answer that stands, or until the tries are used up."""
        rules = self._context.rules
        answer = PageResult(outcome=Outcome.TRANSIENT, reason="no try was made")
        try:
            for attempt in stamina.retry_context(
                on=steps.may_repeat,
                attempts=rules.attempts,
                timeout=None,
                wait_initial=rules.retry_wait,
                wait_max=rules.retry_wait * 16,
                wait_jitter=rules.retry_wait,
            ):
                with attempt:
                    answer = self._try(work, conversation, request, journal, result)
                    self._again_if_failed(answer)
        except steps.AgainError as error:
            answer = error.answer
        return answer

    def _again_if_failed(self, answer: PageResult) -> None:
        if answer.outcome in (Outcome.TRANSIENT, Outcome.MALFORMED):
            if answer.reason != self._told:
                self._told = answer.reason
                self._tell(f"had trouble, asking again: {answer.reason}")
            raise steps.AgainError(answer)

    def _try(
        self, work: Work, conversation: Conversation, request: Request, journal: Journal, result: Result
    ) -> PageResult:
        told_to_wait = 0
        while True:
            token = uuid.uuid4().hex
            self._wait_for_room(work, request, token)
            sent_at, started = self._clock.now(), self._clock.steady()
            result.requests += 1
            response: Response | None = None
            try:
                response = received = self._client.send(request)
            except errors.TransportError as error:
                result.unreachable = isinstance(error, errors.UnreachableError)
                answer = PageResult(outcome=Outcome.TRANSIENT, reason=str(error))
            else:
                result.unreachable = False
                answer = self._understood(conversation, received)
            self._context.ledger.budgets.landed(self._feed.limits, token)
            took = self._clock.steady() - started
            good = answer.outcome not in (Outcome.TRANSIENT, Outcome.MALFORMED)
            self._throughput.answered(self._feed.source.name, took=took, good=good)
            self._note(work, request, response, answer, sent_at, took)
            if response is not None:
                self._body = response
            if answer.outcome is Outcome.MALFORMED:
                self._keep(work, journal, answer, result)
            opens = self._rate_limited(answer, request) if answer.outcome is Outcome.RATE_LIMITED else 0
            if response is not None and answer.outcome in RETRYABLE:
                steps.go_on(conversation, request, answer)
            if not opens:
                return answer
            told_to_wait += 1
            if told_to_wait >= _PATIENCE:
                raise NoRoomError(Refused(dimension="vendor_says_wait", room_at=opens))

    def _understood(self, conversation: Conversation, response: Response) -> PageResult:
        """What the vendor's file makes of a response; where it fails, the bytes are kept and the fetch ends."""
        try:
            return steps.answer(conversation.send(response))
        except Exception as error:  # noqa: BLE001 — a defect in one vendor's file must not stop the node
            return PageResult(outcome=Outcome.MALFORMED, keep=True, reason=f"{type(error).__name__}: {error}")

    def _rate_limited(self, answer: PageResult, request: Request) -> Instant:
        now = self._clock.steady()
        # The vendor's word is how long to wait; as a moment it stands on the wall clock, which may be set meanwhile.
        wait = None if answer.retry_at is None else answer.retry_at - self._clock.now()
        opens = self._context.ledger.budgets.closed(
            self._feed.vendor,
            self._feed.limits,
            until=None if wait is None else now + wait,
            now=now,
            allowed=answer.allowed_per_minute,
            endpoint=request.endpoint,
        )
        self._tell(f"told to wait {max(0, opens - now) / SECOND:.1f} s: {answer.reason}")
        return opens

    def _wait_for_room(self, work: Work, request: Request, token: str) -> None:
        waited_until = self._clock.steady() + self._context.rules.max_wait
        told = False
        while True:
            if self._stop.is_set():
                raise StoppedError("stopped; the fetch goes on with the next run.")
            now = self._clock.steady()
            want = Want(
                kind=work.kind,
                cost=request.cost,
                endpoint=request.endpoint,
                same=steps.fingerprint(request) if self._feed.limits.identical_after else "",
                token=token,
                until=now + int(11 * self._context.accounts[self._feed.vendor].timeout * SECOND),
                shares=self._context.rules.shares,
                demand=self._demand(self._feed.vendor),
            )
            answer = self._context.ledger.budgets.reserve(
                self._feed.vendor, self._feed.limits, want, steady=self._clock.steady
            )
            if isinstance(answer, Granted):
                return
            if answer.room_at > waited_until:
                raise NoRoomError(answer)
            if not told and answer.room_at - now > 2 * SECOND:
                told = True
                words = answer.limit or answer.dimension.replace("_", " ")
                self._tell(f"waits {(answer.room_at - now) / SECOND:.0f} s for room ({words})")
            self._renew(work)
            self._clock.sleep(min(max(answer.room_at - now, 1_000) / SECOND, 0.5))

    def _note(
        self,
        work: Work,
        request: Request,
        response: Response | None,
        answer: PageResult,
        sent_at: int,
        took: int,
    ) -> None:
        told = {**request.params, **request.message}
        query = "&".join(f"{name}={value}" for name, value in told.items())
        self._context.ledger.requests.record(
            fetch_id=work.fetch_id,
            source=self._feed.source.name,
            target=f"{request.path}?{query}" if query else request.path,
            kind=work.kind,
            sent_at=sent_at,
            status=response.status if response else 0,
            outcome=answer.outcome.value,
            size=len(response.body) if response else 0,
            took=took,
        )
        if response is not None and answer.outcome is not Outcome.RATE_LIMITED:
            self._context.ledger.budgets.served(
                self._feed.vendor,
                self._feed.limits,
                allowed=answer.allowed_per_minute,
                now=self._clock.steady(),
                endpoint=request.endpoint,
            )

    def _keep(self, work: Work, journal: Journal, answer: PageResult, result: Result) -> None:
        record = PageRecord(
            fetch_id=work.fetch_id,
            number=result.pages + 1,
            status=self._body.status,
            outcome=answer.outcome,
            cursor=answer.cursor,
            complete_through=answer.complete_through,
            reason=answer.reason,
            memo=answer.memo,
            positional=answer.positional,
        )
        journal.append(RecordKind.PAGE, fetches.encode_page(record, self._body.body))
        journal.sync()
        if answer.outcome is Outcome.MALFORMED:
            return
        result.pages += 1
        self._renew(work)
        self._progress(Event(stage="backfill", done=1, unit="pages"))

    def _renew(self, work: Work) -> None:
        """A sign of life: leases are extended once a third of their time has gone by."""
        now = self._clock.now()
        if now - self._renewed_at < self._context.rules.lease // 3:
            return
        self._renewed_at = now
        with self._context.ledger.write():
            self._context.ledger.queue.renew(
                work.tasks, worker=self._context.rules.worker, lease_until=now + self._context.rules.lease
            )

    def _learn(self, answer: PageResult, result: Result) -> None:
        result.confirmed.extend(answer.confirmed)
        if answer.outcome in (Outcome.ROWS, Outcome.EMPTY):
            if result.outcome is Outcome.EMPTY:
                result.outcome = answer.outcome
            return
        for symbol in answer.symbols:
            result.refused[symbol] = (answer.outcome, answer.reason)
            self._tell(f"{symbol}: {answer.outcome.value.replace('_', ' ')} ({answer.reason})")
        if not answer.symbols:
            result.outcome, result.reason = answer.outcome, answer.reason
            self._tell(f"{answer.outcome.value.replace('_', ' ')}: {answer.reason}")

    def _tell(self, words: str) -> None:
        self._progress(Event(stage="backfill", sentence=f"{self._feed.source.name} {words}"))
