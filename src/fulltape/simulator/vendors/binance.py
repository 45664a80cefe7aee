"""Binance, simulated: klines, trades, aggregate trades, exchangeInfo and the archive of files, as documented."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import time
from collections.abc import Sequence

from fulltape.market.time import DAY, MINUTE, Instant, midnight
from fulltape.simulator import archive
from fulltape.simulator.minutes import Bar
from fulltape.simulator.server import Call, Reply
from fulltape.simulator.ticks import Tick
from fulltape.simulator.vendor import SimulatedVendor, disturbed, said

_FILE = re.compile(
    r"/data/spot/(daily|monthly)/(klines|aggTrades|trades)/(\w+)/(?:(\w+)/)?\w+-(?:\w+)-(\d{4}-\d{2}(?:-\d{2})?)\.zip(\.CHECKSUM)?"
)
_STEPS = {"1m": ("minute", MINUTE), "1d": ("day", DAY)}
_MOST = 1_000
_MICROSECONDS_FROM = dt.date(2025, 1, 1)
_KNOWN = {
    "/api/v3/klines": {"symbol", "interval", "startTime", "endTime", "limit", "timeZone"},
    "/api/v3/aggTrades": {"symbol", "fromId", "startTime", "endTime", "limit"},
}


class Binance(SimulatedVendor):
    """Answers `/api/v3/…` and `/data/spot/…`."""

    vendor = "binance"
    garbage = b'[[1499040000000,"0.01634790",'

    def headers(self, left: int, wait: float) -> dict[str, str]:  # noqa: ARG002
        """The weight used in this minute."""
        return {"X-MBX-USED-WEIGHT-1M": str(self.limit.per_minute - left if self.limit.per_minute else 2)}

    def too_many(self, wait: float) -> Reply:
        """429 with the seconds to wait."""
        words = "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API."
        return said(429, {"code": -1003, "msg": words}, {"Retry-After": str(max(1, round(wait)))})

    def banned(self, wait: float) -> Reply:
        """418 with the seconds of the ban."""
        until = int((time.time() + wait) * 1_000)
        words = f"Way too much request weight used; IP banned until {until}. Please use WebSocket Streams for live updates to avoid bans."
        return said(418, {"code": -1003, "msg": words}, {"Retry-After": str(max(1, round(wait)))})

    def answer(self, call: Call) -> Reply:
        """By path."""
        if match := _FILE.fullmatch(call.path):
            return self._file(*match.groups(default=""))
        if call.path == "/api/v3/ping":
            return said(200, {})
        if call.path == "/api/v3/time":
            return said(200, {"serverTime": int(time.time() * 1_000)})
        if call.path == "/api/v3/exchangeInfo":
            symbol = self._pairs().get(call.params.get("symbol", ""), "")
            if "symbol" in call.params and not self.knows(symbol):
                return _error(-1121, "Invalid symbol.")
            return said(200, self._info())
        if call.path in _KNOWN:
            return self._rows(call)
        return Reply(status=404, body=b"<html>404 Not found</html>")

    def _pairs(self) -> dict[str, str]:
        return {symbol.replace("/", ""): symbol for symbol in self.market.symbols if "/" in symbol}

    def _info(self) -> dict[str, object]:
        limits = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6_000}
        return {
            "timezone": "UTC",
            "serverTime": int(time.time() * 1_000),
            "rateLimits": [limits],
            "exchangeFilters": [],
            "symbols": [_listed(wire, symbol) for wire, symbol in sorted(self._pairs().items())],
        }

    def _rows(self, call: Call) -> Reply:
        params = call.params
        for name in params:
            if name not in _KNOWN[call.path]:
                return _error(-1104, f"Not all sent parameters were read; read '{name}'.")
        if "symbol" not in params:
            return _error(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
        symbol = self._pairs().get(params["symbol"])
        if symbol is None or not self.knows(symbol):
            return _error(-1121, "Invalid symbol.")
        try:
            limit = int(params.get("limit", 500))
            start = int(params.get("startTime", 0)) * 1_000
            end = int(params.get("endTime", 2**50)) * 1_000
        except ValueError:
            return _error(-1100, "Illegal characters found in a parameter.")
        if not 1 <= limit <= _MOST:
            return _error(-1130, "Data sent for parameter 'limit' is not valid.")
        newest = "startTime" not in params and "fromId" not in params
        if call.path == "/api/v3/klines":
            if params.get("interval") not in _STEPS:
                return _error(-1120, "Invalid interval.")
            return self._klines(symbol, params["interval"], start, end, limit, newest=newest)
        return self._trades(symbol, start, end, int(params.get("fromId", 0)), limit, newest=newest)

    def _klines(
        self, symbol: str, interval: str, start: Instant, end: Instant, limit: int, *, newest: bool
    ) -> Reply:
        grain, step = _STEPS[interval]
        fault = self.strike(grain, [symbol])
        if reply := self.faulty(fault):
            return reply
        bars = self.bars(grain, symbol, start, end)
        rows, _ = self.page(bars[-limit:] if newest else bars, limit, fault)
        rows = disturbed(rows, fault)
        return said(200, [_kline(bar, step, 1_000) for bar in rows], rows=len(rows), fault=fault)

    def _trades(
        self, symbol: str, start: Instant, end: Instant, from_id: int, limit: int, *, newest: bool
    ) -> Reply:
        fault = self.strike("tick", [symbol])
        if reply := self.faulty(fault):
            return reply
        ticks = self.ticks(symbol, start * 1_000, min(end * 1_000, 2**62))
        if from_id:
            ticks = [tick for tick in self.ticks(symbol, 0, 2**62) if tick.trade_id >= from_id]
        rows, _ = self.page(ticks[-limit:] if newest else ticks, limit, fault)
        rows = disturbed(rows, fault)
        return said(200, [_aggregate(tick) for tick in rows], rows=len(rows), fault=fault)

    def _file(self, span: str, kind: str, wire: str, interval: str, label: str, checksum: str) -> Reply:
        symbol = self._pairs().get(wire, "")
        first = dt.date.fromisoformat(label if span == "daily" else f"{label}-01")
        after = (
            (first + dt.timedelta(days=32)).replace(day=1) if span == "monthly" else first + dt.timedelta(1)
        )
        published = after - dt.timedelta(days=1) <= self.market.archived_until
        start, end = midnight(first), midnight(after) - 1
        rows = self._lines(kind, symbol, interval, start, end) if symbol and published else []
        if not rows:
            body = b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code></Error>'
            return Reply(status=404, body=body)
        name = f"{wire}-{interval or kind}-{label}"
        content = archive.of_one(f"{name}.csv", "\n".join([*rows, ""]).encode())
        if checksum:
            return Reply(status=200, body=f"{hashlib.sha256(content).hexdigest()}  {name}.zip\n".encode())
        fault = self.strike(_STEPS.get(interval, ("tick",))[0], [symbol])
        if reply := self.faulty(fault):
            return reply
        return Reply(status=200, body=content, rows=len(rows), fault=fault)

    def _lines(self, kind: str, symbol: str, interval: str, start: Instant, end: Instant) -> Sequence[str]:
        if kind == "klines":
            grain, step = _STEPS.get(interval, ("", 0))
            return [
                ",".join(map(str, _kline(bar, step, _per(bar.session))))
                for bar in self.bars(grain, symbol, start, end)
            ]
        ticks = self.ticks(symbol, start * 1_000, end * 1_000)
        return [_line(tick, kind) for tick in ticks]


def _per(day: dt.date) -> int:
    """Microseconds in the archive's unit of time on that day."""
    return 1 if day >= _MICROSECONDS_FROM else 1_000


def _kline(bar: Bar, step: Instant, per: int) -> list[object]:
    return [
        bar.start // per, f"{bar.open:.8f}", f"{bar.high:.8f}", f"{bar.low:.8f}", f"{bar.close:.8f}",
        f"{bar.volume:.8f}", (bar.start + step) // per - 1, f"{bar.volume * bar.close:.8f}", bar.trades or 0,
        f"{bar.volume / 2:.8f}", f"{bar.volume * bar.close / 2:.8f}", "0",
    ]  # fmt: skip


def _aggregate(tick: Tick) -> dict[str, object]:
    maker = tick.aggressor == "sell"
    return {
        "a": tick.trade_id, "p": f"{tick.price:.8f}", "q": f"{tick.size:.8f}", "f": tick.trade_id,
        "l": tick.trade_id, "T": tick.at // 1_000_000, "m": maker, "M": True,
    }  # fmt: skip


def _line(tick: Tick, kind: str) -> str:
    maker = "True" if tick.aggressor == "sell" else "False"
    per = 1_000 if tick.at >= midnight(_MICROSECONDS_FROM) * 1_000 else 1_000_000
    head = f"{tick.trade_id},{tick.price:.8f},{tick.size:.8f}"
    if kind == "trades":
        return f"{head},{tick.price * tick.size:.8f},{tick.at // per},{maker},True"
    return f"{head},{tick.trade_id},{tick.trade_id},{tick.at // per},{maker},True"


def _listed(wire: str, symbol: str) -> dict[str, object]:
    base, quote = symbol.split("/")
    return {
        "symbol": wire, "status": "TRADING", "baseAsset": base, "baseAssetPrecision": 8, "quoteAsset": quote,
        "quotePrecision": 8, "quoteAssetPrecision": 8, "orderTypes": ["LIMIT", "MARKET"],
        "isSpotTradingAllowed": True, "isMarginTradingAllowed": False, "permissions": [],
        "permissionSets": [["SPOT"]],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
        ],
    }  # fmt: skip


def _error(code: int, words: str) -> Reply:
    return said(400, {"code": code, "msg": words})


SIMULATED = Binance
