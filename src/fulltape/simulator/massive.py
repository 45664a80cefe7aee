"""Massive's twin: aggregates of one ticker, and ticker details, as the vendor documents them."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import urllib.parse
import uuid

from fulltape.core.time import Instant
from fulltape.simulator.market import Market, new_york_midnight
from fulltape.simulator.minutes import Bar
from fulltape.simulator.scenario import Scenario
from fulltape.simulator.server import Call, RateLimit, Reply

VENDOR = "massive"
_AGGREGATES = re.compile(r"/v2/aggs/ticker/([^/]+)/range/1/(day|minute)/([^/]+)/([^/]+)")
_DEFAULT_LIMIT = 5_000
_MOST = 50_000
_UPGRADE = "Please upgrade your plan at https://massive.com/pricing"
_TOO_MANY = (
    "You've exceeded the maximum requests per minute, please wait or upgrade your subscription to continue. "
    "https://massive.com/pricing"
)


class Massive:
    """Answers `/v2/aggs/ticker/…` and `/v3/reference/tickers/{ticker}`."""

    def __init__(self, market: Market, scenario: Scenario) -> None:
        self._market = market
        self._scenario = scenario
        self._limit = RateLimit(scenario.limits.get(VENDOR, 0))
        self.url = "https://api.massive.com"

    def __call__(self, call: Call) -> Reply:
        """The answer to one request."""
        bearer, _, key = call.headers.get("authorization", "").partition(" ")
        if not (bearer == "Bearer" and key) and not call.params.get("apiKey"):
            return _error(401, "error", "API Key was not provided")
        allowed, _, _ = self._limit.take()
        if not allowed:
            return _error(429, "error", _TOO_MANY)
        if found := re.fullmatch(r"/v3/reference/tickers/([^/]+)", call.path):
            return self._ticker(found[1])
        if found := _AGGREGATES.fullmatch(call.path):
            return self._aggregates(call, *found.groups())
        return _error(404, "error", "Not found.")

    def _ticker(self, ticker: str) -> Reply:
        hidden = self._scenario.about("unknown_symbol", VENDOR, grain="", symbol=ticker)
        if hidden or ticker not in self._market.symbols:
            return _error(404, "message", "Ticker not found.", status="NOT_FOUND")
        details = {
            "ticker": ticker,
            "market": "stocks",
            "locale": "us",
            "active": True,
            "currency_name": "usd",
        }
        body = {"request_id": uuid.uuid4().hex, "results": details, "status": "OK"}
        return Reply(status=200, body=json.dumps(body).encode())

    def _aggregates(self, call: Call, ticker: str, grain: str, first: str, last: str) -> Reply:
        try:
            start, end = _instant(first, last=False), _instant(last, last=True)
            limit = min(int(call.params.get("limit", _DEFAULT_LIMIT)), _MOST)
            if "cursor" in call.params:
                held = urllib.parse.parse_qs(base64.urlsafe_b64decode(call.params["cursor"] + "==").decode())
                limit = int(held["limit"][0])
        except (ValueError, KeyError, OverflowError):
            return _error(400, "error", "Could not parse the time range or the cursor.")
        if limit < 1 or call.params.get("sort", "asc") != "asc":
            return _error(400, "error", "This server knows positive limits and ascending order only.")
        if call.params.get("adjusted", "true") != "false":
            return _error(400, "error", "This server has unadjusted prices only.")
        if self._scenario.about("not_entitled", VENDOR, grain=grain, symbol=ticker):
            return _error(
                403, "message", f"You are not entitled to this data. {_UPGRADE}", status="NOT_AUTHORIZED"
            )
        page = 2 if "cursor" in call.params else 1
        fault = self._scenario.strike(VENDOR, grain=grain, symbols=[ticker], page=page)
        if fault and fault.do == "rate_limit":
            return _error(429, "error", _TOO_MANY)
        if fault and fault.do == "error":
            return _error(fault.status, "error", "Internal server error")
        if fault and fault.do == "garbage":
            return Reply(status=200, body=b'{"ticker":"AAPL","results":[{"v":')
        bars = self._served(grain, ticker, start, end)
        rows = [] if fault and fault.do == "empty_page" else bars[:limit]
        body: dict[str, object] = {
            "ticker": ticker, "queryCount": len(rows), "resultsCount": len(rows), "adjusted": False,
            "status": "OK", "request_id": uuid.uuid4().hex,
        }  # fmt: skip
        if rows:
            body["results"] = [_row(bar) for bar in rows]
        if len(bars) > len(rows) or (fault and fault.do == "repeat_cursor"):
            following = bars[len(rows)].start if len(bars) > len(rows) else start
            cursor = base64.urlsafe_b64encode(f"limit={limit}&sort=asc".encode()).decode().rstrip("=")
            path = f"/v2/aggs/ticker/{ticker}/range/1/{grain}/{following // 1_000}/{last}"
            body["next_url"] = f"{self.url}{path}?cursor={cursor}"
        return Reply(status=200, body=json.dumps(body).encode(), rows=len(rows), fault=fault)

    def _served(self, grain: str, ticker: str, start: Instant, end: Instant) -> list[Bar]:
        if self._scenario.about("unknown_symbol", VENDOR, grain=grain, symbol=ticker):
            return []
        return [
            bar
            for bar in self._market.between(grain, ticker, start, end)
            if not self._scenario.lacks(VENDOR, grain=grain, symbol=ticker, session=bar.session)
        ]


def _row(bar: Bar) -> dict[str, object]:
    row: dict[str, object] = {"v": bar.volume, "o": bar.open, "c": bar.close, "h": bar.high, "l": bar.low}
    row["t"] = bar.start // 1_000
    if bar.vwap is not None:
        row["vw"] = bar.vwap
    if bar.trades is not None:
        row["n"] = bar.trades
    return row


def _instant(text: str, *, last: bool) -> Instant:
    """A date (a whole New York day when it is the end) or milliseconds; both ends are inclusive."""
    if text.isdigit():
        return int(text) * 1_000
    day = dt.date.fromisoformat(text)
    return new_york_midnight(day + dt.timedelta(days=1)) - 1 if last else new_york_midnight(day)


def _error(code: int, key: str, words: str, *, status: str = "ERROR") -> Reply:
    body = {"status": status, "request_id": uuid.uuid4().hex, key: words}
    return Reply(status=code, body=json.dumps(body).encode())
