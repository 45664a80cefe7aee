"""Kraken, simulated: candles of the last 720 intervals, trades from a cursor, pairs, as documented."""

from __future__ import annotations

from fulltape.market.time import SECOND
from fulltape.simulator.minutes import Bar
from fulltape.simulator.server import Call, Reply
from fulltape.simulator.ticks import Tick
from fulltape.simulator.vendor import SimulatedVendor, disturbed, said

_GRAINS = {"1": "minute", "1440": "day"}
_CANDLES = 720
_MOST_TRADES = 1_000


class Kraken(SimulatedVendor):
    """Answers `/0/public/…`; errors come with HTTP 200."""

    vendor = "kraken"
    garbage = b'{"error":[],"result":{"XXBTZUSD":[[1704067200,'

    def too_many(self, wait: float) -> Reply:  # noqa: ARG002
        """An error in a success."""
        return _error("EGeneral:Too many requests")

    def banned(self, wait: float) -> Reply:  # noqa: ARG002
        """The lockout after further requests."""
        return _error("EGeneral:Temporary lockout")

    def trouble(self, status: int) -> Reply:
        """An error of what stands before the server."""
        return Reply(status=status, body=b"<html><body>cloudflare</body></html>")

    def answer(self, call: Call) -> Reply:
        """By method."""
        method = call.path.rpartition("/")[2]
        if not call.path.startswith("/0/public/"):
            return _error("EGeneral:Unknown method")
        if method == "Time":
            return said(
                200, {"error": [], "result": {"unixtime": 1_704_067_200, "rfc1123": "Mon,  1 Jan 24"}}
            )
        if method in ("Assets", "SystemStatus"):
            return said(200, {"error": [], "result": {}})
        if method == "AssetPairs":
            pairs = dict(map(_pair, sorted(symbol for symbol in self.market.symbols if "/" in symbol)))
            return said(200, {"error": [], "result": pairs})
        symbol = self._symbol(call.params.get("pair", ""))
        if symbol is None or not self.knows(symbol):
            return _error("EQuery:Unknown asset pair")
        if method == "OHLC":
            return self._candles(call, symbol)
        if method == "Trades":
            return self._trades(call, symbol)
        return _error("EGeneral:Unknown method")

    def _symbol(self, pair: str) -> str | None:
        for symbol in self.market.symbols:
            if "/" in symbol:
                name, facts = _pair(symbol)
                if pair in (name, facts["altname"], facts["wsname"]):
                    return symbol
        return None

    def _candles(self, call: Call, symbol: str) -> Reply:
        grain = _GRAINS.get(call.params.get("interval", "1"))
        if not grain:
            return _error("EGeneral:Invalid arguments:interval")
        try:
            since = int(call.params.get("since", "0")) * SECOND
        except ValueError:
            return _error("EGeneral:Invalid arguments:since")
        fault = self.strike(grain, [symbol])
        if reply := self.faulty(fault):
            return reply
        newest = self.bars(grain, symbol, 0, 2**62)[-_CANDLES:]
        bars = [bar for bar in newest if bar.start > since]
        rows, _ = self.page(bars, _CANDLES, fault)
        rows = disturbed(rows, fault)
        last = rows[-2].start if len(rows) > 1 else since
        content = {_pair(symbol)[0]: [_candle(bar) for bar in rows], "last": last // SECOND}
        return said(200, {"error": [], "result": content}, rows=len(rows), fault=fault)

    def _trades(self, call: Call, symbol: str) -> Reply:
        try:
            since = int(call.params.get("since", "0"))
            count = int(call.params.get("count", str(_MOST_TRADES)))
        except ValueError:
            return _error("EGeneral:Invalid arguments:since")
        if since < 10**12:
            since *= 10**9
        fault = self.strike("tick", [symbol])
        if reply := self.faulty(fault):
            return reply
        ticks = self.ticks(symbol, since + 1, 2**62)
        rows, _ = self.page(ticks, min(count, _MOST_TRADES), fault)
        last = rows[-1].at if rows else since
        if fault and fault.do == "repeat_cursor":
            last = since
        rows = disturbed(rows, fault)
        content = {_pair(symbol)[0]: [_trade(tick) for tick in rows], "last": str(last)}
        return said(200, {"error": [], "result": content}, rows=len(rows), fault=fault)


def _candle(bar: Bar) -> list[object]:
    vwap = f"{bar.vwap or bar.close:.5f}"
    prices = [f"{price:.5f}" for price in (bar.open, bar.high, bar.low, bar.close)]
    return [bar.start // SECOND, *prices, vwap, f"{bar.volume:.8f}", bar.trades or 0]


def _trade(tick: Tick) -> list[object]:
    side = tick.aggressor[:1] or "b"
    return [f"{tick.price:.5f}", f"{tick.size:.8f}", tick.at / 10**9, side, "m", "", tick.trade_id]


def _pair(symbol: str) -> tuple[str, dict[str, object]]:
    """Kraken's own names: XXBTZUSD, XBTUSD and XBT/USD for BTC/USD."""
    base, quote = symbol.split("/")
    base = {"BTC": "XBT", "DOGE": "XDG"}.get(base, base)
    own = (
        ("X" if len(base) == 3 else "") + base,
        ("Z" if quote in ("USD", "EUR", "JPY", "GBP") else "") + quote,
    )
    facts: dict[str, object] = {
        "altname": base + quote, "wsname": f"{base}/{quote}", "aclass_base": "currency", "base": own[0],
        "aclass_quote": "currency", "quote": own[1], "pair_decimals": 1, "cost_decimals": 5, "lot_decimals": 8,
        "lot_multiplier": 1, "leverage_buy": [], "leverage_sell": [], "fees": [[0, 0.4]],
        "fees_maker": [[0, 0.25]], "fee_volume_currency": "ZUSD", "ordermin": "0.0001", "costmin": "0.5",
        "tick_size": "0.1", "status": "online",
    }  # fmt: skip
    return "".join(own), facts


def _error(words: str) -> Reply:
    return said(200, {"error": [words]})


SIMULATED = Kraken
