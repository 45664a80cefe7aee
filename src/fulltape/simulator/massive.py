"""Massive, simulated: aggregates, grouped days, splits, dividends and tickers, as the vendor documents them."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import re
import urllib.parse
import uuid

from fulltape.market.time import DAY, HOUR, Instant, midnight
from fulltape.simulator.market import Action, new_york_midnight
from fulltape.simulator.minutes import Bar
from fulltape.simulator.server import Call, Reply
from fulltape.simulator.ticks import Tick
from fulltape.simulator.vendor import SimulatedVendor, disturbed, said

_AGGREGATES = re.compile(r"/v2/aggs/ticker/([^/]+)/range/1/(day|minute)/([^/]+)/([^/]+)")
_GROUPED = re.compile(r"/v2/aggs/grouped/locale/(?:us|global)/market/(stocks|fx|crypto)/(\d{4}-\d{2}-\d{2})")
_TICKS = re.compile(r"/v3/(trades|quotes)/([^/]+)")
_DEFAULT_LIMIT, _MOST, _MOST_ACTIONS = 5_000, 50_000, 5_000
_UPGRADE = "Please upgrade your plan at https://massive.com/pricing"
_TOO_MANY = (
    "You've exceeded the maximum requests per minute, please wait or upgrade your subscription to continue. "
    "https://massive.com/pricing"
)


class Massive(SimulatedVendor):
    """Answers `/v2/aggs/…`, `/v3/trades/…`, `/v3/quotes/…`, `/stocks/v1/splits`, `/stocks/v1/dividends` and `/v3/reference/tickers…`."""

    vendor = "massive"
    garbage = b'{"ticker":"AAPL","results":[{"v":'
    url = "https://api.massive.com"

    def refused(self, call: Call) -> Reply | None:
        """A bearer, or a key in the query."""
        bearer, _, key = call.headers.get("authorization", "").partition(" ")
        if (bearer == "Bearer" and key) or call.params.get("apiKey"):
            return None
        return _error(401, "error", "API Key was not provided")

    def too_many(self, wait: float) -> Reply:  # noqa: ARG002
        """429 without a word on when."""
        return _error(429, "error", _TOO_MANY)

    def trouble(self, status: int) -> Reply:
        """An error of the server."""
        return _error(status, "error", "Internal server error")

    def answer(self, call: Call) -> Reply:
        """By path."""
        if found := re.fullmatch(r"/vX/reference/tickers/([^/]+)/events", call.path):
            return self._events(found[1])
        if found := re.fullmatch(r"/v3/reference/tickers/([^/]+)", call.path):
            return self._ticker(found[1])
        if call.path == "/v3/reference/tickers":
            return self._tickers(call)
        if found := _AGGREGATES.fullmatch(call.path):
            return self._aggregates(call, *found.groups())
        if found := _GROUPED.fullmatch(call.path):
            return self._grouped(call, found[1], dt.date.fromisoformat(found[2]))
        if found := _TICKS.fullmatch(call.path):
            return self._ticks(call, found[1], found[2])
        if call.path in ("/stocks/v1/splits", "/stocks/v1/dividends"):
            return self._actions(call)
        return _error(404, "error", "Not found.")

    def _symbol(self, ticker: str) -> str:
        """Our spelling: `C:EURUSD`, `X:BTCUSD`, `O:…`, `AAPL`."""
        kind, colon, name = ticker.partition(":")
        if not colon:
            return ticker
        if kind == "X":
            return next(
                (one for one in self.market.symbols if "/" in one and one.replace("/", "") == name), name
            )
        return name

    def _details(self, symbol: str) -> dict[str, object]:
        spans = [bars for (grain, one), bars in self.market.bars.items() if one == symbol and grain == "day"]
        details: dict[str, object] = {
            "ticker": symbol, "name": f"{symbol} Inc.", "market": "stocks", "locale": "us", "active": True,
            "currency_name": "usd", "primary_exchange": "XNAS", "type": "CS",
        }  # fmt: skip
        if spans:
            details["list_date"] = spans[0][0].session.isoformat()
        return details

    def _ticker(self, ticker: str) -> Reply:
        symbol = self._symbol(ticker)
        if not self.knows(symbol):
            return _error(404, "message", "Ticker not found.", status="NOT_FOUND")
        details = {**self._details(symbol), "ticker": ticker}
        return said(200, {"request_id": uuid.uuid4().hex, "results": details, "status": "OK"})

    def _events(self, ticker: str) -> Reply:
        symbol = self._symbol(ticker)
        if not self.knows(symbol):
            return _error(404, "message", "Ticker not found.", status="NOT_FOUND")
        changes = [
            *self.market.renames.get(symbol, ()),
            (str(self._details(symbol).get("list_date", "")), symbol),
        ]
        events = [
            {"type": "ticker_change", "date": day, "ticker_change": {"ticker": name}}
            for day, name in sorted(changes, reverse=True)
            if day
        ]
        results = {"name": f"{symbol} Inc.", "events": events}
        return said(200, {"request_id": uuid.uuid4().hex, "results": results, "status": "OK"})

    def _tickers(self, call: Call) -> Reply:
        wanted = call.params.get("ticker")
        found = [
            self._details(symbol)
            for symbol in sorted(self.market.symbols)
            if symbol.isalpha() and len(symbol) <= 5 and (not wanted or symbol == wanted)
        ]
        return said(
            200, {"status": "OK", "request_id": uuid.uuid4().hex, "results": found, "count": len(found)}
        )

    def _aggregates(self, call: Call, ticker: str, grain: str, first: str, last: str) -> Reply:
        utc = ticker.startswith(("C:", "X:"))
        try:
            start, end = _instant(first, last=False, utc=utc), _instant(last, last=True, utc=utc)
            limit = min(int(call.params.get("limit", _DEFAULT_LIMIT)), _MOST)
            if "cursor" in call.params:
                held = urllib.parse.parse_qs(base64.urlsafe_b64decode(call.params["cursor"] + "==").decode())
                limit = int(held["limit"][0])
        except (ValueError, KeyError, OverflowError):
            return _error(400, "error", "Could not parse the time range or the cursor.")
        if limit < 1 or call.params.get("sort", "asc") != "asc":
            return _error(400, "error", "This server knows positive limits and ascending order only.")
        if refusal := self._refusal(grain, self._symbol(ticker)):
            return refusal
        symbol = self._symbol(ticker)
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
        symbol = pair[1] + pair[2] if pair else self._symbol(ticker)
        try:
            first = int(call.params.get("timestamp.gte", 0))
            last = int(call.params.get("timestamp.lt", 2**62)) - 1
            limit = min(int(call.params.get("limit", 1_000)), _MOST)
            done = int(call.params.get("cursor", 0))
        except ValueError:
            return _error(400, "error", "Could not parse the timestamp, the limit or the cursor.")
        if limit < 1 or call.params.get("order", "desc") != "asc":
            return _error(400, "error", "This server knows positive limits and ascending order only.")
        if refusal := self._refusal("tick", symbol):
            return refusal
        fault = self.strike("tick", [symbol], done // limit + 1)
        if reply := self.faulty(fault):
            return reply
        made = trade_row if kind == "trades" else forex_row if ticker.startswith("C:") else quote_row
        found = [made(tick) for tick in self.ticks(symbol, first, last)]
        page, more = self.page(found[done:], limit, fault)
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
            return _error(403, "message", words, status="NOT_AUTHORIZED")
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

    def _actions(self, call: Call) -> Reply:
        splits = call.path.endswith("splits")
        when = "execution_date" if splits else "ex_dividend_date"
        tickers = set(call.params.get("ticker.any_of", call.params.get("ticker", "")).split(",")) - {""}
        try:
            first = dt.date.fromisoformat(call.params.get(f"{when}.gte", "1900-01-01"))
            last = dt.date.fromisoformat(call.params.get(f"{when}.lte", "2100-01-01"))
            limit = min(int(call.params.get("limit", 100)), _MOST_ACTIONS)
            done = int(call.params.get("cursor", 0))
        except ValueError:
            return _error(400, "error", "Could not parse a date, the limit or the cursor.")
        fault = self.strike("event", sorted(tickers))
        if reply := self.faulty(fault):
            return reply
        found = [
            action
            for action in self.market.actions
            if (action.ratio is not None) == splits and first <= action.ex_date <= last
            if not tickers or action.symbol in tickers
        ]
        page, more = self.page(found[done:], limit, fault)
        body: dict[str, object] = {"status": "OK", "request_id": uuid.uuid4().hex}
        body["results"] = disturbed([_action(action) for action in page], fault)
        if more:
            query = urllib.parse.urlencode({**call.params, "cursor": done + len(page)})
            body["next_url"] = f"{self.url}{call.path}?{query}"
        return said(200, body, rows=len(page), fault=fault)


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


def _action(action: Action) -> dict[str, object]:
    row: dict[str, object] = {
        "id": action.action_id,
        "ticker": action.symbol,
        "historical_adjustment_factor": 1.0,
    }
    if action.ratio:
        old, new = action.ratio
        kind = "forward_split" if new > old else "reverse_split"
        day = action.ex_date.isoformat()
        return {**row, "execution_date": day, "split_from": old, "split_to": new, "adjustment_type": kind}
    dates = {"declaration_date": action.declared, "record_date": action.record, "pay_date": action.pay}
    return {
        **row, "ex_dividend_date": action.ex_date.isoformat(), "cash_amount": action.amount, "currency": "USD",
        "frequency": 4, "distribution_type": "recurring", "split_adjusted_cash_amount": action.amount,
        **{name: day.isoformat() for name, day in dates.items() if day},
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


def _error(code: int, key: str, words: str, *, status: str = "ERROR") -> Reply:
    return said(code, {"status": status, "request_id": uuid.uuid4().hex, key: words})
