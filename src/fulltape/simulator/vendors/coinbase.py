"""Coinbase Exchange, simulated: products, candles and trades, as documented."""

from __future__ import annotations

import datetime as dt
import re

from fulltape.market.time import DAY, MINUTE, SECOND, Instant, iso, parse_iso
from fulltape.simulator.server import Call, Reply
from fulltape.simulator.ticks import Tick
from fulltape.simulator.vendor import SimulatedVendor, disturbed, said

_GRAINS = {"60": ("minute", MINUTE), "86400": ("day", DAY)}
_MOST_CANDLES = 300
_MOST_TRADES = 1_000
_PATH = re.compile(r"/products/([^/]+)(?:/(candles|trades))?")


class Coinbase(SimulatedVendor):
    """Answers `/products…` and `/time`."""

    vendor = "coinbase"
    garbage = b"[[1673391780, 17414.36,"

    def refused(self, call: Call) -> Reply | None:
        """Without a User-Agent a request is refused."""
        if call.headers.get("user-agent"):
            return None
        return said(400, {"message": "User-Agent header is required."})

    def too_many(self, wait: float) -> Reply:  # noqa: ARG002
        """429."""
        return said(429, {"message": "Public rate limit exceeded"})

    def trouble(self, status: int) -> Reply:
        """An error of the server."""
        return said(status, {"message": "Internal server error"})

    def answer(self, call: Call) -> Reply:
        """By path."""
        if call.path == "/products":
            return said(200, [_product(symbol) for symbol in sorted(self.market.symbols) if "/" in symbol])
        if call.path == "/currencies":
            return said(200, [])
        match = _PATH.fullmatch(call.path)
        if not match:
            return said(404, {"message": "NotFound"})
        symbol = match[1].replace("-", "/")
        if "/" not in symbol or not self.knows(symbol):
            return said(404, {"message": "NotFound"})
        if match[2] == "candles":
            return self._candles(call, symbol)
        if match[2] == "trades":
            return self._trades(call, symbol)
        return said(200, _product(symbol))

    def _candles(self, call: Call, symbol: str) -> Reply:
        grain, step = _GRAINS.get(call.params.get("granularity", "60"), ("", 0))
        if not grain:
            return said(400, {"message": "Unsupported granularity"})
        try:
            start, end = (_instant(call.params[name]) for name in ("start", "end"))
        except KeyError:
            bars = self.market.bars.get((grain, symbol), ())
            end = bars[-1].start if bars else 0
            start = end - (_MOST_CANDLES - 1) * step
        except ValueError:
            return said(400, {"message": "Invalid start or end"})
        if (end - start) // step + 1 > _MOST_CANDLES:
            words = f"granularity too small for the requested time range. Count of aggregations requested exceeds {_MOST_CANDLES}"
            return said(400, {"message": words})
        fault = self.strike(grain, [symbol])
        if reply := self.faulty(fault):
            return reply
        # A row before the start, as the real one sometimes sends.
        candles = self.bars(grain, symbol, start - step, end)[::-1]
        rows, _ = self.page(candles, _MOST_CANDLES + 1, fault)
        rows = disturbed(rows, fault)
        content = [[bar.start // SECOND, bar.low, bar.high, bar.open, bar.close, bar.volume] for bar in rows]
        return said(200, content, rows=len(rows), fault=fault)

    def _trades(self, call: Call, symbol: str) -> Reply:
        try:
            limit = int(call.params.get("limit", _MOST_TRADES))
            after = int(call.params.get("after", 2**62))
        except ValueError:
            return said(400, {"message": "Invalid after or limit"})
        limit = min(limit, _MOST_TRADES)
        fault = self.strike("tick", [symbol])
        if reply := self.faulty(fault):
            return reply
        ticks = [tick for tick in self.ticks(symbol, 0, 2**62) if tick.trade_id < after][::-1]
        rows, more = self.page(ticks, limit, fault)
        rows = disturbed(rows, fault)
        headers = {"CB-BEFORE": str(rows[0].trade_id)} if rows else {}
        if rows and more:
            headers["CB-AFTER"] = str(rows[-1].trade_id)
        return said(200, [_trade(tick) for tick in rows], headers, rows=len(rows), fault=fault)


def _trade(tick: Tick) -> dict[str, object]:
    """`side` is the maker's."""
    maker = "sell" if tick.aggressor == "buy" else "buy"
    time = iso(tick.at // 1_000)
    return {
        "trade_id": tick.trade_id, "side": maker, "size": f"{tick.size:.8f}", "price": f"{tick.price:.8f}", "time": time,
    }  # fmt: skip


def _product(symbol: str) -> dict[str, object]:
    base, quote = symbol.split("/")
    return {
        "id": f"{base}-{quote}", "base_currency": base, "quote_currency": quote, "quote_increment": "0.01",
        "base_increment": "0.00000001", "display_name": f"{base}-{quote}", "min_market_funds": "1",
        "margin_enabled": False, "post_only": False, "limit_only": False, "cancel_only": False,
        "status": "online", "status_message": "", "trading_disabled": False,
    }  # fmt: skip


def _instant(text: str) -> Instant:
    """ISO 8601, or seconds."""
    if text.isdigit():
        return int(text) * SECOND
    moment = dt.datetime.fromisoformat(text)
    return parse_iso(text if moment.tzinfo else f"{text}+00:00")


SIMULATED = Coinbase
