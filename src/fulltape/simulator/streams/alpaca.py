"""How Alpaca talks over its live socket, from its documents."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from fulltape.simulator import books
from fulltape.simulator.minutes import Bar
from fulltape.simulator.protocol import COINS, STOCKS, Piece, StreamProtocol, Talk, objects
from fulltape.simulator.protocol import encoded as _json
from fulltape.simulator.ticks import Tick
from fulltape.simulator.ticks import iso as _iso
from fulltape.simulator.vendors import alpaca

_KINDS = {
    "t": "trades", "c": "trades", "x": "trades", "q": "quotes", "b": "bars", "u": "updatedBars", "d": "dailyBars",
    "s": "statuses", "l": "lulds", "o": "orderbooks",
}  # fmt: skip


class _Row(msgspec.Struct, frozen=True):
    T: str = ""
    S: str = ""


def _packed_moment(text: str) -> msgspec.msgpack.Ext:
    """A moment of RFC 3339 as 30 bits of nanoseconds and 34 of seconds."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = int(dt.datetime.fromisoformat(f"{whole}+00:00").timestamp())
    return msgspec.msgpack.Ext(-1, (int(f"{fraction:0<9}") << 34 | seconds).to_bytes(8, "big"))


class AlpacaProtocol(StreamProtocol):
    """Arrays, after a key."""

    vendor = "alpaca"
    packs = True
    prices: ClassVar = {**STOCKS, **COINS}

    def greet(self, talk: Talk) -> list[bytes]:  # noqa: ARG002
        """Connected, not let in."""
        return [b'[{"T":"success","msg":"connected"}]']

    def hear(self, talk: Talk, said: Any) -> list[bytes]:
        """A key, then subscriptions; each answer is all of them."""
        if said.get("action") == "auth":
            talk.let_in = bool(said.get("key")) and said.get("secret") != "wrong"
            reply = (
                {"T": "success", "msg": "authenticated"}
                if talk.let_in
                else {"T": "error", "code": 402, "msg": "auth failed"}
            )
            return [_json([reply])]
        if not talk.let_in:
            return [_json([{"T": "error", "code": 401, "msg": "not authenticated"}])]
        named = {(kind, symbol) for kind in _KINDS.values() for symbol in said.get(kind, [])}
        if said.get("action") == "unsubscribe":
            talk.subscribed -= named
        else:
            talk.subscribed |= named
        kinds: dict[str, list[str]] = {}
        for kind, symbol in sorted(talk.subscribed):
            kinds.setdefault(kind, []).append(symbol)
        with_trades = {name: kinds["trades"] for name in ("corrections", "cancelErrors") if "trades" in kinds}
        return [_json([{"T": "subscription", **kinds, **with_trades}])]

    def pieces(self, message: bytes) -> list[Piece]:
        """One a row; corrections and cancellations go with trades."""
        rows = msgspec.json.decode(message, type=list[msgspec.Raw])
        parsed = [(msgspec.json.decode(row, type=_Row), bytes(row)) for row in rows]
        return [Piece((_KINDS[row.T],) if row.T in _KINDS else (), row.S, content) for row, content in parsed]

    def packed(self, message: bytes) -> bytes:
        """Moments of rows are those of MessagePack there."""
        rows = msgspec.json.decode(message)
        for row in rows:
            if isinstance(row.get("t"), str):
                row["t"] = _packed_moment(row["t"])
        return msgspec.msgpack.encode(rows)

    def joined(self, message: bytes, pieces: Sequence[Piece]) -> bytes:  # noqa: ARG002
        """An array of fewer rows."""
        return objects(pieces)

    def tick(self, talk: Talk, symbol: str, tick: Tick) -> bytes | None:
        """`t` and, where it is taken back, `x` with it; `q`."""
        rows: list[dict[str, object]] = []
        if "/" in symbol:
            return self._coin(talk, symbol, tick)
        if ("trades", symbol) in talk.subscribed:
            row = {"S": symbol, **alpaca.trade_row(tick)}
            row.pop("u", None)
            rows.append({"T": "t", **row})
            if alpaca.taken_back(tick):
                rows.append(
                    {"T": "x", **{name: row[name] for name in ("S", "i", "x", "p", "s", "z", "t")}, "a": "C"}
                )
        if ("quotes", symbol) in talk.subscribed:
            rows.append({"T": "q", "S": symbol, **alpaca.quote_row(tick)})
        return _json(rows) if rows else None

    def bar(self, talk: Talk, symbol: str, bar: Bar) -> bytes | None:
        """`b`."""
        if ("bars", symbol) not in talk.subscribed:
            return None
        row = {
            "T": "b", "S": symbol, "o": bar.open, "h": bar.high, "l": bar.low, "c": bar.close, "v": bar.volume,
            "t": _iso(bar.start * 1_000)[:19] + "Z", "n": bar.trades, "vw": bar.vwap,
        }  # fmt: skip
        return _json([row])

    def _coin(self, talk: Talk, symbol: str, tick: Tick) -> bytes | None:
        """`t` with the taker's side, `q` without exchanges."""
        rows: list[dict[str, object]] = []
        about = {"S": symbol, "t": _iso(tick.at)}
        if ("trades", symbol) in talk.subscribed:
            side = "B" if tick.aggressor == "buy" else "S"
            rows.append({"T": "t", **about, "i": tick.trade_id, "p": tick.price, "s": tick.size, "tks": side})
        if ("quotes", symbol) in talk.subscribed:
            bid, ask = books.sides(tick)
            rows.append({"T": "q", **about, "bp": bid, "bs": tick.size, "ap": ask, "as": 1.0})
        return _json(rows) if rows else None

    def unknown(self) -> bytes:
        """A kind of row that is new."""
        return b'[{"T":"mystery","S":"AAPL","x":1}]'


PROTOCOL = AlpacaProtocol
