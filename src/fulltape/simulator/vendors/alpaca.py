"""Alpaca, simulated: bars of stocks, options and crypto, corporate actions and assets, as the vendor documents them."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import re
import time
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass

from fulltape.market.time import SECOND, Instant, from_datetime, iso, to_datetime
from fulltape.simulator import ticks
from fulltape.simulator.market import Action, new_york_midnight
from fulltape.simulator.minutes import Bar
from fulltape.simulator.server import Call, Reply
from fulltape.simulator.ticks import Tick
from fulltape.simulator.vendor import SimulatedVendor, disturbed, said

_GRAINS = {"1Day": "day", "1D": "day", "1Min": "minute", "1T": "minute"}
_SYMBOLS = {
    "stocks": re.compile(r"[A-Z][A-Z0-9.]*"),
    "options": re.compile(r"[A-Z]{1,6}\d?\d{6}[CP]\d{8}"),
    "crypto": re.compile(r"[A-Z0-9]+/[A-Z]+"),
}
_BARS = re.compile(r"/v2/(stocks)/bars|/v1beta1/(options)/bars|/v1beta3/(crypto)/us/bars")
_DEFAULT_LIMIT, _MOST, _MOST_ACTIONS = 1_000, 10_000, 1_000
_SERVED = {"adjustment": ("raw",), "sort": ("asc",), "feed": ("sip", "iex"), "currency": ("USD",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a request is about; `after` is the place of the last row that was sent."""

    symbols: Sequence[str]
    start: Instant
    end: Instant
    limit: int
    after: tuple[str, int]


class Alpaca(SimulatedVendor):
    """Answers `/v2/stocks/…`, `/v1beta1/options/bars`, `/v1beta3/crypto/us/bars`, `/v1/corporate-actions`, `/v2/assets/…`."""

    vendor = "alpaca"
    garbage = b'{"bars":{"AAPL":[{"t":'

    def refused(self, call: Call) -> Reply | None:
        """Crypto history is open to all; everything else wants both halves of a key."""
        held = call.headers.get("apca-api-key-id") and call.headers.get("apca-api-secret-key")
        return None if held or "/crypto/" in call.path else _error(403, "forbidden.")

    def headers(self, left: int, wait: float) -> dict[str, str]:
        """The limit, what is left of it, and the epoch second at which there is more."""
        if not self.limit.per_minute:
            return {}
        return {
            "X-RateLimit-Limit": str(self.limit.per_minute),
            "X-RateLimit-Remaining": str(max(0, left)),
            "X-RateLimit-Reset": str(math.ceil(time.time() + wait)),
        }

    def too_many(self, wait: float) -> Reply:
        """429 with the headers."""
        reset = str(math.ceil(time.time() + wait))
        limit = str(self.limit.per_minute or 200)
        headers = {"X-RateLimit-Limit": limit, "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
        return said(429, {"message": "too many requests."}, headers)

    def trouble(self, status: int) -> Reply:
        """An error of the server."""
        return _error(status, "internal server error occurred")

    def answer(self, call: Call) -> Reply:
        """By path."""
        if match := re.fullmatch(r"/v2/assets/(.+)", call.path):
            return self._asset(urllib.parse.unquote(match[1]))
        if call.path == "/v1/corporate-actions":
            return self._actions(call)
        if match := _BARS.fullmatch(call.path):
            symbols = [symbol for symbol in call.params.get("symbols", "").split(",") if symbol]
            kind = next(group for group in match.groups() if group)
            return self._bars(call, kind, symbols)
        if match := re.fullmatch(r"/v2/stocks/(trades|quotes)", call.path):
            symbols = [symbol for symbol in call.params.get("symbols", "").split(",") if symbol]
            return self._ticks(call, match[1], symbols)
        if match := re.fullmatch(r"/v2/stocks/([^/]+)/bars", call.path):
            return self._single(call, match[1])
        return _error(404, "endpoint not found.")

    def _asset(self, symbol: str) -> Reply:
        if not self.knows(symbol):
            return _error(404, f"asset not found for {symbol}")
        kind = "crypto" if "/" in symbol else "us_equity"
        asset = {"class": kind, "exchange": "NASDAQ", "symbol": symbol, "status": "active", "tradable": True}
        return said(200, asset)

    def _single(self, call: Call, symbol: str) -> Reply:
        reply = self._bars(call, "stocks", [symbol])
        if reply.status != 200 or reply.fault:
            return reply
        page = json.loads(reply.body)
        token = page["next_page_token"]
        body = {"bars": page["bars"].get(symbol, []), "symbol": symbol, "next_page_token": token}
        return said(200, body, rows=reply.rows)

    def _bars(self, call: Call, kind: str, symbols: Sequence[str]) -> Reply:
        grain = _GRAINS.get(call.params.get("timeframe", ""))
        if grain is None:
            return _error(400, f"invalid timeframe: {call.params.get('timeframe', '')}")
        asked = self._asked_for(call, kind, grain, symbols)
        if isinstance(asked, Reply):
            return asked
        rows = [
            (symbol, bar.start, _row(bar))
            for symbol in asked.symbols
            for bar in self.bars(grain, symbol, asked.start, asked.end)
        ]
        return self._page("bars", grain, asked, rows)

    def _ticks(self, call: Call, key: str, symbols: Sequence[str]) -> Reply:
        """Trades or quotes; what was taken back since is marked."""
        asked = self._asked_for(call, "stocks", "tick", symbols)
        if isinstance(asked, Reply):
            return asked
        made = trade_row if key == "trades" else quote_row
        rows = [
            (symbol, tick.trade_id, made(tick))
            for symbol in asked.symbols
            for tick in self.ticks(symbol, asked.start * 1_000, asked.end * 1_000 + 999)
        ]
        return self._page(key, "tick", asked, rows)

    def _asked_for(self, call: Call, kind: str, grain: str, symbols: Sequence[str]) -> _Asked | Reply:
        params = call.params
        if not symbols:
            return _error(400, "symbols is required")
        if kind == "options" and len(symbols) > 100:
            return _error(400, "too many symbols: at most 100")
        for name, served in _SERVED.items():
            if params.get(name, served[0]) not in served:
                return _error(400, f"this server has no {name}={params[name]}")
        for symbol in symbols:
            if not _SYMBOLS[kind].fullmatch(symbol):
                return _error(400, f"invalid symbol: {symbol}")
        try:
            today = to_datetime(int(time.time()) * SECOND).date().isoformat()
            start = _instant(params.get("start", today), last=False)
            end = _instant(params.get("end", today), last=True)
            limit = int(params.get("limit", _DEFAULT_LIMIT))
            after = _untoken(params["page_token"]) if "page_token" in params else ("", -1)
        except (ValueError, OverflowError) as error:
            return _error(400, f"invalid page_token or time: {error}")
        if not 1 <= limit <= _MOST:
            return _error(400, f"invalid limit: {limit}")
        for symbol in symbols:
            if not self.entitled(grain, symbol):
                return _error(403, "subscription does not permit querying this data")
        return _Asked(symbols=sorted(set(symbols)), start=start, end=end, limit=limit, after=after)

    def _page(
        self, key: str, grain: str, asked: _Asked, everything: Sequence[tuple[str, int, dict[str, object]]]
    ) -> Reply:
        """A page of rows, each with its symbol and a number that grows with its place."""
        rows = [row for row in everything if row[:2] > asked.after]
        fault = self.strike(grain, asked.symbols, (len(everything) - len(rows)) // asked.limit + 1)
        if reply := self.faulty(fault):
            return reply
        page, more = self.page(rows, asked.limit, fault)
        token = (_token(*page[-1][:2]) if page else _token(*asked.after, again=True)) if more else None
        if fault and fault.do == "repeat_cursor":
            token = _token(*rows[0][:2]) if rows else "AAAA"
        by_symbol: dict[str, list[dict[str, object]]] = {}
        for symbol, _, row in page:
            by_symbol.setdefault(symbol, []).append(row)
        by_symbol = {symbol: disturbed(some, fault) for symbol, some in by_symbol.items()}
        return said(200, {key: by_symbol, "next_page_token": token}, rows=len(page), fault=fault)

    def _actions(self, call: Call) -> Reply:
        """By the day on which they are processed, which both default to today."""
        today = dt.datetime.now(dt.UTC).date().isoformat()
        try:
            first, last = (dt.date.fromisoformat(call.params.get(name, today)) for name in ("start", "end"))
            limit = int(call.params.get("limit", 100))
            done = int(base64.b64decode(call.params.get("page_token", "MA==")))
        except ValueError as error:
            return _error(400, f"invalid page_token or date: {error}")
        if not 1 <= limit <= _MOST_ACTIONS:
            return _error(400, f"invalid limit: {limit}")
        asked = [symbol for symbol in call.params.get("symbols", "").split(",") if symbol]
        fault = self.strike("event", asked)
        if reply := self.faulty(fault):
            return reply
        actions = [
            action
            for action in self.market.actions
            if first <= _processed(action) <= last and (not asked or action.symbol in asked)
        ]
        page, more = self.page(actions[done:], limit, fault)
        token = base64.b64encode(str(done + len(page)).encode()).decode() if more else None
        content: dict[str, list[dict[str, object]]] = {}
        for action in disturbed(page, fault):
            kind, row = _action(action)
            content.setdefault(kind, []).append(row)
        body = {"corporate_actions": content, "next_page_token": token}
        return said(200, body, rows=len(page), fault=fault)


def _processed(action: Action) -> dt.date:
    return action.pay or action.ex_date


def _action(action: Action) -> tuple[str, dict[str, object]]:
    row: dict[str, object] = {
        "id": action.action_id, "symbol": action.symbol, "process_date": _processed(action).isoformat(),
        "ex_date": action.ex_date.isoformat(),
    }  # fmt: skip
    if action.record:
        row["record_date"] = action.record.isoformat()
    if action.pay:
        row["payable_date"] = action.pay.isoformat()
    if action.ratio is None:
        more = {"cusip": "037833100", "rate": action.amount, "special": action.special, "foreign": False}
        return "cash_dividends", {**row, **more}
    old, new = action.ratio
    rates = {"new_rate": new, "old_rate": old}
    if new > old:
        return "forward_splits", {**row, **rates, "cusip": "037833100"}
    return "reverse_splits", {**row, **rates, "old_cusip": "000000001", "new_cusip": "000000002"}


def _row(bar: Bar) -> dict[str, object]:
    """All fields are always there; what the lake lacks is made up: a trade in a hundred shares, the typical price where
    anything was traded."""
    typical = round((bar.high + bar.low + bar.close) / 3, 6) if bar.volume else 0
    return {
        "t": iso(bar.start), "o": bar.open, "h": bar.high, "l": bar.low, "c": bar.close, "v": bar.volume,
        "n": 1 + int(bar.volume) // 100 if bar.trades is None else bar.trades,
        "vw": typical if bar.vwap is None else bar.vwap,
    }  # fmt: skip


def _instant(text: str, *, last: bool) -> Instant:
    """A date or an RFC 3339 time; both ends of a request are inclusive, so a date as the end is that whole day."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        day = dt.date.fromisoformat(text)
        return new_york_midnight(day + dt.timedelta(days=1)) - 1 if last else new_york_midnight(day)
    moment = dt.datetime.fromisoformat(text)
    return from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC))


def taken_back(tick: Tick) -> str:
    """What has become of a trade: one in a hundred is cancelled."""
    return "canceled" if tick.trade_id % 100 == 0 else ""


def trade_row(tick: Tick) -> dict[str, object]:
    """A trade of the tape's; `u` only where it does not stand."""
    row: dict[str, object] = {
        "t": ticks.iso(tick.at), "x": "V", "p": tick.price, "s": tick.size, "c": ["@", "I"], "i": tick.trade_id, "z": "C",
    }  # fmt: skip
    return row | ({"u": taken_back(tick)} if taken_back(tick) else {})


def quote_row(tick: Tick) -> dict[str, object]:
    """A cent on either side of a tick."""
    return {
        "t": ticks.iso(tick.at), "bx": "V", "bp": round(tick.price - 0.01, 2), "bs": 1 + tick.trade_id % 9,
        "ax": "Q", "ap": round(tick.price + 0.01, 2), "as": 2, "c": ["R"], "z": "C",
    }  # fmt: skip


def _token(symbol: str, place: int, *, again: bool = False) -> str:
    """Opaque to clients. After an empty page the place is the same, yet the token is another."""
    return base64.b64encode(f"{symbol}|{'E' if again else 'M'}|{place}".encode()).decode()


def _untoken(token: str) -> tuple[str, int]:
    symbol, _, place = base64.b64decode(token, validate=True).decode().split("|")
    return symbol, int(place)


def _error(status: int, message: str) -> Reply:
    return said(status, {"message": message})


SIMULATED = Alpaca
