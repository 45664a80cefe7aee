"""What all simulated vendors share: the vendor's own limit, faults of answers and of data, and what a symbol has."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import random
from collections.abc import Mapping, Sequence
from typing import ClassVar, TypeVar

from fulltape.market.time import HOUR, SECOND, Instant
from fulltape.simulator.market import Market
from fulltape.simulator.minutes import Bar
from fulltape.simulator.scenario import Fault, Scenario
from fulltape.simulator.server import Call, RateLimit, Reply
from fulltape.simulator.ticks import Tick

_Row = TypeVar("_Row")
_RESTATED = 1.01


class SimulatedVendor:
    """One vendor's server. A subclass answers in `answer` and says how the vendor words its refusals."""

    vendor: ClassVar[str]
    garbage: ClassVar[bytes] = b'{"rows":[{"t":'
    """A body that breaks off in the middle of what the vendor would send."""
    over_socket: ClassVar[bool] = False
    """Whether history is asked for over a websocket."""

    def __init__(self, market: Market, scenario: Scenario) -> None:
        self.market = market
        self.scenario = scenario
        self.limit = RateLimit(scenario.limits.get(self.vendor, 0))
        self._asked: dict[tuple[str, str], int] = {}

    def __call__(self, call: Call) -> Reply:
        """The answer to one request."""
        refusal = self.refused(call)
        if refusal:
            return refusal
        allowed, left, wait = self.limit.take()
        headers = self.headers(left, wait)
        if not allowed:
            return self.too_many(wait)
        reply = self.answer(call)
        return dataclasses.replace(reply, headers={**headers, **reply.headers})

    def refused(self, call: Call) -> Reply | None:  # noqa: ARG002
        """Who is not let in at all: a key is missing."""
        return None

    def headers(self, left: int, wait: float) -> dict[str, str]:  # noqa: ARG002
        """What the vendor's headers say of its limit."""
        return {}

    def answer(self, call: Call) -> Reply:
        """The answer to a request that is let in."""
        raise NotImplementedError

    def too_many(self, wait: float) -> Reply:
        """The refusal of one request too many; room comes in `wait` seconds."""
        raise NotImplementedError

    def banned(self, wait: float) -> Reply:
        """The refusal after further requests."""
        return self.too_many(wait)

    def trouble(self, status: int) -> Reply:
        """An error of the server."""
        return Reply(status=status, body=b"Service Unavailable")

    def faulty(self, fault: Fault | None) -> Reply | None:
        """The answer that a fault puts in the place of the right one, None where there is none."""
        if fault is None:
            return None
        if fault.do == "rate_limit":
            return self.too_many(fault.wait)
        if fault.do == "ban":
            return self.banned(fault.wait)
        if fault.do == "error":
            return self.trouble(fault.status)
        if fault.do == "garbage":
            return Reply(status=200, body=self.garbage)
        if fault.do == "empty":
            return Reply(status=200, body=b"")
        return None

    def strike(self, grain: str, symbols: Sequence[str], page: int = 1) -> Fault | None:
        """Count a request for data, and say which fault strikes it."""
        return self.scenario.strike(self.vendor, grain=grain, symbols=symbols, page=page)

    def knows(self, symbol: str) -> bool:
        """Whether the vendor has heard of a symbol."""
        hidden = self.scenario.about("unknown_symbol", self.vendor, grain="", symbol=symbol)
        return hidden is None and symbol in self.market.symbols

    def entitled(self, grain: str, symbol: str) -> bool:
        """Whether the plan has this."""
        return self.scenario.about("not_entitled", self.vendor, grain=grain, symbol=symbol) is None

    def bars(self, grain: str, symbol: str, start: Instant, end: Instant) -> list[Bar]:
        """Bars that start in [start, end], as the scenario bends them."""
        if self.scenario.about("unknown_symbol", self.vendor, grain=grain, symbol=symbol):
            return []
        bars = list(self.market.between(grain, symbol, start, end))
        for fault in self.scenario.of_data(self.vendor, grain=grain, symbol=symbol):
            if fault.do == "missing_days":
                bars = [bar for bar in bars if not fault.covers(bar.session)]
            elif fault.do == "delisted":
                bars = [bar for bar in bars if bar.session < (fault.first or dt.date.min)]
            elif fault.do in ("dst_shift", "wrong_clock"):
                shift = HOUR if fault.do == "dst_shift" else int(fault.wait * SECOND)
                bars = [
                    dataclasses.replace(bar, start=bar.start + shift) if fault.covers(bar.session) else bar
                    for bar in bars
                ]
            elif fault.do == "restated" and self._again(grain, symbol):
                bars = [_restated(bar) if fault.covers(bar.session) else bar for bar in bars]
        return bars

    def ticks(self, symbol: str, start: int, end: int) -> list[Tick]:
        """Ticks of [start, end], UTC nanoseconds; none of a symbol that is hidden."""
        if self.scenario.about("unknown_symbol", self.vendor, grain="tick", symbol=symbol):
            return []
        return list(self.market.ticks_between(symbol, start, end))

    def _again(self, grain: str, symbol: str) -> bool:
        """Whether rows of a symbol are asked for once more."""
        count = self._asked.get((grain, symbol), 0)
        self._asked[grain, symbol] = count + 1
        return count > 0

    def page(self, rows: Sequence[_Row], limit: int, fault: Fault | None) -> tuple[list[_Row], bool]:
        """The rows of one page and whether more follow, as a fault bends them."""
        if fault and fault.do == "empty_page":
            return [], bool(rows)
        size = max(1, limit // 3) if fault and fault.do == "short_page" else limit
        return list(rows[:size]), len(rows) > size


def disturbed(rows: list[_Row], fault: Fault | None) -> list[_Row]:
    """The rows of a page twice or in disorder, where a fault says so."""
    if fault and fault.do == "duplicates":
        return [row for row in rows for _ in range(2)]
    if fault and fault.do == "out_of_order":
        shuffled = list(rows)
        random.Random(len(rows)).shuffle(shuffled)
        return shuffled
    return rows


def _restated(bar: Bar) -> Bar:
    """The same bar as the vendor tells it later."""
    return dataclasses.replace(bar, high=round(bar.high * _RESTATED, 6), close=round(bar.high * _RESTATED, 6))


def said(
    status: int,
    content: object,
    headers: Mapping[str, str] | None = None,
    *,
    rows: int = 0,
    fault: Fault | None = None,
) -> Reply:
    """A reply in JSON."""
    body = json.dumps(content, separators=(",", ":")).encode()
    return Reply(status=status, body=body, headers=headers or {}, rows=rows, fault=fault)
