"""A node that captures for so many hours: a journal an hour, sealed at once, curated and checked once a day."""

from __future__ import annotations

import importlib
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

from benchmarks.live import flood
from fulltape.check import run as check
from fulltape.context import NodeContext
from fulltape.contract.events import ConnectionEvent
from fulltape.contract.streams import Channel, StreamingVendor, Subscription
from fulltape.curate import run as curate
from fulltape.lake import messages
from fulltape.lake.journal import Journal, RecordKind
from fulltape.lake.layout import Layout
from fulltape.market.time import HOUR, MINUTE, SECOND, Instant
from fulltape.node import assemble
from fulltape.seal import run as seal
from fulltape.settings import load

_SOURCE, _DATASET, _CONNECTION = "binance.spot", "crypto_aggtrades", 7
_SYMBOLS, _A_HOUR = 10, 3_000
_DAY = 24


class Hourly:
    """A clock that is moved."""

    def __init__(self, at: Instant) -> None:
        self.at = at

    def now(self) -> Instant:
        """UTC microseconds."""
        return self.at

    def steady(self) -> Instant:
        """The same."""
        return self.at

    def sleep(self, seconds: float) -> None:
        """Nothing waits here."""


def measured(folder: Path, hours: int) -> dict[str, object]:
    """Seconds of each sealing, of each day's curating and checking, and what is there in the end."""
    symbols = [f"S{number:03d}/USDT" for number in range(_SYMBOLS)]
    (folder / "fulltape.toml").write_text(
        f"""[universe.live]
symbols = {symbols}
[dataset.{_DATASET}]
universe = "live"
sources = ["{_SOURCE}"]
live = ["{_SOURCE}"]
from = 2026-11-22
[vendor.binance]
"""
    )
    context = assemble.open_context(load.load(folder))
    begin = flood.AT * 1_000 // HOUR * HOUR
    clock = Hourly(begin)
    writing = _Hours(context, clock, symbols)
    sealing, days = [], []
    for hour in range(hours):
        writing.write(begin + hour * HOUR)
        clock.at = begin + (hour + 1) * HOUR
        sealing.append(_timed(lambda: seal.run_once(context, clock)))
        if hour % _DAY == _DAY - 1:
            clock.at += 10 * MINUTE
            days.append(_timed(lambda: (curate.run_once(context, clock), check.run_once(context, clock))))
    rows = sum(part.rows for part in context.ledger.catalogue.current("raw", _DATASET))
    intervals = len(list(context.ledger.intervals.find()))
    context.close()
    return {"sealing": sealing, "days": days, "rows": rows, "intervals": intervals}


class _Hours:
    """Writes an hour's journal, as a capture that is never interrupted leaves it."""

    def __init__(self, context: NodeContext, clock: Hourly, symbols: list[str]) -> None:
        module = cast("StreamingVendor", importlib.import_module("fulltape.vendors.binance"))
        wanted = [Subscription(dataset=_DATASET, symbol=symbol) for symbol in symbols]
        (stream,) = module.streams(_SOURCE, wanted)
        self._carried: tuple[Channel, ...] = stream.channels
        self._layout: Layout = context.layout
        self._writer, self._clock = context.capture_writer, clock
        self._before, self._number = "", 0

    def write(self, begin: Instant) -> None:
        """The hour from `begin` on: marks, and a block of messages a second or so."""
        self._clock.at = begin
        journal = Journal(self._layout, writer=self._writer, source=_SOURCE, clock=self._clock)
        for event in self._events(begin * 1_000):
            journal.append(RecordKind.MARK, messages.encode_event(event))
        step = HOUR // _A_HOUR
        block, received = [], array("q")
        for at in range(_A_HOUR):
            moment = begin + SECOND + at * (step - 1)
            block.append(_message(self._number, moment))
            received.append(moment * 1_000 + 1_000_000)
            self._number += 1
        for number, first in enumerate(range(0, _A_HOUR, 100)):
            some = messages.block(
                _CONNECTION, self._number + number, block[first : first + 100], received[first : first + 100]
            )
            journal.append(RecordKind.MESSAGES, *messages.encode_block(some))
        journal.sync()
        journal.close()
        self._before = journal.path.stem

    def _events(self, at: int) -> Iterator[ConnectionEvent]:
        names = tuple(channel.name for channel in self._carried)
        live = {_CONNECTION: names} if self._before else {}
        yield ConnectionEvent(what="opened", at=at, carried=self._carried, follows=self._before, live=live)
        if not self._before:
            yield ConnectionEvent(what="connected", at=at, connection=_CONNECTION)
            yield ConnectionEvent(what="confirmed", at=at, connection=_CONNECTION, channels=names)


def _message(number: int, moment: Instant) -> bytes:
    """The trade with this number over all symbols, whose ids each grow by one, at a moment."""
    symbol, trade, ms = f"S{number % _SYMBOLS:03d}USDT", number // _SYMBOLS + 1, moment // 1_000
    return (
        f'{{"stream":"{symbol.lower()}@aggTrade","data":{{"e":"aggTrade","E":{ms},"s":"{symbol}",'
        f'"a":{trade},"p":"{100 + number % 97 / 100:.8f}","q":"0.50000000","f":{trade},"l":{trade},"T":{ms},'
        f'"m":true,"M":true}}}}'
    ).encode()


def _timed(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began
