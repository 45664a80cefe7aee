"""One request and its answer: within the source's budget, repeated while that may help, noted in the ledger."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Protocol

import stamina

from fulltape import errors
from fulltape.backfill import conversation as steps
from fulltape.backfill.page_log import PageLog
from fulltape.backfill.throughput import Throughput
from fulltape.backfill.work import NoRoomError, Result, StoppedError, Work
from fulltape.context import ConfiguredSource, EventKind, NodeContext
from fulltape.contract.vendor import RETRYABLE, Conversation, Outcome, PageResult, Request, Response
from fulltape.ledger.allowance import Granted, Refused, Want
from fulltape.market.time import SECOND, Clock, Instant
from fulltape.transport.http import HttpClient

stamina.instrumentation.set_on_retry_hooks([])  # every retry is told through our own progress

_PATIENCE = 3
"""So often may a vendor answer one request with "too many" before its source pauses."""


class Tell(Protocol):
    """Tells observers what has happened to a source."""

    def __call__(self, kind: EventKind, **fields: str | float) -> None:
        """The kind, and its fields but for the source."""


class BudgetedExchange:
    """Sends one source's requests, on one thread; `demand` tells the requests still due today, by kind."""

    def __init__(
        self,
        context: NodeContext,
        feed: ConfiguredSource,
        clock: Clock,
        stop: threading.Event,
        throughput: Throughput,
        demand: Callable[[str], Mapping[str, int]],
        log: PageLog,
        tell: Tell,
    ) -> None:
        self._context, self._feed, self._clock, self._stop = context, feed, clock, stop
        self._throughput, self._demand, self._log, self._tell = throughput, demand, log, tell
        self._client = HttpClient(context.accounts[feed.vendor], clock)
        self._told = ""

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def send(
        self, work: Work, conversation: Conversation, request: Request, result: Result
    ) -> tuple[PageResult, Response | None]:
        """One request until it has an answer that stands, or until the tries are used up, and the last response.
        `NoRoomError` where the source has no room for too long, `StoppedError` at a stop."""
        rules = self._context.rules
        answer, response = PageResult(outcome=Outcome.TRANSIENT, reason="no try was made"), None
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
                    answer, response = self._try(work, conversation, request, result)
                    self._again_if_failed(answer)
        except steps.AgainError as error:
            answer = error.answer
        return answer, response

    def _again_if_failed(self, answer: PageResult) -> None:
        if answer.outcome in (Outcome.TRANSIENT, Outcome.MALFORMED):
            if answer.reason != self._told:
                self._told = answer.reason
                self._tell("trouble", reason=answer.reason)
            raise steps.AgainError(answer)

    def _try(
        self, work: Work, conversation: Conversation, request: Request, result: Result
    ) -> tuple[PageResult, Response | None]:
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
            if response is not None and answer.outcome is Outcome.MALFORMED:
                self._log.page(work, result, response, answer)
            opens = self._rate_limited(answer, request) if answer.outcome is Outcome.RATE_LIMITED else 0
            if response is not None and answer.outcome in RETRYABLE:
                steps.go_on(conversation, request, answer)
            if not opens:
                return answer, response
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
        self._tell("rate_limited", seconds=max(0, opens - now) / SECOND, reason=answer.reason)
        return opens

    def _wait_for_room(self, work: Work, request: Request, token: str) -> None:
        waited_until = self._clock.steady() + self._context.rules.max_wait
        announced = False
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
            if not announced and answer.room_at - now > 2 * SECOND:
                announced = True
                words = answer.limit or answer.dimension.replace("_", " ")
                self._tell("waiting", seconds=(answer.room_at - now) / SECOND, limit=words)
            self._log.renew(work)
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
        params = {**request.params, **request.message}
        query = "&".join(f"{name}={value}" for name, value in params.items())
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
