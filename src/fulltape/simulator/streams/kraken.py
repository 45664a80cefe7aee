"""How Kraken talks over its live socket, from its documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from fulltape.market.time import MINUTE
from fulltape.simulator import books
from fulltape.simulator.minutes import Bar
from fulltape.simulator.protocol import Piece, StreamProtocol, Talk, fields, objects, of_fields
from fulltape.simulator.protocol import encoded as _json
from fulltape.simulator.ticks import Tick
from fulltape.simulator.ticks import iso as _iso


class _Message(msgspec.Struct, frozen=True):
    channel: str = ""
    data: list[msgspec.Raw] = []


class _Row(msgspec.Struct, frozen=True):
    symbol: str = ""
    interval: int = 1


class KrakenProtocol(StreamProtocol):
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
            base = {"method": said.get("method"), "req_id": number}
            if said.get("method") == "unsubscribe":
                talk.subscribed.discard((params["channel"], symbol))
                result = {"channel": params["channel"], "symbol": symbol}
                answers.append(_json({**base, "result": result, "success": True}))
                continue
            if symbol not in self.symbols:
                words = f"Currency pair not supported {symbol}"
                answers.append(_json({**base, "success": False, "error": words, "symbol": symbol}))
                continue
            talk.subscribed.add((params["channel"], symbol))
            talk.requests[f"{params['channel']} {symbol}"] = params
            result = {"channel": params["channel"], "snapshot": False, "symbol": symbol}
            answers.append(_json({**base, "result": result, "success": True}))
        return answers

    def pieces(self, message: bytes) -> list[Piece]:
        """One a row of `data`."""
        parsed = msgspec.json.decode(message, type=_Message)
        rows = [(msgspec.json.decode(row, type=_Row).symbol, bytes(row)) for row in parsed.data]
        return [Piece((parsed.channel,), symbol, content) for symbol, content in rows if symbol]

    def addressed(self, talk: Talk, message: bytes) -> bytes | None:
        """Candles of the length that was asked for."""
        parsed = msgspec.json.decode(message, type=_Message)
        if parsed.channel != "ohlc":
            return message
        rows = [(msgspec.json.decode(row, type=_Row), bytes(row)) for row in parsed.data]
        mine = [
            Piece((), row.symbol, content)
            for row, content in rows
            if row.interval == talk.requests.get(f"ohlc {row.symbol}", {}).get("interval", 1)
        ]
        return message if len(mine) == len(rows) else self.joined(message, mine) if mine else None

    def joined(self, message: bytes, pieces: Sequence[Piece]) -> bytes:
        """The same with fewer rows of `data`."""
        return of_fields({**fields(message), "data": objects(pieces)})

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


PROTOCOL = KrakenProtocol
