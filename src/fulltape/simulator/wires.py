"""How the exchanges and Deriv talk over their live sockets, from their documents; and every vendor's wire."""

from __future__ import annotations

import uuid
from typing import Any

from fulltape.market.time import MINUTE
from fulltape.simulator import books
from fulltape.simulator.keyed import AlpacaWire, MassiveWire
from fulltape.simulator.minutes import Bar
from fulltape.simulator.ticks import Tick
from fulltape.simulator.ticks import iso as _iso
from fulltape.simulator.wire import Talk, Wire
from fulltape.simulator.wire import encoded as _json


class BinanceWire(Wire):
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
        """A stream that was not asked for."""
        return b'{"stream":"btcusdt@mystery","data":{"e":"mystery","s":"BTCUSDT","z":[1,2]}}'


class CoinbaseWire(Wire):
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


class KrakenWire(Wire):
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


class DerivWire(Wire):
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
        prices = {name: str(getattr(bar, name)) for name in ("open", "high", "low", "close")}
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


WIRES: dict[str, type[Wire]] = {
    wire.vendor: wire for wire in (BinanceWire, CoinbaseWire, KrakenWire, DerivWire, AlpacaWire, MassiveWire)
}
