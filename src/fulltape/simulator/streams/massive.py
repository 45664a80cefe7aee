"""How Massive talks over its live socket, from its documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from fulltape.market.time import MINUTE
from fulltape.simulator import books
from fulltape.simulator.minutes import Bar
from fulltape.simulator.protocol import COINS, PAIRS, STOCKS, Piece, StreamProtocol, Talk, objects
from fulltape.simulator.protocol import encoded as _json
from fulltape.simulator.ticks import Tick
from fulltape.simulator.vendors import massive


class _Row(msgspec.Struct, frozen=True):
    ev: str = ""
    sym: str = ""
    pair: str = ""
    p: str | float = ""
    """The pair of a currency's quote; of others a price."""

    @property
    def wire(self) -> str:
        """The symbol as it is written here."""
        return self.sym or self.pair or str(self.p)


def _symbol(kind: str, wire: str) -> str:
    """A symbol as the node writes it."""
    return wire.replace("/", "") if kind in ("CA", "C") else wire.replace("-", "/")


class MassiveProtocol(StreamProtocol):
    """Arrays, after a key; one acknowledgement a channel."""

    vendor = "massive"
    prices: ClassVar = {**STOCKS, **PAIRS, **COINS}

    def greet(self, talk: Talk) -> list[bytes]:  # noqa: ARG002
        """Connected, not let in."""
        return [b'[{"ev":"status","status":"connected","message":"Connected Successfully"}]']

    def hear(self, talk: Talk, said: Any) -> list[bytes]:
        """A key, then subscriptions."""
        if said.get("action") == "auth":
            talk.let_in = bool(said.get("params")) and said["params"] != "wrong"
            status = "auth_success" if talk.let_in else "auth_failed"
            words = "authenticated" if talk.let_in else "authentication failed"
            return [_json([{"ev": "status", "status": status, "message": words}])]
        statuses, leaves = [], said.get("action") == "unsubscribe"
        for name in str(said.get("params", "")).split(","):
            kind, _, wire = name.partition(".")
            channel = (kind, _symbol(kind, wire))
            if leaves:
                talk.subscribed.discard(channel)
            else:
                talk.subscribed.add(channel)
            words = f"{'unsubscribed from' if leaves else 'subscribed to'}: {name}"
            statuses.append({"ev": "status", "status": "success", "message": words})
        return [_json(statuses)]

    def pieces(self, message: bytes) -> list[Piece]:
        """One an event, but for those about the connection."""
        rows = msgspec.json.decode(message, type=list[msgspec.Raw])
        parsed = [(msgspec.json.decode(row, type=_Row), bytes(row)) for row in rows]
        return [
            Piece((row.ev,) if row.ev != "status" else (), _symbol(row.ev, row.wire), content)
            for row, content in parsed
        ]

    def joined(self, message: bytes, pieces: Sequence[Piece]) -> bytes:  # noqa: ARG002
        """An array of fewer events."""
        return objects(pieces)

    def tick(self, talk: Talk, symbol: str, tick: Tick) -> bytes | None:
        """`T`, `Q` (in round lots), `C`; milliseconds, where history has more."""
        rows: list[dict[str, object]] = []
        at, row = tick.at // 1_000_000, massive.quote_row(tick)
        if ("T", symbol) in talk.subscribed:
            trade = {"x": 11, "i": str(tick.trade_id), "z": 3, "p": tick.price, "s": tick.size, "c": [12, 37]}
            rows.append({"ev": "T", "sym": symbol, **trade, "t": at, "q": tick.trade_id})
        if ("Q", symbol) in talk.subscribed:
            bid = {"bx": 11, "bp": row["bid_price"], "bs": 1 + tick.trade_id % 9}
            ask = {"ax": 12, "ap": row["ask_price"], "as": 2}
            rows.append({"ev": "Q", "sym": symbol, **bid, **ask, "c": 0, "t": at, "q": tick.trade_id, "z": 3})
        if ("C", symbol) in talk.subscribed:
            pair, row = f"{symbol[:3]}/{symbol[3:]}", massive.forex_row(tick)
            rows.append(
                {"ev": "C", "p": pair, "x": "48", "a": row["ask_price"], "b": row["bid_price"], "t": at}
            )
        coin = {"pair": symbol.replace("/", "-"), "t": at, "x": 1, "r": at}
        if ("XT", symbol) in talk.subscribed:
            side = [2 if tick.aggressor == "buy" else 1]
            rows.append({"ev": "XT", **coin, "p": tick.price, "s": tick.size, "c": side, "i": tick.trade_id})
        if ("XQ", symbol) in talk.subscribed:
            best = dict(zip(("bp", "ap"), books.sides(tick), strict=True))
            rows.append({"ev": "XQ", **coin, **best, "bs": tick.size, "as": 1.0})
        return _json(rows) if rows else None

    def bar(self, talk: Talk, symbol: str, bar: Bar) -> bytes | None:
        """`AM`, `CA`."""
        span = {"s": bar.start // 1_000, "e": (bar.start + MINUTE) // 1_000}
        prices = {"o": bar.open, "c": bar.close, "h": bar.high, "l": bar.low}
        if ("AM", symbol) in talk.subscribed:
            more = {"v": bar.volume, "av": bar.volume, "op": bar.open, "vw": bar.vwap}
            return _json([{"ev": "AM", "sym": symbol, **more, **prices, "a": bar.vwap, "z": 10, **span}])
        if ("CA", symbol) in talk.subscribed:
            pair = f"{symbol[:3]}/{symbol[3:]}"
            return _json([{"ev": "CA", "pair": pair, **prices, "v": int(bar.volume), **span}])
        if ("XA", symbol) in talk.subscribed:
            more = {"v": bar.volume, "vw": bar.vwap, "z": bar.trades}
            return _json([{"ev": "XA", "pair": symbol.replace("/", "-"), **more, **prices, **span}])
        return None

    def unknown(self) -> bytes:
        """An event that is new."""
        return b'[{"ev":"MYSTERY","sym":"AAPL"}]'


PROTOCOL = MassiveProtocol
