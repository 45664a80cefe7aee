"""Alpaca's twin: multi-symbol bars and assets, as the vendor documents them."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import re
import time
from collections.abc import Sequence

from fulltape.core.time import SECOND, Instant, from_datetime, iso, to_datetime
from fulltape.simulator.market import Market, new_york_midnight
from fulltape.simulator.minutes import Bar
from fulltape.simulator.scenario import Scenario
from fulltape.simulator.server import Call, RateLimit, Reply

VENDOR = "alpaca"
_GRAINS = {"1Day": "day", "1D": "day", "1Min": "minute", "1T": "minute"}
_SYMBOL = re.compile(r"[A-Z][A-Z0-9.]*")
_DEFAULT_LIMIT = 1_000
_SERVED = {"adjustment": ("raw",), "sort": ("asc",), "feed": ("sip", "iex"), "currency": ("USD",)}
_MOST = 10_000


class Alpaca:
    """Answers `/v2/stocks/bars`, `/v2/stocks/{symbol}/bars` and `/v2/assets/{symbol}`."""

    def __init__(self, market: Market, scenario: Scenario) -> None:
        self._market = market
        self._scenario = scenario
        self._limit = RateLimit(scenario.limits.get(VENDOR, 0))

    def __call__(self, call: Call) -> Reply:
        """The answer to one request."""
        if not call.headers.get("apca-api-key-id") or not call.headers.get("apca-api-secret-key"):
            return _error(403, "forbidden.")
        allowed, left, wait = self._limit.take()
        headers = self._headers(left, wait)
        if not allowed:
            return _error(429, "too many requests.", headers)
        if found := re.fullmatch(r"/v2/assets/([^/]+)", call.path):
            return self._asset(found[1], headers)
        if call.path == "/v2/stocks/bars":
            symbols = [symbol for symbol in call.params.get("symbols", "").split(",") if symbol]
            return self._bars(call, symbols, headers)
        if found := re.fullmatch(r"/v2/stocks/([^/]+)/bars", call.path):
            return self._single(call, found[1], headers)
        return _error(404, "endpoint not found.", headers)

    def _headers(self, left: int, wait: float) -> dict[str, str]:
        if not self._limit.per_minute:
            return {}
        return {
            "X-RateLimit-Limit": str(self._limit.per_minute),
            "X-RateLimit-Remaining": str(max(0, left)),
            "X-RateLimit-Reset": str(math.ceil(time.time() + wait)),
        }

    def _asset(self, symbol: str, headers: dict[str, str]) -> Reply:
        hidden = self._scenario.about("unknown_symbol", VENDOR, grain="", symbol=symbol)
        if hidden or symbol not in self._market.symbols:
            return _error(404, f"asset not found for {symbol}", headers)
        asset = {
            "class": "us_equity",
            "exchange": "NASDAQ",
            "symbol": symbol,
            "status": "active",
            "tradable": True,
        }
        return Reply(status=200, body=json.dumps(asset).encode(), headers=headers)

    def _single(self, call: Call, symbol: str, headers: dict[str, str]) -> Reply:
        reply = self._bars(call, [symbol], headers)
        if reply.status != 200:
            return reply
        page = json.loads(reply.body)
        body = {
            "bars": page["bars"].get(symbol, []),
            "symbol": symbol,
            "next_page_token": page["next_page_token"],
        }
        return Reply(
            status=200, body=json.dumps(body).encode(), headers=headers, rows=reply.rows, fault=reply.fault
        )

    def _bars(self, call: Call, symbols: Sequence[str], headers: dict[str, str]) -> Reply:
        params = call.params
        grain = _GRAINS.get(params.get("timeframe", ""))
        if grain is None:
            return _error(400, f"invalid timeframe: {params.get('timeframe', '')}", headers)
        if not symbols:
            return _error(400, "symbols is required", headers)
        for name, served in _SERVED.items():
            if params.get(name, served[0]) not in served:
                return _error(400, f"this server has no {name}={params[name]}", headers)
        for symbol in symbols:
            if not _SYMBOL.fullmatch(symbol):
                return _error(400, f"invalid symbol: {symbol}", headers)
        try:
            today = to_datetime(int(time.time()) * SECOND).date().isoformat()
            start = _instant(params.get("start", today), last=False)
            end = _instant(params.get("end", today), last=True)
            limit = int(params.get("limit", _DEFAULT_LIMIT))
            after = _untoken(params["page_token"]) if "page_token" in params else ("", -1)
        except (ValueError, OverflowError) as error:
            return _error(400, f"invalid page_token or time: {error}", headers)
        if not 1 <= limit <= _MOST:
            return _error(400, f"invalid limit: {limit}", headers)
        return self._page(sorted(set(symbols)), grain, start, end, limit, after, headers)

    def _page(
        self,
        symbols: Sequence[str],
        grain: str,
        start: Instant,
        end: Instant,
        limit: int,
        after: tuple[str, Instant],
        headers: dict[str, str],
    ) -> Reply:
        for symbol in symbols:
            if self._scenario.about("not_entitled", VENDOR, grain=grain, symbol=symbol):
                return _error(403, "subscription does not permit querying this data", headers)
        rows = [
            (symbol, bar)
            for symbol in symbols
            for bar in self._served(grain, symbol, start, end)
            if (symbol, bar.start) > after
        ]
        before = sum(len(self._served(grain, symbol, start, end)) for symbol in symbols) - len(rows)
        fault = self._scenario.strike(VENDOR, grain=grain, symbols=symbols, page=before // limit + 1)
        if fault and fault.do == "rate_limit":
            reset = {"X-RateLimit-Limit": str(self._limit.per_minute or 200), "X-RateLimit-Remaining": "0"}
            reset["X-RateLimit-Reset"] = str(math.ceil(time.time() + fault.wait))
            return _error(429, "too many requests.", reset)
        if fault and fault.do == "error":
            return _error(fault.status, "internal server error occurred", headers)
        if fault and fault.do == "garbage":
            return Reply(status=200, body=b'{"bars":{"AAPL":[{"t":', headers=headers)
        page = [] if fault and fault.do == "empty_page" else rows[:limit]
        more = len(rows) > len(page)
        token = (_token(*page[-1]) if page else _token(*after, again=True)) if more else None
        if fault and fault.do == "repeat_cursor":
            token = _token(*rows[0]) if rows else "AAAA"
        bars: dict[str, list[dict[str, object]]] = {}
        for symbol, bar in page:
            bars.setdefault(symbol, []).append(_row(bar))
        body = json.dumps({"bars": bars, "next_page_token": token}, separators=(",", ":")).encode()
        return Reply(status=200, body=body, headers=headers, rows=len(page), fault=fault)

    def _served(self, grain: str, symbol: str, start: Instant, end: Instant) -> list[Bar]:
        if self._scenario.about("unknown_symbol", VENDOR, grain=grain, symbol=symbol):
            return []
        return [
            bar
            for bar in self._market.between(grain, symbol, start, end)
            if not self._scenario.lacks(VENDOR, grain=grain, symbol=symbol, session=bar.session)
        ]


def _row(bar: Bar) -> dict[str, object]:
    row: dict[str, object] = {
        "t": iso(bar.start), "o": bar.open, "h": bar.high, "l": bar.low, "c": bar.close, "v": bar.volume
    }  # fmt: skip
    if bar.trades is not None:
        row["n"] = bar.trades
    if bar.vwap is not None:
        row["vw"] = bar.vwap
    return row


def _instant(text: str, *, last: bool) -> Instant:
    """A date or an RFC 3339 time; both ends of a request are inclusive, so a date as the end is that whole day."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        day = dt.date.fromisoformat(text)
        return new_york_midnight(day + dt.timedelta(days=1)) - 1 if last else new_york_midnight(day)
    return from_datetime(dt.datetime.fromisoformat(text))


def _token(symbol: str, bar: Bar | Instant, *, again: bool = False) -> str:
    """Opaque to clients. After an empty page the place is the same, yet the token is another."""
    start = bar.start if isinstance(bar, Bar) else bar
    return base64.b64encode(f"{symbol}|{'E' if again else 'M'}|{start}".encode()).decode()


def _untoken(token: str) -> tuple[str, Instant]:
    symbol, _, start = base64.b64decode(token, validate=True).decode().split("|")
    return symbol, int(start)


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status=status, body=json.dumps({"message": message}).encode(), headers=headers or {})
