"""How Coinbase talks over its live socket, from its documents."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import msgspec

from fulltape.simulator import books
from fulltape.simulator.protocol import Piece, StreamProtocol, Talk
from fulltape.simulator.protocol import encoded as _json
from fulltape.simulator.ticks import Tick
from fulltape.simulator.ticks import iso as _iso

_BOOK = ("level2", "level2_batch", "level2_50")
_KINDS = {
    "match": ("matches",), "last_match": ("matches",), "ticker": ("ticker", "ticker_batch"), "snapshot": _BOOK,
    "l2update": _BOOK, "heartbeat": ("heartbeat",),
}  # fmt: skip


class _Message(msgspec.Struct, frozen=True):
    type: str = ""
    product_id: str = ""


def _named(said: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Channels and products of a command: a channel has its own products, or is a name and has those of the command."""
    for channel in said.get("channels", []):
        named = channel if isinstance(channel, dict) else {"name": channel}
        for wire in named.get("product_ids", said.get("product_ids", [])):
            yield named["name"], wire


class CoinbaseProtocol(StreamProtocol):
    """Exchange: `matches`."""

    vendor = "coinbase"

    def hear(self, talk: Talk, said: Any) -> list[bytes]:
        """A subscription is answered with all of them, and with the last trade."""
        if not isinstance(said, dict) or said.get("type") not in ("subscribe", "unsubscribe"):
            return [_json({"type": "error", "message": "Malformed JSON"})]
        ours = {symbol.replace("/", "-"): symbol for symbol in self.symbols}
        for name, wire in _named(said):
            if wire not in ours:
                words = {"message": "Failed to subscribe", "reason": f"{wire} is not a valid product"}
                return [_json({"type": "error", **words})]
            if said["type"] == "subscribe":
                talk.subscribed.add((name, ours[wire]))
            else:
                talk.subscribed.discard((name, ours[wire]))
        listed: dict[str, list[str]] = {}
        for kind, symbol in sorted(talk.subscribed):
            listed.setdefault(kind, []).append(symbol.replace("/", "-"))
        channels = [{"name": kind, "product_ids": wires} for kind, wires in listed.items()]
        return [_json({"type": "subscriptions", "channels": channels})]

    def pieces(self, message: bytes) -> list[Piece]:
        """One, of its product."""
        parsed = msgspec.json.decode(message, type=_Message)
        kinds = _KINDS.get(parsed.type, ())
        return [Piece(kinds, parsed.product_id.replace("-", "/"), message)] if kinds else []

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


PROTOCOL = CoinbaseProtocol
