"""Massive, simulated: aggregates, grouped days, splits, dividends and tickers, as the vendor documents them."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import re
import urllib.parse
import uuid

from fulltape.market.time import DAY, HOUR, Instant, midnight
from fulltape.simulator.market import new_york_midnight
from fulltape.simulator.minutes import Bar
from fulltape.simulator.server import Call, Reply
from fulltape.simulator.ticks import Tick
from fulltape.simulator.vendor import disturbed, said
from fulltape.simulator.vendors._massive_reference import MassiveReference, failed

_AGGREGATES = re.compile(r"/v2/aggs/ticker/([^/]+)/range/1/(day|minute)/([^/]+)/([^/]+)")
_GROUPED = re.compile(r"/v2/aggs/grouped/locale/(?:us|global)/market/(stocks|fx|crypto)/(\d{4}-\d{2}-\d{2})")
_TICKS = re.compile(r"/v3/(trades|quotes)/([^/]+)")
_DEFAULT_LIMIT, _MOST = 5_000, 50_000
_UPGRADE = "Please upgrade your plan at https://massive.com/pricing"
_TOO_MANY = (
    "You've exceeded the maximum requests per minute, please wait or upgrade your subscription to continue. "
    "https://massive.com/pricing"
)


class Massive(MassiveReference):
    """Answers `/v2/aggs/…`, `/v3/trades/…`, `/v3/quotes/…`, `/stocks/v1/splits`, `/stocks/v1/dividends` and `/v3/reference/tickers…`."""

    vendor = "massive"
    garbage = b'{"ticker":"AAPL","results":[{"v":'

    def refused(self, call: Call) -> Reply | None:
        """A bearer, or a key in the query."""
        bearer, _, key = call.headers.get("authorization", "").partition(" ")
        if (bearer == "Bearer" and key) or call.params.get("apiKey"):
            return None
        return failed(401, "error", "API Key was not provided")

    def too_many(self, wait: float) -> Reply:  # noqa: ARG002
        """429 without a word on when."""
        return failed(429, "error", _TOO_MANY)

    def trouble(self, status: int) -> Reply:
        """An error of the server."""
        return failed(status, "error", "Internal server error")

    def answer(self, call: Call) -> Reply:
        """By path."""
        if (known := self.reference(call)) is not None:
            return known
        if match := _AGGREGATES.fullmatch(call.path):
            return self._aggregates(call, *match.groups())
        if match := _GROUPED.fullmatch(call.path):
            return self._grouped(call, match[1], dt.date.fromisoformat(match[2]))
        if match := _TICKS.fullmatch(call.path):
            return self._ticks(call, match[1], match[2])
        return failed(404, "error", "Not found.")

    def _aggregates(self, call: Call, ticker: str, grain: str, first: str, last: str) -> Reply:
        utc = ticker.startswith(("C:", "X:"))
        try:
            start, end = _instant(first, last=False, utc=utc), _instant(last, last=True, utc=utc)
            limit = min(int(call.params.get("limit", _DEFAULT_LIMIT)), _MOST)
            if "cursor" in call.params:
                held = urllib.parse.parse_qs(base64.urlsafe_b64decode(call.params["cursor"] + "==").decode())
                limit = int(held["limit"][0])
        except (ValueError, KeyError, OverflowError):
            return failed(400, "error", "Could not parse the time range or the cursor.")
        if limit < 1 or call.params.get("sort", "asc") != "asc":
            return failed(400, "error", "This server knows positive limits and ascending order only.")
        if refusal := self._refusal(grain, self.symbol_of(ticker)):
            return refusal
        symbol = self.symbol_of(ticker)
        fault = self.strike(grain, [symbol], 2 if "cursor" in call.params else 1)
        if reply := self.faulty(fault):
            return reply
        bars = self.bars(grain, symbol, start, end)
        rows, more = self.page(bars, limit, fault)
        adjusted = call.params.get("adjusted", "true") != "false"
        body: dict[str, object] = {"ticker": ticker, **_head(len(rows), adjusted=adjusted)}
        if rows:
            chosen = [self._adjusted(symbol, bar) if adjusted else bar for bar in disturbed(rows, fault)]
            body["results"] = [_row(bar) for bar in chosen]
        if more or (fault and fault.do == "repeat_cursor"):
            following = bars[len(rows)].start if more else start
            cursor = base64.urlsafe_b64encode(f"limit={limit}&sort=asc".encode()).decode().rstrip("=")
            path = f"/v2/aggs/ticker/{ticker}/range/1/{grain}/{following // 1_000}/{last}"
            body["next_url"] = f"{self.url}{path}?cursor={cursor}"
        return said(200, body, rows=len(rows), fault=fault)

    def _ticks(self, call: Call, kind: str, ticker: str) -> Reply:
        """Nanoseconds, newest first unless told otherwise; this server knows oldest first only."""
        pair = re.fullmatch(r"C:([A-Z]{3})-([A-Z]{3})", ticker)
        if ticker.startswith("C:") and not pair:
            return said(200, {"status": "OK", "request_id": uuid.uuid4().hex, "results": []})
        symbol = pair[1] + pair[2] if pair else self.symbol_of(ticker)
        try:
            first = int(call.params.get("timestamp.gte", 0))
            last = int(call.params.get("timestamp.lt", 2**62)) - 1
            limit = min(int(call.params.get("limit", 1_000)), _MOST)
            done = int(call.params.get("cursor", 0))
        except ValueError:
            return failed(400, "error", "Could not parse the timestamp, the limit or the cursor.")
        if limit < 1 or call.params.get("order", "desc") != "asc":
            return failed(400, "error", "This server knows positive limits and ascending order only.")
        if refusal := self._refusal("tick", symbol):
            return refusal
        fault = self.strike("tick", [symbol], done // limit + 1)
        if reply := self.faulty(fault):
            return reply
        made = trade_row if kind == "trades" else forex_row if ticker.startswith("C:") else quote_row
        rows = [made(tick) for tick in self.ticks(symbol, first, last)]
        page, more = self.page(rows[done:], limit, fault)
        body: dict[str, object] = {"status": "OK", "request_id": uuid.uuid4().hex}
        body["results"] = disturbed(page, fault)
        if more or (fault and fault.do == "repeat_cursor"):
            query = urllib.parse.urlencode({**call.params, "cursor": done + len(page) if more else done})
            body["next_url"] = f"{self.url}{call.path}?{query}"
        return said(200, body, rows=len(page), fault=fault)

    def _adjusted(self, symbol: str, bar: Bar) -> Bar:
        """As by default: divided by the splits that came after it."""
        factor = 1.0
        for action in self.market.actions:
            if action.symbol == symbol and action.ratio and action.ex_date > bar.session:
                factor *= action.ratio[0] / action.ratio[1]
        prices = {name: round(getattr(bar, name) * factor, 6) for name in ("open", "high", "low", "close")}
        return dataclasses.replace(bar, **prices, volume=bar.volume / factor)

    def _refusal(self, grain: str, symbol: str) -> Reply | None:
        if not self.entitled(grain, symbol):
            words = f"You are not entitled to this data. {_UPGRADE}"
            return failed(403, "message", words, status="NOT_AUTHORIZED")
        return None

    def _grouped(self, call: Call, market: str, day: dt.date) -> Reply:
        """Every symbol's bar of one day, stamped at its end."""
        if refusal := self._refusal("day", ""):
            return refusal
        symbols = sorted({symbol for grain, symbol in self.market.bars if grain == "day"})
        fault = self.strike("day", symbols)
        if reply := self.faulty(fault):
            return reply
        stocks = market == "stocks"
        prefix = {"stocks": "", "fx": "C:", "crypto": "X:"}[market]
        start = new_york_midnight(day) if stocks else midnight(day)
        end = start + 16 * HOUR if stocks else start + DAY - 1_000
        adjusted = call.params.get("adjusted", "true") != "false"
        rows = []
        for symbol in symbols:
            if _market_of(symbol) == market and self.entitled("day", symbol):
                wire = prefix + symbol.replace("/", "")
                bars = self.bars("day", symbol, start, start)
                chosen = [self._adjusted(symbol, bar) if adjusted else bar for bar in bars]
                rows += [{**_row(bar), "T": wire, "t": end // 1_000} for bar in chosen]
        rows, _ = self.page(rows, len(rows) or 1, fault)
        body = {
            **_head(len(rows), adjusted=adjusted),
            **({"results": disturbed(rows, fault)} if rows else {}),
        }
        return said(200, body, rows=len(rows), fault=fault)


def _market_of(symbol: str) -> str:
    if "/" in symbol:
        return "crypto"
    if len(symbol) == 6 and symbol.isalpha():
        return "fx"
    return "stocks" if len(symbol) <= 5 and symbol.isalpha() else ""


def _head(count: int, *, adjusted: bool) -> dict[str, object]:
    return {
        "queryCount": count, "resultsCount": count, "adjusted": adjusted, "status": "OK",
        "request_id": uuid.uuid4().hex,
    }  # fmt: skip


def trade_row(tick: Tick) -> dict[str, object]:
    """A trade of the tape's, in the words of the history."""
    return {
        "conditions": [12, 37], "exchange": 11, "id": str(tick.trade_id), "participant_timestamp": tick.at,
        "price": tick.price, "sequence_number": tick.trade_id, "sip_timestamp": tick.at, "size": tick.size, "tape": 3,
    }  # fmt: skip


def quote_row(tick: Tick) -> dict[str, object]:
    """A cent on either side of a tick, sizes in shares."""
    return {
        "ask_exchange": 12, "ask_price": round(tick.price + 0.01, 2), "ask_size": 200, "bid_exchange": 11,
        "bid_price": round(tick.price - 0.01, 2), "bid_size": 100 * (1 + tick.trade_id % 9),
        "participant_timestamp": tick.at, "sequence_number": tick.trade_id, "sip_timestamp": tick.at, "tape": 3,
    }  # fmt: skip


def forex_row(tick: Tick) -> dict[str, object]:
    """A pair's quote."""
    return {
        "ask_exchange": 48, "ask_price": round(tick.price + 0.0001, 5), "bid_exchange": 48,
        "bid_price": round(tick.price - 0.0001, 5), "participant_timestamp": tick.at,
    }  # fmt: skip


def _row(bar: Bar) -> dict[str, object]:
    row: dict[str, object] = {"v": bar.volume, "o": bar.open, "c": bar.close, "h": bar.high, "l": bar.low}
    row["t"] = bar.start // 1_000
    if bar.vwap is not None:
        row["vw"] = bar.vwap
    if bar.trades is not None:
        row["n"] = bar.trades
    return row


def _instant(text: str, *, last: bool, utc: bool) -> Instant:
    """A date (a whole day of New York or of UTC when it is the end) or milliseconds; both ends are inclusive."""
    if text.isdigit():
        return int(text) * 1_000
    day = dt.date.fromisoformat(text)
    begin = midnight if utc else new_york_midnight
    return begin(day + dt.timedelta(days=1)) - 1 if last else begin(day)


SIMULATED = Massive
