"""Deriv, simulated: ticks_history, active_symbols, time and ping over a websocket, as documented."""

from __future__ import annotations

from typing import Any, ClassVar

from fulltape.market.time import SECOND
from fulltape.simulator.server import Call, Reply
from fulltape.simulator.vendor import SimulatedVendor, said

_GRAINS = {60: "minute", 86_400: "day"}
_KNOWN = {
    "ticks_history", "end", "start", "count", "style", "granularity", "adjust_start_time", "subscribe", "req_id", "passthrough",
}  # fmt: skip
_MOST = 5_000


class Deriv(SimulatedVendor):
    """Answers one message with one; the rows are always the newest that fit."""

    vendor = "deriv"
    over_socket = True
    _last: ClassVar[dict[str, Any]] = {}
    garbage = b'{"echo_req":{"ticks_history":"R_100"},"history":{"prices":['

    def refused(self, call: Call) -> Reply | None:
        """None; but errors too repeat what was asked."""
        self._last = dict(call.params)  # type: ignore[misc]
        return None

    def too_many(self, wait: float) -> Reply:  # noqa: ARG002
        """An error in an answer."""
        return self._error(self._last, "RateLimit", "You have reached the rate limit for ticks_history.")

    def trouble(self, status: int) -> Reply:  # noqa: ARG002
        """An error in an answer."""
        return self._error(
            self._last, "InternalServerError", "Sorry, an error occurred while processing your request."
        )

    def answer(self, call: Call) -> Reply:
        """By the message's kind."""
        asked = dict(call.params)
        if "ping" in asked:
            return self._told(asked, "ping", {"ping": "pong"})
        if "time" in asked:
            return self._told(asked, "time", {"time": 1_731_000_000})
        if "active_symbols" in asked:
            return self._told(asked, "active_symbols", {"active_symbols": self._active()})
        if "ticks_history" in asked:
            return self._history(asked)
        return self._error(asked, "UnrecognisedRequest", "Unrecognised request.")

    def _active(self) -> list[dict[str, object]]:
        active = []
        for symbol in sorted(self.market.ticks):
            if "/" in symbol:
                continue
            forex = symbol.isalpha()
            active.append(
                {
                    "allow_forward_starting": 1,
                    "display_name": symbol,
                    "display_order": 1,
                    "exchange_is_open": 1,
                    "is_trading_suspended": 0,
                    "pip": 0.01,
                    "market": "forex" if forex else "synthetic_index",
                    "market_display_name": "Derived",
                    "submarket": "major_pairs" if forex else "random_index",
                    "subgroup": "synthetics",
                    "submarket_display_name": "Continuous Indices",
                    "symbol": f"frx{symbol}" if forex else symbol,
                    "symbol_type": "forex" if forex else "stockindex",
                }
            )
        return active

    def _history(self, asked: dict[str, Any]) -> Reply:
        strange = [name for name in asked if name not in _KNOWN]
        if strange or not isinstance(asked.get("end"), str):
            return self._error(asked, "InputValidationFailed", "Input validation failed: end")
        symbol = str(asked["ticks_history"]).removeprefix("frx")
        if symbol not in self.market.ticks or not self.knows(symbol) or "/" in symbol:
            words = f"Symbol {asked['ticks_history']} is invalid."
            return self._error(asked, "InvalidSymbol", words)
        candles = asked.get("style") == "candles"
        grain = _GRAINS.get(asked.get("granularity", 60), "") if candles else "tick"
        if not grain:
            return self._error(asked, "InputValidationFailed", "Input validation failed: granularity")
        end = 2**52 if asked["end"] == "latest" else int(asked["end"])
        start = int(asked.get("start", 0 if "count" in asked else max(0, end - 86_400)))
        count = min(int(asked.get("count", 1_000)), _MOST)
        if not self.entitled(grain, symbol):
            return self._error(asked, "NoRealtimeQuotes", f"Realtime quotes not available for {symbol}.")
        fault = self.strike(grain, [symbol])
        if reply := self.faulty(fault):
            return reply
        if fault and fault.do == "short_page":
            count = max(1, count // 3)
        if fault and fault.do == "empty_page":
            count = 0
        if candles:
            bars = self.bars(grain, symbol, start * SECOND, end * SECOND)
            rows = bars[-count:] if count else []
            content: list[dict[str, object]] = [
                {
                    "epoch": bar.start // SECOND,
                    "open": bar.open,
                    "high": bar.high,
                    "low": bar.low,
                    "close": bar.close,
                }
                for bar in rows
            ]
            return self._told(asked, "candles", {"candles": content, "pip_size": 2}, len(rows), fault)
        ticks = self.ticks(symbol, start * 10**9, end * 10**9)
        chosen = ticks[-count:] if count else []
        history = {"prices": [tick.price for tick in chosen], "times": [tick.at // 10**9 for tick in chosen]}
        return self._told(asked, "history", {"history": history, "pip_size": 2}, len(chosen), fault)

    def _told(
        self, asked: dict[str, Any], kind: str, content: dict[str, object], rows: int = 0, fault: Any = None
    ) -> Reply:
        reply = {"echo_req": asked, "msg_type": kind, **content}
        if "req_id" in asked:
            reply["req_id"] = asked["req_id"]
        return said(200, reply, rows=rows, fault=fault)

    def _error(self, asked: dict[str, Any], code: str, words: str) -> Reply:
        kind = next((name for name in ("ticks_history", "active_symbols", "time") if name in asked), "error")
        content: dict[str, object] = {
            "echo_req": asked, "msg_type": kind, "error": {"code": code, "message": words}
        }  # fmt: skip
        if "req_id" in asked:
            content["req_id"] = asked["req_id"]
        return said(200, content)


SIMULATED = Deriv
