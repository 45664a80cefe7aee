"""Drives a vendor's conversation without sockets: against a simulated vendor called directly, or against canned answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fulltape import vendors
from fulltape.calendars import tables
from fulltape.contract.vendor import Cursor, FetchRequest, Page, PageResult, Request, Response
from fulltape.market import datasets
from fulltape.simulator import registry
from fulltape.simulator.market import Market
from fulltape.simulator.scenario import Scenario
from fulltape.simulator.server import Call

Send = Callable[[Request], Response]
SECRETS = {"key": "0" * 32, "secret": "s" * 32}
"""What vendors are told of keys here; each says itself how it is sent."""


@dataclass
class Talk:
    """What was said."""

    requests: list[Request] = field(default_factory=list)
    answers: list[PageResult] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)

    def complete_through(self) -> dict[str, dt.date]:
        """Per symbol the last settled session."""
        return {one.symbol: one.through for answer in self.answers for one in answer.complete_through}


def fetch(
    source: str, dataset: str, symbols: tuple[str, ...], first: str, last: str, **more: Any
) -> FetchRequest:
    """A fetch over whole sessions."""
    calendar = tables.load(datasets.get(dataset).calendar)
    span = calendar.span(dt.date.fromisoformat(first), dt.date.fromisoformat(last))
    return FetchRequest(
        source=source,
        dataset=dataset,
        symbols=symbols,
        first=dt.date.fromisoformat(first),
        last=dt.date.fromisoformat(last),
        start=span.start,
        end=span.end,
        **more,
    )


def twin(name: str, market: Market, scenario: Scenario | None = None) -> Send:
    """A vendor's twin as a function, without a socket; through ccxt an exchange's own twin answers."""
    handle = registry.vendor(name)(market, scenario or Scenario())
    spec = vendors.load(name).SPEC
    headers = {key.lower(): text.format(**SECRETS) for key, text in spec.auth.items()}
    headers["user-agent"] = "test"
    keys = {key: text.format(**SECRETS) for key, text in spec.auth_params.items()}

    def send(request: Request) -> Response:
        params = {**request.params, **keys} if not request.message else request.message
        call = Call(method=request.method, path=request.path, params=params, headers=headers)
        reply = handle(call)
        told = {key.lower(): value for key, value in reply.headers.items()}
        return Response(status=reply.status, headers=told, body=reply.body, received_at=0)

    return send


def canned(*bodies: bytes, status: int = 200) -> Send:
    """The same answers in order, the last one for ever."""
    left = list(bodies)

    def send(_: Request) -> Response:
        body = left.pop(0) if len(left) > 1 else left[0]
        return Response(status=status, headers={}, body=body, received_at=0)

    return send


def talk(
    asked: FetchRequest, send: Send, *, resume: Cursor | None = None, most: int = 50, stop_after: int = 0
) -> Talk:
    """Hold the conversation to its end, to `stop_after` kept pages, or to the first retryable answer."""
    from fulltape.contract.vendor import RETRYABLE

    said = Talk()
    conversation = vendors.load(asked.source.partition(".")[0]).history(asked, resume)
    step: Request | PageResult | None = next(conversation, None)
    while step is not None and len(said.requests) < most:
        assert isinstance(step, Request)
        said.requests.append(step)
        response = send(step)
        answer = conversation.send(response)
        assert isinstance(answer, PageResult)
        said.answers.append(answer)
        if answer.keep:
            number = len(said.pages) + 1
            said.pages.append(
                Page(fetch=asked, number=number, status=response.status, body=response.body, memo=answer.memo)
            )
        if answer.outcome in RETRYABLE or (stop_after and len(said.pages) >= stop_after):
            break
        step = next(conversation, None)
    conversation.close()
    return said
