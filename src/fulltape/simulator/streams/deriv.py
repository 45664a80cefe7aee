"""How Deriv talks over its live socket, from its documents."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from fulltape.simulator.minutes import Bar
from fulltape.simulator.protocol import PAIRS, Piece, StreamProtocol, Talk, fields, of_fields
from fulltape.simulator.protocol import encoded as _json
from fulltape.simulator.ticks import Tick


class _Row(msgspec.Struct, frozen=True):
    symbol: str = ""


class _Message(msgspec.Struct, frozen=True):
    msg_type: str = ""
    tick: _Row | None = None
    ohlc: _Row | None = None


def _name(key: str, said: Any) -> str:
    """The name of a subscription."""
    return str(said["req_id"]) if "req_id" in said else key.replace(" ", "-")


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
        if "forget_all" in said or "forget" in said:
            return [self._forget(talk, said)]
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

    def _forget(self, talk: Talk, said: Any) -> bytes:
        """One subscription by its name, or all of a kind."""
        names = {key: _name(key, request) for key, request in talk.requests.items()}
        kinds = {"ticks": "tick", "candles": "ohlc"}.get(str(said.get("forget_all")), "")
        gone = [
            key
            for key, name in names.items()
            if name == said.get("forget") or (kinds and key.startswith(f"{kinds} "))
        ]
        for key in gone:
            del talk.requests[key]
            kind, _, symbol = key.partition(" ")
            talk.subscribed.discard((kind, symbol))
        what = "forget_all" if "forget_all" in said else "forget"
        number = {"req_id": said["req_id"]} if "req_id" in said else {}
        reply = [names[key] for key in gone] if what == "forget_all" else int(bool(gone))
        return _json({"echo_req": said, "msg_type": what, what: reply, **number})

    def pieces(self, message: bytes) -> list[Piece]:
        """One, of its symbol."""
        parsed = msgspec.json.decode(message, type=_Message)
        row = parsed.tick if parsed.msg_type == "tick" else parsed.ohlc if parsed.msg_type == "ohlc" else None
        if row is None:
            return []
        alike = fields(fields(message)[parsed.msg_type])
        alike.pop("id", None)
        return [Piece((parsed.msg_type,), row.symbol.removeprefix("frx"), message, of_fields(alike))]

    def addressed(self, talk: Talk, message: bytes) -> bytes | None:
        """With the request, its number and the name of the subscription that are this client's, since each message repeats them."""
        parts = fields(message)
        kind = msgspec.json.decode(parts["msg_type"], type=str)
        row = fields(parts[kind])
        wire = msgspec.json.decode(row["symbol"], type=str)
        said = talk.requests[f"{kind} {wire.removeprefix('frx')}"]
        if kind == "ohlc" and msgspec.json.decode(row["granularity"]) != said.get("granularity", 60):
            return None
        name = _name(f"{kind} {wire.removeprefix('frx')}", said)
        mine = {
            "echo_req": _json(said),
            "subscription": _json({"id": name}),
            kind: of_fields({**row, "id": _json(name)}),
        }
        if "req_id" in said:
            mine["req_id"] = _json(said["req_id"])
        else:
            parts.pop("req_id", None)
        return of_fields({**parts, **mine})

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
