"""One conversation with one vendor: from its first request to its end, every page durable before the next request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from fulltape.backfill import conversation as steps
from fulltape.backfill.exchange import BudgetedExchange
from fulltape.backfill.page_log import PageLog
from fulltape.backfill.throughput import Throughput
from fulltape.backfill.work import NoRoomError, Result, Work
from fulltape.context import ConfiguredSource, Event, EventKind, NodeContext, Progress
from fulltape.contract.vendor import (
    RETRYABLE,
    Conversation,
    FetchRequest,
    Outcome,
    PageResult,
    Request,
    Vendor,
)
from fulltape.market.time import Clock


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
        self._context, self._feed, self._progress = context, feed, progress
        self._vendor: Vendor = context.vendors[feed.vendor]
        self._log = PageLog(context, feed, clock, progress)
        self._exchange = BudgetedExchange(
            context, feed, clock, stop, throughput, demand, self._log, self._tell
        )

    @property
    def journal_size(self) -> int:
        """Bytes written so far."""
        return self._log.size

    def close(self) -> None:
        """Close the journal file and the connections."""
        self._exchange.close()
        self._log.close()

    def fetch(self, work: Work) -> Result:
        """Carry the fetch to its end; `StoppedError` leaves it open."""
        self._log.begin(work)
        result = Result(pages=work.pages)
        self._converse(work, result)
        self._log.end(work, result)
        return result

    def _converse(self, work: Work, result: Result) -> None:
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
                answer, response = self._exchange.send(work, conversation, request, result)
            except NoRoomError as error:
                result.outcome, result.no_room, result.reason = (
                    Outcome.RATE_LIMITED,
                    error.refused,
                    str(error),
                )
                return
            if response and answer.cursor and answer.cursor.token in tokens:
                answer = PageResult(
                    outcome=Outcome.MALFORMED, keep=True, reason="a page that repeats its cursor"
                )
                self._log.page(work, result, response, answer)
                result.outcome, result.reason = answer.outcome, answer.reason
                return
            if answer.cursor:
                tokens.add(answer.cursor.token)
            if answer.outcome in RETRYABLE:
                result.outcome, result.reason = answer.outcome, answer.reason
                return
            self._learn(answer, result)
            if answer.keep and response:
                self._log.page(work, result, response, answer)
            request = self._following(conversation, result)

    def _most_pages(self, fetch: FetchRequest) -> int:
        wanted, capability = self._context.wanted[fetch.dataset], self._feed.capability(fetch.dataset)
        assert capability is not None
        return steps.most_pages(
            rows=wanted.rows(wanted.calendar.between(fetch.first, fetch.last)) * len(fetch.symbols),
            rows_per_page=capability.rows_per_page,
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

    def _learn(self, answer: PageResult, result: Result) -> None:
        result.confirmed.extend(answer.confirmed)
        if answer.outcome in (Outcome.ROWS, Outcome.EMPTY):
            if result.outcome is Outcome.EMPTY:
                result.outcome = answer.outcome
            return
        for symbol in answer.symbols:
            result.refused[symbol] = (answer.outcome, answer.reason)
            self._tell("symbol_refused", symbol=symbol, outcome=answer.outcome.value, reason=answer.reason)
        if not answer.symbols:
            result.outcome, result.reason = answer.outcome, answer.reason
            self._tell("refused", outcome=answer.outcome.value, reason=answer.reason)

    def _tell(self, kind: EventKind, **fields: str | float) -> None:
        about = {"source": self._feed.source.name, **fields}
        self._progress(Event(stage="backfill", kind=kind, fields=about))
