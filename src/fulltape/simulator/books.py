"""Best prices and books around a tick, as the exchanges' streams tell them: a cent on either side, one level each."""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet

from fulltape.simulator.ticks import Tick, iso

Subscribed = AbstractSet[tuple[str, str]]


def sides(tick: Tick) -> tuple[float, float]:
    """The best bid and ask."""
    return round(tick.price - 0.01, 2), round(tick.price + 0.01, 2)


def binance(subscribed: Subscribed, symbol: str, tick: Tick) -> list[bytes]:
    """`bookTicker`, which bears no time, and `depthUpdate`."""
    wire, (bid, ask) = symbol.replace("/", ""), sides(tick)
    messages: list[tuple[str, dict[str, object]]] = []
    if ("bookTicker", symbol) in subscribed:
        best = {"b": f"{bid:.8f}", "B": f"{tick.size:.8f}", "a": f"{ask:.8f}", "A": "1.00000000"}
        messages.append(("bookTicker", {"u": tick.trade_id, "s": wire, **best}))
    if ("depth@100ms", symbol) in subscribed:
        levels = {"b": [[f"{bid:.8f}", f"{tick.size:.8f}"]], "a": [[f"{ask:.8f}", "1.00000000"]]}
        about = {
            "e": "depthUpdate",
            "E": tick.at // 1_000_000,
            "s": wire,
            "U": tick.trade_id,
            "u": tick.trade_id,
        }
        messages.append(("depth@100ms", {**about, **levels}))
    return [_json({"stream": f"{wire.lower()}@{kind}", "data": data}) for kind, data in messages]


def coinbase(subscribed: Subscribed, symbol: str, tick: Tick) -> list[bytes]:
    """`ticker`, `l2update`."""
    wire, (bid, ask) = symbol.replace("/", "-"), sides(tick)
    messages: list[dict[str, object]] = []
    if ("ticker", symbol) in subscribed:
        best = {"best_bid": f"{bid:.2f}", "best_bid_size": f"{tick.size:.8f}", "best_ask": f"{ask:.2f}"}
        about = {"sequence": tick.trade_id * 3 + 1, "product_id": wire, "price": f"{tick.price:.2f}"}
        more = {"best_ask_size": "1.00000000", "time": iso(tick.at), "trade_id": tick.trade_id}
        messages.append({"type": "ticker", **about, **best, **more})
    if ("level2_batch", symbol) in subscribed:
        changes = [["buy", f"{bid:.2f}", f"{tick.size:.8f}"], ["sell", f"{ask:.2f}", "1.00000000"]]
        messages.append({"type": "l2update", "product_id": wire, "changes": changes, "time": iso(tick.at)})
    return [_json(message) for message in messages]


def kraken(subscribed: Subscribed, symbol: str, tick: Tick) -> list[bytes]:
    """`ticker`, `book`."""
    bid, ask = sides(tick)
    messages: list[dict[str, object]] = []
    if ("ticker", symbol) in subscribed:
        best = {
            "symbol": symbol,
            "bid": bid,
            "bid_qty": tick.size,
            "ask": ask,
            "ask_qty": 1.0,
            "last": tick.price,
        }
        messages.append({"channel": "ticker", "type": "update", "data": [best]})
    if ("book", symbol) in subscribed:
        levels = {"bids": [{"price": bid, "qty": tick.size}], "asks": [{"price": ask, "qty": 1.0}]}
        book = {"symbol": symbol, **levels, "checksum": 0, "timestamp": iso(tick.at)}
        messages.append({"channel": "book", "type": "update", "data": [book]})
    return [_json(message) for message in messages]


def _json(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
