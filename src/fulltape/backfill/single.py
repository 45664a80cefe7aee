"""One conversation with a vendor outside of any task: reference data and self-tests. Within the same budgets, and nothing
is journaled."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from fulltape import errors
from fulltape.backfill import conversation as steps
from fulltape.context import ConfiguredSource, NodeContext
from fulltape.contract.vendor import RETRYABLE, Conversation, Outcome, PageResult, Request, Response
from fulltape.ledger.allowance import Granted, Want
from fulltape.market.time import SECOND, Clock
from fulltape.transport.http import HttpClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request, what came back (None: nothing), what it means, and how long it took (seconds)."""

    request: Request
    response: Response | None
    answer: PageResult
    took: float


def hold(
    context: NodeContext, feed: ConfiguredSource, conversation: Conversation, clock: Clock, *, kind: str
) -> Iterator[Exchange]:
    """Every exchange of a conversation; a request that fails in passing is repeated as often as the settings say."""
    client = HttpClient(context.accounts[feed.vendor], clock)
    try:
        request = steps.following(conversation)
        failed = 0
        while request is not None:
            _wait(context, feed, request, clock, kind)
            begun = clock.steady()
            response: Response | None = None
            try:
                response = client.send(request)
            except errors.TransportError as error:
                answer = PageResult(outcome=Outcome.TRANSIENT, reason=str(error))
            else:
                answer = steps.answer(conversation.send(response))
            yield Exchange(
                request=request, response=response, answer=answer, took=(clock.steady() - begun) / SECOND
            )
            if answer.outcome in RETRYABLE:
                failed += 1
                if failed >= context.rules.attempts:
                    return
                if answer.outcome is Outcome.RATE_LIMITED:
                    context.ledger.budgets.closed(
                        feed.vendor,
                        feed.limits,
                        until=answer.retry_at,
                        now=clock.steady(),
                        allowed=answer.allowed_per_minute,
                    )
                clock.sleep(context.rules.retry_wait * 2**failed)
                if response is not None:
                    steps.go_on(conversation, request, answer)
                continue
            failed = 0
            request = steps.following(conversation)
    finally:
        conversation.close()
        client.close()


def _wait(context: NodeContext, feed: ConfiguredSource, request: Request, clock: Clock, kind: str) -> None:
    """Reserve room, waiting for it no longer than a task would."""
    until = clock.steady() + context.rules.max_wait
    while True:
        want = Want(
            kind=kind, cost=request.cost, endpoint=request.endpoint, token=uuid.uuid4().hex, until=until
        )
        room = context.ledger.budgets.reserve(feed.vendor, feed.limits, want, steady=clock.steady)
        if isinstance(room, Granted):
            context.ledger.budgets.landed(feed.limits, want.token)
            return
        if room.room_at > until:
            raise errors.VendorError(
                f"{feed.vendor} has no room for another request now ({room.limit or room.dimension}).",
                hint="Try again later; `fulltape vendors` shows today's budgets.",
            )
        clock.sleep(min(max(room.room_at - clock.steady(), 1_000) / SECOND, 0.5))
