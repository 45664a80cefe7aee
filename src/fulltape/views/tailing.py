"""What a running capture delivers, moment by moment: read from its journal, never from its sockets."""

from __future__ import annotations

from dataclasses import dataclass

from fulltape import clock, errors
from fulltape.context import NodeContext
from fulltape.lake import capture_state as state_file
from fulltape.live.plan import GRAINS, Provisional
from fulltape.live.run import Follower
from fulltape.seal.messages import decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One stream now: messages a second since the last look, seconds since it last spoke, its last price, and its
    provisional bar, where trades are captured; `doubtful` are its unverified intervals."""

    source: str
    dataset: str
    symbol: str
    live: bool
    rate: float | None
    lag: float | None
    last: float | None
    bar: Provisional | None
    doubtful: int


class Tailing:
    """Looks again and again. Prices and bars come from the journal, as soon as they are written."""

    def __init__(self, context: NodeContext, *, grain: str, symbols: tuple[str, ...] = ()) -> None:
        if grain not in GRAINS:
            raise errors.UsageError(
                f"there are no bars of {grain!r}.", hint=f"There are {', '.join(GRAINS)}."
            )
        sources = {source for wanted in context.wanted.values() for source in wanted.live}
        if not sources:
            raise errors.UsageError(
                "no dataset is captured live.",
                hint='Add live = ["SOURCE"] to one; fulltape vendors tells which sources stream.',
            )
        self._context, self._grain, self._symbols = context, grain, symbols
        self._writer = context.capture_writer
        self._followers = {}
        for source in sorted(sources):
            known = decode.known(context, source)
            self._followers[source] = Follower(
                context,
                source,
                known.meaning,
                known.control,
                writer=self._writer,
                now=clock.wall_ns() // 1_000,
            )
        self._looked = clock.steady_seconds()
        self._ticks: dict[tuple[str, str, str], int] = {}

    def look(self) -> tuple[list[Row], str]:
        """Every stream now, and a sentence where there is something to say of the whole."""
        state = state_file.read(self._context.layout.capture_state(self._writer))
        passed = max(clock.steady_seconds() - self._looked, 1e-3)
        self._looked = clock.steady_seconds()
        for follower in self._followers.values():
            follower.poll()
        if state is None:
            return [], "no capture has run here yet; start one with fulltape capture"
        now = clock.wall_ns()
        running = state.running and now - state.at < 1_000 * state_file.OLD
        doubts = self._doubtful()
        rows = [
            self._row(source, channel, passed, now if running else 0, doubts)
            for source in state.sources
            for channel in source.channels
            if not self._symbols or channel.symbol in self._symbols
        ]
        return rows, "" if running else "the capture process is not running; this is how it ended"

    def _row(
        self,
        source: state_file.CapturedSource,
        channel: state_file.CapturedChannel,
        passed: float,
        now: int,
        doubts: dict[tuple[str, str, str], int],
    ) -> Row:
        follower = self._followers.get(source.source)
        traded = channel.dataset.endswith(("trades", "ticks"))
        bars = follower.bars if follower and traded else None
        day = bars.newest(channel.symbol, "1d") if bars else None
        bar = bars.newest(channel.symbol, self._grain) if bars else None
        key = (source.source, channel.dataset, channel.symbol)
        before = self._ticks.get(key)
        count = day.trades if day else 0
        self._ticks[key] = count
        last = follower.last.get((channel.dataset, channel.symbol)) if follower else None
        return Row(
            source=source.source,
            dataset=channel.dataset,
            symbol=channel.symbol,
            live=channel.live and bool(now),
            rate=max(0, count - before) / passed if before is not None and traded else None,
            lag=(now - channel.last) / 1e9 if now and channel.last else None,
            last=bar.close if bar else last,
            bar=bar,
            doubtful=doubts.get((source.source, channel.dataset, channel.symbol), 0),
        )

    def _doubtful(self) -> dict[tuple[str, str, str], int]:
        counts: dict[tuple[str, str, str], int] = {}
        find = self._context.ledger.intervals.find
        for interval in (*find(state="unverified"), *find(state="filling")):
            key = (interval.source, interval.dataset, interval.symbol)
            counts[key] = counts.get(key, 0) + 1
        return counts
