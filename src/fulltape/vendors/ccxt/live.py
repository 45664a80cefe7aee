"""Live trades of any of ccxt's exchanges, by ccxt's own sockets (ccxt.pro, in the same package).

ccxt holds the socket here, so what is kept is what it makes of a message: one unified trade, as JSON, with the venue's own
fields. It keeps at most `tradesLimit` trades between two calls, reconnects by itself, and fills no gap.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec

from fulltape import errors
from fulltape.contract.streams import (
    NOTHING,
    Channel,
    Meaning,
    MessageFormat,
    ProtocolSteps,
    SdkMessage,
    Stream,
    Subscription,
)
from fulltape.contract.vendor import RowFormat, WireField

_DATASET = "crypto_trades"
_KEPT = 10_000
_TRADES = "watchTradesForSymbols"


def streams(source: str, subscriptions: Sequence[Subscription]) -> list[Stream]:
    """One connection, which ccxt makes into as many as it needs."""
    for asked in subscriptions:
        if asked.dataset != _DATASET:
            raise ValueError(f"{source} streams {_DATASET}, not {asked.dataset}")
    channels = tuple(
        Channel(
            name=subscription.spelling or subscription.symbol,
            dataset=_DATASET,
            symbol=subscription.symbol,
            wire=subscription.spelling or subscription.symbol,
            detail="trades",
        )
        for subscription in subscriptions
    )
    stream = Stream(
        source=source,
        host="",
        path="",
        channels=channels,
        control=rb"(?!)",
        route=rb'"symbol":"([^"]+)"',
        converse=_silent,
        data_confirms=True,
        pulled=True,
    )
    return [stream] if channels else []


def _silent(_: Sequence[Channel]) -> ProtocolSteps:
    """There is no conversation: ccxt holds it."""
    yield NOTHING


async def feed(stream: Stream, url: str, secrets: Mapping[str, str]) -> AsyncIterator[SdkMessage]:  # noqa: ARG001
    """Trades as they come; `TransportError` where the exchange cannot be reached, after which it may be called again.

    `url` is the address of another server for HTTP and, after a space, for sockets.
    """
    try:
        import ccxt
        from ccxt import pro
    except ImportError:
        raise errors.ConfigError(
            f"{stream.source} needs ccxt.", hint="Install fulltape with its extra crypto (README: extras)."
        ) from None
    exchange = getattr(pro, stream.source.partition(".")[2])({"options": {"tradesLimit": _KEPT}})
    symbols = [channel.wire for channel in stream.channels]
    ids = _Ids()
    try:
        if url:
            _elsewhere(exchange, *url.split(" "))
        while symbols:
            try:
                trades = await _watched(exchange, stream.source, symbols)
            except ccxt.BadSymbol:
                # ccxt refuses all of them for one that it does not know.
                listed = await exchange.load_markets()
                bad = [symbol for symbol in symbols if symbol not in listed]
                for symbol in bad:
                    yield SdkMessage(channel=symbol, refused=f"{stream.source} lists no {symbol}")
                    symbols.remove(symbol)
                if not bad:
                    raise
                continue
            for trade in trades:
                yield SdkMessage(channel=trade["symbol"], message=_told(trade, ids.of(trade)))
        raise errors.TransportError(f"{stream.source} lists none of its symbols")
    except (ccxt.NetworkError, ccxt.ExchangeError) as error:
        raise errors.TransportError(f"{type(error).__name__}: {error}"[:200]) from None
    finally:
        await exchange.close()


async def _watched(exchange: Any, source: str, symbols: Sequence[str]) -> Any:
    """The next trades of all symbols."""
    if exchange.has.get(_TRADES):
        return await exchange.watch_trades_for_symbols(symbols)
    if len(symbols) == 1:
        return await exchange.watch_trades(symbols[0])
    raise errors.UsageError(f"{source} watches one symbol at a time.", hint="Give its universe one symbol.")


def _elsewhere(exchange: object, http: str, sockets: str) -> None:
    """Send everything to another server, such as a simulator."""
    addresses = exchange.urls["api"]  # type: ignore[attr-defined]
    for name, address in addresses.items():
        if isinstance(address, str):
            addresses[name] = f"{http}/" + address.split("://", 1)[1].split("/", 1)[1]
    for name in addresses.get("ws", {}):
        addresses["ws"][name] = f"{sockets}/stream/ws"
    exchange.options["fetchMarkets"] = {"types": ["spot"]}  # type: ignore[attr-defined]
    exchange.has["fetchCurrencies"] = False  # type: ignore[attr-defined]


class _Ids:
    """Ids for the trades of exchanges that give none: what a trade is, and the how manieth such one of its moment."""

    def __init__(self) -> None:
        self._moment: object = None
        self._seen: dict[tuple[object, ...], int] = {}

    def of(self, trade: Mapping[str, object]) -> str:
        """The exchange's id of a trade, or ours."""
        if trade["id"] is not None:
            return str(trade["id"])
        if trade["timestamp"] != self._moment:
            self._moment, self._seen = trade["timestamp"], {}
        what = tuple(trade[name] for name in ("symbol", "side", "price", "amount"))
        self._seen[what] = self._seen.get(what, 0) + 1
        return "-".join(map(str, (trade["timestamp"], *what[1:], self._seen[what])))


def _told(trade: Mapping[str, object], number: str) -> bytes:
    return msgspec.json.encode(
        {
            "kind": "trade",
            "symbol": trade["symbol"],
            "id": number,
            "timestamp": trade["timestamp"],
            "side": trade["side"],
            "price": trade["price"],
            "amount": trade["amount"],
            "info": trade["info"],
        }
    )


def meaning(source: str) -> Meaning:  # noqa: ARG001
    """ccxt's unified trades; `side` is the taker's."""
    return Meaning(
        pattern=rb'\{"kind":"(\w+)"',
        formats=(
            MessageFormat(
                kind="trade",
                dataset=_DATASET,
                row_format=RowFormat(
                    fields=(
                        WireField(wire="symbol", column="symbol", kind="text"),
                        WireField(wire="timestamp", column="timestamp", kind="integer"),
                        WireField(wire="price", column="price"),
                        WireField(wire="amount", column="size"),
                        WireField(wire="side", column="aggressor", kind="text"),
                        WireField(wire="id", column="trade_id", kind="text"),
                    ),
                    unit="ms",
                    renamed={"aggressor": {"buy": "buy", "sell": "sell"}},
                ),
                marker=b'{"kind":"trade","symbol":',
            ),
        ),
    )
