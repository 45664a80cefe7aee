"""How each vendor talks over its live socket, from its documents: greetings, acknowledgements, and messages of ticks."""

from __future__ import annotations

import json
import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from fulltape.core.time import MINUTE
from fulltape.simulator import alpaca, books, massive
from fulltape.simulator.minutes import Bar
from fulltape.simulator.ticks import Tick
from fulltape.simulator.ticks import iso as _iso


@dataclass(slots=True)
class Talk:
    """What one connection has said so far: its subscriptions as (kind, symbol as the node writes it)."""

    subscribed: set[tuple[str, str]] = field(default_factory=set)
    let_in: bool = False
    requests: dict[str, Any] = field(default_factory=dict)
    number: int = 0


class Wire(ABC):
    """One vendor's way of talking. Methods return messages to send."""

    vendor: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]]
    """What a tick is sent as."""

    def __init__(self, symbols: frozenset[str]) -> None:
        self.symbols = symbols

    def greet(self, talk: Talk) -> list[bytes]:  # noqa: ARG002
        """What the server says first."""
        return []

    @abstractmethod
    def hear(self, talk: Talk, said: Any) -> list[bytes]:
        """The answers to one message, decoded from JSON."""

    def tick(self, talk: Talk, symbol: str, tick: Tick) -> bytes | None:  # noqa: ARG002
        """A tick as a message, None for who has not asked."""
        return None

    def around(self, talk: Talk, symbol: str, tick: Tick) -> list[bytes]:  # noqa: ARG002
        """Best prices and books that change with a tick, for who has asked."""
        return []

    def bar(self, talk: Talk, symbol: str, bar: Bar) -> bytes | None:  # noqa: ARG002
        """A minute that is complete as a message, None for who has not asked."""
        return None

    @abstractmethod
    def unknown(self) -> bytes:
        """A message that no document mentions."""


def _json(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


class Binance(Wire):
    """Combined streams, subscribed by command."""

    vendor = "binance"

    def hear(self, talk: Talk, said: Any) -> list[bytes]:
        """SUBSCRIBE and nothing else."""
        if not isinstance(said, dict) or said.get("method") != "SUBSCRIBE":
            return [_json({"code": 2, "msg": "Invalid request: unknown method"})]
        ours = {symbol.replace("/", "").lower(): symbol for symbol in self.symbols if "/" in symbol}
        for name in said.get("params", []):
            wire, _, kind = name.partition("@")
            if wire in ours:  # an unknown one is accepted in silence
                talk.subscribed.add((kind, ours[wire]))
        return [_json({"result": None, "id": said.get("id")})]

    def tick(self, talk: Talk, symbol: str, tick: Tick) -> bytes | None:
        """`trade`, `aggTrade`."""
        kind = next((one for one in ("trade", "aggTrade") if (one, symbol) in talk.subscribed), "")
        if not kind:
            return None
        wire = symbol.replace("/", "")
        ids = f'"t":{tick.trade_id}' if kind == "trade" else f'"a":{tick.trade_id}'
        first_last = "" if kind == "trade" else f'"f":{tick.trade_id},"l":{tick.trade_id},'
        at, maker = tick.at // 1_000_000, "true" if tick.aggressor == "sell" else "false"
        return (
            f'{{"stream":"{wire.lower()}@{kind}","data":{{"e":"{kind}","E":{at},"s":"{wire}",{ids},'
            f'"p":"{tick.price:.8f}","q":"{tick.size:.8f}",{first_last}"T":{at},"m":{maker},"M":true}}}}'
        ).encode()

    def bar(self, talk: Talk, symbol: str, bar: Bar) -> bytes | None:
        """`kline_1m`, closed."""
        if ("kline_1m", symbol) not in talk.subscribed:
            return None
        wire, start, end = symbol.replace("/", ""), bar.start // 1_000, (bar.start + MINUTE) // 1_000
        k = {
            "t": start, "T": end - 1, "s": wire, "i": "1m", "f": 1, "L": 1, "o": f"{bar.open:.8f}",
            "c": f"{bar.close:.8f}", "h": f"{bar.high:.8f}", "l": f"{bar.low:.8f}", "v": f"{bar.volume:.8f}",
            "n": bar.trades or 0, "x": True, "q": f"{bar.volume * bar.close:.8f}",
            "V": f"{bar.volume / 2:.8f}", "Q": f"{bar.volume * bar.close / 2:.8f}", "B": "0",
        }  # fmt: skip
        name = f"{wire.lower()}@kline_1m"
        return _json({"stream": name, "data": {"e": "kline", "E": end, "s": wire, "k": k}})

    def around(self, talk: Talk, symbol: str, tick: Tick) -> list[bytes]:
        return books.binance(talk.subscribed, symbol, tick)

    def unknown(self) -> bytes:
        """A stream that nobody has asked for."""
        return b'{"stream":"btcusdt@mystery","data":{"e":"mystery","s":"BTCUSDT","z":[1,2]}}'


class Coinbase(Wire):
    """Exchange: `matches`."""

    vendor = "coinbase"

    def hear(self, talk: Talk, said: Any) -> list[bytes]:
        """A subscription is answered with all of them, and with the last trade."""
        if not isinstance(said, dict) or said.get("type") != "subscribe":
            return [_json({"type": "error", "message": "Malformed JSON"})]
        ours = {symbol.replace("/", "-"): symbol for symbol in self.symbols}
        for channel in said.get("channels", []):
            for wire in channel.get("product_ids", []):
                if wire not in ours:
                    words = {"message": "Failed to subscribe", "reason": f"{wire} is not a valid product"}
                    return [_json({"type": "error", **words})]
                talk.subscribed.add((channel["name"], ours[wire]))
        listed: dict[str, list[str]] = {}
        for kind, symbol in sorted(talk.subscribed):
            listed.setdefault(kind, []).append(symbol.replace("/", "-"))
        channels = [{"name": kind, "product_ids": wires} for kind, wires in listed.items()]
        return [_json({"type": "subscriptions", "channels": channels})]

    def tick(self, talk: Talk, symbol: str, tick: Tick) -> bytes | None:
        """`match`."""
        if ("matches", symbol) not in talk.subscribed:
            return None
        maker = "buy" if tick.aggressor == "sell" else "sell"
        return _json(
            {
                "type": "match", "trade_id": tick.trade_id, "maker_order_id": str(uuid.UUID(int=tick.trade_id)),
                "taker_order_id": str(uuid.UUID(int=tick.trade_id + 1)), "side": maker,
                "size": f"{tick.size:.8f}", "price": f"{tick.price:.2f}", "product_id": symbol.replace("/", "-"),
                "sequence": tick.trade_id * 3, "time": _iso(tick.at),
            }
        )  # fmt: skip

    def around(self, talk: Talk, symbol: str, tick: Tick) -> list[bytes]:
        return books.coinbase(talk.subscribed, symbol, tick)

    def unknown(self) -> bytes:
        """A type of message that is new."""
        return b'{"type":"mystery","product_id":"BTC-USD","time":"2026-01-01T00:00:00.000000Z"}'


class Kraken(Wire):
    """Version 2: `trade`, `ohlc`."""

    vendor = "kraken"

    def greet(self, talk: Talk) -> list[bytes]:  # noqa: ARG002
        """The state of the system."""
        state = {"version": "2.0.4", "system": "online", "api_version": "v2", "connection_id": 123}
        return [_json({"channel": "status", "type": "update", "data": [state]})]

    def hear(self, talk: Talk, said: Any) -> list[bytes]:
        """One acknowledgement a symbol."""
        if said.get("method") == "ping":
            return [_json({"method": "pong"})]
        params, number = said.get("params", {}), said.get("req_id", 0)
        answers = []
        for symbol in params.get("symbol", []):
            base = {"method": "subscribe", "req_id": number}
            if symbol not in self.symbols:
                words = f"Currency pair not supported {symbol}"
                answers.append(_json({**base, "success": False, "error": words, "symbol": symbol}))
                continue
            talk.subscribed.add((params["channel"], symbol))
            result = {"channel": params["channel"], "snapshot": False, "symbol": symbol}
            answers.append(_json({**base, "result": result, "success": True}))
        return answers

    def tick(self, talk: Talk, symbol: str, tick: Tick) -> bytes | None:
        """`trade`."""
        if ("trade", symbol) not in talk.subscribed:
            return None
        row = {
            "symbol": symbol, "side": tick.aggressor, "price": tick.price, "qty": tick.size,
            "ord_type": "market", "trade_id": tick.trade_id, "timestamp": _iso(tick.at),
        }  # fmt: skip
        return _json({"channel": "trade", "type": "update", "data": [row]})

    def bar(self, talk: Talk, symbol: str, bar: Bar) -> bytes | None:
        """`ohlc`, its last version."""
        if ("ohlc", symbol) not in talk.subscribed:
            return None
        end = _iso((bar.start + MINUTE) * 1_000)
        row = {
            "symbol": symbol, "open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close,
            "trades": bar.trades, "volume": bar.volume, "vwap": bar.vwap, "interval": 1, "timestamp": end,
            "interval_begin": _iso(bar.start * 1_000)[:19] + ".000000000Z",
        }  # fmt: skip
        return _json({"channel": "ohlc", "type": "update", "timestamp": end, "data": [row]})

    def around(self, talk: Talk, symbol: str, tick: Tick) -> list[bytes]:
        return books.kraken(talk.subscribed, symbol, tick)

    def unknown(self) -> bytes:
        """A channel that is new."""
        return b'{"channel":"trade_mystery","type":"update","data":[{"symbol":"BTC/USD"}]}'


class Deriv(Wire):
    """`ticks` and candles: every answer repeats what was asked."""

    vendor = "deriv"

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
        told = {
            "ask": tick.price + 0.1, "bid": tick.price - 0.1, "epoch": tick.at // 10**9, "id": str(said["req_id"]),
            "pip_size": 2, "quote": tick.price, "symbol": said["ticks"],
        }  # fmt: skip
        about = {"req_id": said["req_id"], "subscription": {"id": str(said["req_id"])}}
        return _json({"echo_req": said, "msg_type": "tick", **about, "tick": told})

    def bar(self, talk: Talk, symbol: str, bar: Bar) -> bytes | None:
        """`ohlc`, its last version; prices are texts."""
        if ("ohlc", symbol) not in talk.subscribed:
            return None
        said = talk.requests[f"ohlc {symbol}"]
        prices = {name: f"{getattr(bar, name):.2f}" for name in ("open", "high", "low", "close")}
        start = bar.start // 1_000_000
        told = {
            "id": str(said["req_id"]), "symbol": said["ticks_history"], "epoch": start + 59, "open_time": start,
            "granularity": 60, **prices, "pip_size": 2,
        }  # fmt: skip
        about = {"req_id": said["req_id"], "subscription": {"id": str(said["req_id"])}}
        return _json({"echo_req": said, "msg_type": "ohlc", **about, "ohlc": told})

    def unknown(self) -> bytes:
        """A kind of message that is new."""
        return b'{"echo_req":{"ticks":"R_100"},"msg_type":"mystery","mystery":{"a":1}}'


class Alpaca(Wire):
    """Arrays, after a key."""

    vendor = "alpaca"

    def greet(self, talk: Talk) -> list[bytes]:  # noqa: ARG002
        """Connected, not let in."""
        return [b'[{"T":"success","msg":"connected"}]']

    def hear(self, talk: Talk, said: Any) -> list[bytes]:
        """A key, then subscriptions; each answer is all of them."""
        if said.get("action") == "auth":
            talk.let_in = bool(said.get("key")) and said.get("secret") != "wrong"
            told = (
                {"T": "success", "msg": "authenticated"}
                if talk.let_in
                else {"T": "error", "code": 402, "msg": "auth failed"}
            )
            return [_json([told])]
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

    def unknown(self) -> bytes:
        """A kind of row that is new."""
        return b'[{"T":"mystery","S":"AAPL","x":1}]'


class Massive(Wire):
    """Arrays, after a key; one acknowledgement a channel."""

    vendor = "massive"

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
        told = []
        for name in str(said.get("params", "")).split(","):
            kind, _, wire = name.partition(".")
            talk.subscribed.add(
                (kind, wire.replace("/", "") if kind in ("CA", "C") else wire.replace("-", "/"))
            )
            told.append({"ev": "status", "status": "success", "message": f"subscribed to: {name}"})
        return [_json(told)]

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
        return None

    def unknown(self) -> bytes:
        """An event that is new."""
        return b'[{"ev":"MYSTERY","sym":"AAPL"}]'


WIRES: dict[str, type[Wire]] = {
    wire.vendor: wire for wire in (Binance, Coinbase, Kraken, Deriv, Alpaca, Massive)
}
