"""A node that captures from simulated vendors: history and streams out of one tape, real sockets and real files."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from fulltape import reader
from fulltape.backfill import run as backfill
from fulltape.capture import run as capture
from fulltape.capture.config import CaptureConfig, encode
from fulltape.capture.writer import Synced
from fulltape.clock import SystemClock
from fulltape.context import NodeContext
from fulltape.curate import run as curate
from fulltape.lake import capture_state as capturing_state
from fulltape.lake.capture_state import CapturedSource
from fulltape.market import datasets
from fulltape.market.time import Clock
from fulltape.node import assemble, capturing
from fulltape.seal import run as seal
from fulltape.settings import load
from fulltape.simulator import registry, scenario
from fulltape.simulator import run as simulator
from fulltape.simulator.recording import Recording
from fulltape.simulator.scenario import Scenario
from fulltape.simulator.stream import StreamServer
from fulltape.simulator.tape import Tape


@dataclass(frozen=True)
class Venue:
    """What a test captures: a vendor's source, dataset and symbols, as the tape has them."""

    vendor: str
    source: str
    dataset: str
    symbols: tuple[str, ...]
    plain: bool = False
    grain: int = 1_000_000
    key: tuple[str, ...] = ("symbol", "trade_id")
    twin: str = ""
    history: str = ""


BINANCE = Venue("binance", "binance.spot", "crypto_aggtrades", ("BTC/USDT", "ETH/USDT"))
COINBASE = Venue("coinbase", "coinbase.exchange", "crypto_trades", ("BTC/USD", "ETH/USD"), grain=1_000)
KRAKEN = Venue("kraken", "kraken.spot", "crypto_trades", ("BTC/USD", "ETH/USD"), grain=1_000)
DERIV = Venue(
    "deriv", "deriv.synthetic", "synthetic_ticks", ("R_100", "R_50"), plain=True, grain=10**9, key=()
)
ALPACA = Venue("alpaca", "alpaca.iex", "equities_bars_minute", ("AAPL", "MSFT"), key=("symbol", "ts"))
MASSIVE = Venue("massive", "massive.sip", "equities_bars_minute", ("AAPL", "MSFT"), key=("symbol", "ts"))
PAIRS = Venue("massive", "massive.forex", "forex_bars_minute", ("EURUSD", "USDJPY"), key=("symbol", "ts"))
KLINES = Venue("binance", "binance.spot", "crypto_bars_minute", ("BTC/USDT",), key=("symbol", "ts"))
CANDLES = Venue(
    "deriv", "deriv.synthetic", "synthetic_bars_minute", ("R_100", "R_50"), plain=True, key=("symbol", "ts")
)
OHLC = Venue(
    "kraken", "kraken.spot", "crypto_bars_minute", ("BTC/USD",), key=("symbol", "ts"), history="binance.spot"
)
BARS = (ALPACA, MASSIVE, PAIRS, KLINES, CANDLES)
VENUES = (BINANCE, COINBASE, KRAKEN, DERIV)


_SECRETS = {
    "alpaca": 'key = "CANARY-KEY-1"\nsecret = "CANARY-SECRET-1"\n',
    "massive": 'key = "CANARY-KEY-1"\n',
}


@dataclass
class Living:
    """A node in `folder`, its venue's tape and live socket."""

    folder: Path
    venue: Venue
    tape: Tape
    stream: StreamServer
    clock: Clock = field(default_factory=SystemClock)

    @contextlib.contextmanager
    def opened(self) -> Iterator[NodeContext]:
        context = assemble.open_context(load.load(self.folder))
        try:
            yield context
        finally:
            context.close()

    @contextlib.contextmanager
    def capturing(
        self, timestamp: Callable[[], int] = time.time_ns, synced: Synced | None = None
    ) -> Iterator[None]:
        """Capture in a thread of this process while the block runs."""
        orders = self.orders()
        # As the capture process has it, which tests may start before or after.
        clock = SystemClock.since_boot() if isinstance(self.clock, SystemClock) else self.clock
        loop = asyncio.new_event_loop()
        stop = asyncio.Event()
        thread = threading.Thread(
            target=lambda: loop.run_until_complete(
                capture.capture(orders, clock, stop, timestamp=timestamp, synced=synced)
            )
        )
        thread.start()
        try:
            yield
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()
            loop.close()

    def orders(self) -> CaptureConfig:
        """What a capture process is told."""
        with self.opened() as context:
            return capturing.configuration(load.load(self.folder), context)

    @contextlib.contextmanager
    def started(self) -> Iterator[subprocess.Popen[bytes]]:
        """A capture process of its own, which the block ends."""
        process = subprocess.Popen(
            [sys.executable, "-m", "fulltape.capture"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdin is not None
        process.stdin.write(encode(self.orders()) + b"\n")
        process.stdin.flush()
        yield process
        process.wait()
        process.stdin.close()

    def told(self) -> CapturedSource:
        """What the capture process says of itself."""
        path = self.folder / "lake" / "journal" / "node.capture" / "state.json"
        self.until(lambda: (state := capturing_state.read(path)) is not None and bool(state.sources))
        state = capturing_state.read(path)
        assert state is not None
        return state.sources[0]

    def all_live(self) -> bool:
        """Whether every channel is confirmed."""
        channels = self.told().channels
        return bool(channels) and all(channel.live for channel in channels)

    def break_all(self) -> None:
        """Break every connection once all channels are live, and wait until they are again."""
        self.until(self.all_live, 60)
        before = self.told().reconnects
        self.stream.tell(self._abort_all)
        self.until(lambda: self.told().reconnects > before and self.all_live(), 60)

    def _abort_all(self) -> None:
        for session in list(self.stream.sessions):
            assert session.transport is not None
            session.transport.underlying_transport.abort()

    def journals(self) -> list[Path]:
        """All journals of messages, sealed or not."""
        root = self.folder / "lake" / "journal"
        return sorted(path for path in root.rglob("*") if path.suffix in (".journal", ".sealed"))

    def until(self, happened: Callable[[], bool], seconds: float = 20) -> None:
        """Wait for something; fail where it does not come."""
        deadline = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.02)

    def ticks(self, more: int) -> Callable[[], bool]:
        """Whether so many more ticks than now have happened."""
        wanted = self.sent + more
        return lambda: self.sent >= wanted

    @property
    def sent(self) -> int:
        return sum(len(found) for found in self.tape.ticks.values())

    def seal(self) -> seal.SealReport:
        with self.opened() as context:
            return seal.run_once(context, self.clock)

    def heal(self) -> None:
        """Ask history for what is doubtful, as a node does."""
        with self.opened() as context:
            backfill.run_once(context, self.clock)
            seal.run_once(context, self.clock)

    def curated(self) -> pl.DataFrame:
        """What a user reads."""
        with self.opened() as context:
            curate.run_once(context, self.clock)
        return reader.Reader(self.folder).scan(self.venue.dataset).collect()

    def truth(self) -> pl.DataFrame:
        """What has happened, since the first tick that was sent to anybody."""
        rows = [
            {
                "symbol": symbol,
                "ts": tick.at // 1_000 // 1_000_000 * 1_000_000 if self.venue.plain else tick.at // 1_000,
                "price": tick.price,
                **({} if self.venue.plain else {"size": tick.size, "trade_id": str(tick.trade_id)}),
            }
            for symbol, ticks in self.tape.ticks.items()
            for tick in ticks
        ]
        return pl.DataFrame(rows).with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")))

    def intervals(self) -> list[tuple[str, str, str]]:
        with self.opened() as context:
            return [(one.kind, one.state, one.evidence) for one in context.ledger.intervals.find()]


class Fast:
    """A clock that begins at some moment and runs `speed` times as fast as the machine's."""

    def __init__(self, begin: dt.datetime, speed: float) -> None:
        self._begin = int(begin.timestamp() * 10**9)
        self._since = time.monotonic_ns()
        self.speed = speed
        self.ahead = 0

    def timestamp(self) -> int:
        return self._begin + int((time.monotonic_ns() - self._since) * self.speed)

    def now(self) -> int:
        """Wall time; whoever reads it may be some microseconds `ahead` of what is stamped."""
        return self.timestamp() // 1_000 + self.ahead

    def steady(self) -> int:
        return self.now()

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.05))


class Later:
    """The machine's clock, so many microseconds later."""

    def __init__(self, by: int = 0) -> None:
        self.by = by

    def now(self) -> int:
        return time.time_ns() // 1_000 + self.by

    def steady(self) -> int:
        return self.now()

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.1))


@contextlib.contextmanager
def living(
    tmp_path: Path,
    venue: Venue,
    faults: str = "",
    *,
    rate: float = 40,
    extra: str = "",
    compress: bool = False,
    flush: str = "100ms",
    fast: Fast | None = None,
    recording: Recording | None = None,
    first: dt.date | None = None,
) -> Iterator[Living]:
    """A node that may capture `venue`; the tape begins to run at once."""
    twin = venue.twin or venue.vendor
    found = scenario.parse(faults, where="test") if faults else Scenario()
    tape = Tape(
        dict.fromkeys(venue.symbols, 100.0),
        fast.timestamp if fast else time.time_ns,
        rate=rate / (fast.speed if fast else 1),
        grain=venue.grain,
        plain=venue.plain,
        calendar=datasets.get(venue.dataset).calendar,
    )
    with contextlib.ExitStack() as stack:
        twins = stack.enter_context(simulator.running(tape.market(), found, vendors={twin: 0}))
        wire = registry.streams()[twin](frozenset(venue.symbols))
        stream = stack.enter_context(
            StreamServer(wire, tape, found, compress=compress, recording=recording, speed=2_000)
        )
        folder = tmp_path / "node"
        folder.mkdir(parents=True)
        today = first or datasets.get(venue.dataset).session_of()(tape.now() // 1_000)
        names = ", ".join(f'"{symbol}"' for symbol in venue.symbols)
        (folder / "fulltape.toml").write_text(
            f"""[universe.live]
symbols = [{names}]
[dataset.{venue.dataset}]
universe = "live"
sources = [{"" if datasets.get(venue.dataset).live_only else f'"{venue.history or venue.source}"'}]
live = ["{venue.source}"]
from = {today}
[vendor.{venue.vendor}]
{_SECRETS.get(venue.vendor, "")}base_url = "{twins.servers[twin].url}"
stream_url = "{stream.url}"
requests_per_minute = 6000
requests_per_second = 1000
weight_per_minute = 100000
[capture]
flush_interval = "{flush}"
stale_after = "1s"
{extra}
"""
        )
        yield Living(folder=folder, venue=venue, tape=tape, stream=stream, clock=fast or SystemClock())


def same(found: pl.DataFrame, truth: pl.DataFrame, venue: Venue) -> None:
    """Row for row."""
    columns = ["symbol", "ts", "price"] if venue.plain else ["symbol", "trade_id", "price", "size"]
    left = found.select(columns).sort(columns)
    right = truth.select(columns).sort(columns)
    missing = right.join(left, on=columns, how="anti")
    extra = left.join(right, on=columns, how="anti")
    assert (missing.height, extra.height, left.height) == (0, 0, right.height), (
        f"{missing.height} missing, {extra.height} extra, {left.height} of {right.height}\n{missing.head(3)}{extra.head(3)}"
    )


def promised(found: pl.DataFrame, truth: pl.DataFrame, venue: Venue) -> None:
    """Row for row, from the first to the last thing that was captured: nobody promised what happened before the capture
    began, nor in the moment in which it ended."""
    edges = found.group_by("symbol").agg(pl.col("ts").min().alias("first"), pl.col("ts").max().alias("last"))
    inside = (pl.col("ts") >= pl.col("first")) & (pl.col("ts") < pl.col("last"))
    same(found.join(edges, on="symbol").filter(inside), truth.join(edges, on="symbol").filter(inside), venue)
