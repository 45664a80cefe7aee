"""How Deriv talks over its live socket, from its documents."""

from __future__ import annotations

from typing import Any, ClassVar

from fulltape.simulator.minutes import Bar
from fulltape.simulator.protocol import PAIRS, StreamProtocol, Talk
from fulltape.simulator.protocol import encoded as _json
from fulltape.simulator.ticks import Tick


class DerivProtocol(StreamProtocol):
    """`ticks` and candles: every answer repeats what was asked."""

    vendor = "deriv"
    prices: ClassVar = {"R_100": 1_500.0, "R_50": 240.0, "1HZ100V": 900.0, **PAIRS}
    plain = True
    grain = 10**9

    def hear(self, talk: Talk, said: Any) -> list[bytes]:
        """A subscription by its first tick."""
        if "ping" in said:
            return [_json({"echo_req": said, "msg_type": "ping", "ping": "pong"})]
        kind = "tick" if "ticks" in said else "ohlc"
        wire = str(said.get("ticks", said.get("ticks_history", "")))
        symbol = wire.removeprefix("frx")
        head: dict[str, object] = {"echo_req": said}
        number = {"req_id": said["req_id"]} if "req_id" in said else {}
        if symbol not in self.symbols:
            error = {"code": "InvalidSymbol", "message": f"Symbol {wire} is invalid."}
            return [_json({**head, "error": error, "msg_type": kind, **number})]
        if (kind, symbol) in talk.subscribed:
            error = {"code": "AlreadySubscribed", "message": f"You are already subscribed to {wire}."}
            return [_json({**head, "error": error, "msg_type": kind, **number})]
        talk.subscribed.add((kind, symbol))
        talk.requests[f"{kind} {symbol}"] = said
        if kind == "tick":
            return []
        return [_json({**head, "candles": [], "msg_type": "candles", "pip_size": 2, **number})]

    def tick(self, talk: Talk, symbol: str, tick: Tick) -> bytes | None:
        """`tick`."""
        if ("tick", symbol) not in talk.subscribed:
            return None
        said = talk.requests[f"tick {symbol}"]
        quote = {
            "ask": tick.price + 0.1, "bid": tick.price - 0.1, "epoch": tick.at // 10**9, "id": str(said["req_id"]),
            "pip_size": 2, "quote": tick.price, "symbol": said["ticks"],
        }  # fmt: skip
        about = {"req_id": said["req_id"], "subscription": {"id": str(said["req_id"])}}
        return _json({"echo_req": said, "msg_type": "tick", **about, "tick": quote})

    def bar(self, talk: Talk, symbol: str, bar: Bar) -> bytes | None:
        """`ohlc`, its last version; prices are texts."""
        if ("ohlc", symbol) not in talk.subscribed:
            return None
        said = talk.requests[f"ohlc {symbol}"]
        prices = {name: str(getattr(bar, name)) for name in ("open", "high", "low", "close")}
        start = bar.start // 1_000_000
        candle = {
            "id": str(said["req_id"]), "symbol": said["ticks_history"], "epoch": start + 59, "open_time": start,
            "granularity": 60, **prices, "pip_size": 2,
        }  # fmt: skip
        about = {"req_id": said["req_id"], "subscription": {"id": str(said["req_id"])}}
        return _json({"echo_req": said, "msg_type": "ohlc", **about, "ohlc": candle})

    def unknown(self) -> bytes:
        """A kind of message that is new."""
        return b'{"echo_req":{"ticks":"R_100"},"msg_type":"mystery","mystery":{"a":1}}'


PROTOCOL = DerivProtocol
