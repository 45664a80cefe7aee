"""How Alpaca talks over its live socket, from its documents."""

from __future__ import annotations

from typing import Any, ClassVar

from fulltape.simulator import books
from fulltape.simulator.minutes import Bar
from fulltape.simulator.protocol import COINS, STOCKS, StreamProtocol, Talk
from fulltape.simulator.protocol import encoded as _json
from fulltape.simulator.ticks import Tick
from fulltape.simulator.ticks import iso as _iso
from fulltape.simulator.vendors import alpaca


class AlpacaProtocol(StreamProtocol):
    """Arrays, after a key."""

    vendor = "alpaca"
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
        for kind in ("bars", "updatedBars", "trades", "quotes"):
            talk.subscribed |= {(kind, symbol) for symbol in said.get(kind, [])}
        kinds: dict[str, list[str]] = {}
        for kind, symbol in sorted(talk.subscribed):
            kinds.setdefault(kind, []).append(symbol)
        with_trades = {name: kinds["trades"] for name in ("corrections", "cancelErrors") if "trades" in kinds}
        return [_json([{"T": "subscription", **kinds, **with_trades}])]

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
