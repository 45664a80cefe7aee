"""How Binance talks over its live socket, from its documents."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable
from typing import Any

import msgspec

from fulltape.market.time import MINUTE
from fulltape.simulator import books
from fulltape.simulator.minutes import Bar
from fulltape.simulator.protocol import Piece, StreamProtocol, Talk
from fulltape.simulator.protocol import encoded as _json
from fulltape.simulator.ticks import Tick


class _Combined(msgspec.Struct, frozen=True):
    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


class BinanceProtocol(StreamProtocol):
    """Combined streams, subscribed by command."""

    vendor = "binance"

    def greet(self, talk: Talk) -> list[bytes]:
        """Nothing; streams that the address names are subscribed to."""
        address = urllib.parse.urlsplit(talk.path)
        named = urllib.parse.parse_qs(address.query).get("streams") or [urllib.parse.unquote(address.path)]
        talk.subscribed |= self._streams(named[0].removeprefix("/ws").strip("/").split("/"))
        return []

    def hear(self, talk: Talk, said: Any) -> list[bytes]:
        """SUBSCRIBE, UNSUBSCRIBE, and nothing else."""
        method = said.get("method") if isinstance(said, dict) else None
        if method == "SUBSCRIBE":
            talk.subscribed |= self._streams(said.get("params", []))
        elif method == "UNSUBSCRIBE":
            talk.subscribed -= self._streams(said.get("params", []))
        else:
            return [_json({"code": 2, "msg": "Invalid request: unknown method"})]
        return [_json({"result": None, "id": said.get("id")})]

    def _streams(self, names: Iterable[str]) -> set[tuple[str, str]]:
        """Streams by kind and symbol; an unknown one is accepted in silence."""
        ours = {symbol.replace("/", "").lower(): symbol for symbol in sorted(self.symbols)}
        pairs = (name.partition("@")[::2] for name in names)
        return {(kind, ours[wire]) for wire, kind in pairs if wire in ours}

    def pieces(self, message: bytes) -> list[Piece]:
        """One, of the stream that it names."""
        name = msgspec.json.decode(message, type=_Combined).stream
        return [Piece((kind,), symbol, message) for kind, symbol in self._streams([name])]

    def addressed(self, talk: Talk, message: bytes) -> bytes:
        """At /ws without the name of the stream around it."""
        return (
            bytes(msgspec.json.decode(message, type=_Combined).data)
            if talk.path.startswith("/ws")
            else message
        )

    def tick(self, talk: Talk, symbol: str, tick: Tick) -> bytes | None:
        """`trade`, `aggTrade`."""
        kind = next(
            (channel for channel in ("trade", "aggTrade") if (channel, symbol) in talk.subscribed), ""
        )
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


PROTOCOL = BinanceProtocol
