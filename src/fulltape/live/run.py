"""Reads a source's journals behind their writer, and publishes provisional bars to subscribers in this process."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

import polars as pl

from fulltape.context import NodeContext
from fulltape.contract.streams import Meaning
from fulltape.decoding import stream_rows
from fulltape.lake import messages, tail
from fulltape.lake.journal import RecordKind
from fulltape.lake.layout import Layout
from fulltape.lake.messages import Block
from fulltape.lake.tail import Bookmark
from fulltape.live.plan import Aggregator, Provisional, SecondBar
from fulltape.market.sessions import Calendar
from fulltape.market.time import SECOND, Instant, to_datetime

_REMEMBERED = 10_000
"""Ids of one symbol that are remembered, so that none counts twice."""
_AT_ONCE = 8_000_000
"""Bytes of messages that are read together."""
Subscriber = Callable[[list[Provisional]], None]


class Follower:
    """One source. `poll` reads what is new; `bookmark` can be kept and given back to go on from there."""

    def __init__(
        self,
        context: NodeContext,
        source: str,
        meaning: Meaning,
        control: re.Pattern[bytes],
        *,
        writer: str,
        now: Instant,
        bookmark: Bookmark | None = None,
    ) -> None:
        wanted = next(dataset for dataset in context.wanted.values() if source in dataset.live)
        rule = wanted.calendar.day_rule
        # Without a bookmark: from the present session on, not from the oldest journal that is still there.
        begin = to_datetime(rule.begin(rule.session(now)))
        self.bookmark = bookmark or Bookmark(file=f"{begin:%Y%m%dT%H%M%S}")
        self.messages = 0
        self.last: dict[tuple[str, str], float] = {}
        """By dataset and symbol the newest price of streams without trades: a bar's close, the middle of a bid and a fetch."""
        self._layout: Layout = context.layout
        self._writer, self._source = writer, source
        self._meaning, self._control = meaning, control
        self._symbols: dict[tuple[str, str], str] = {}
        self._seen: dict[str, set[int]] = {}
        self._subscribers: list[Subscriber] = []
        self.bars = Aggregator(lambda at: _open(wanted.calendar, at) or rule.begin(rule.session(at)))

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call this with every batch of changed bars."""
        self._subscribers.append(subscriber)

    def poll(self) -> list[Provisional]:
        """Read what has come since the last time, a piece of the journals after the other; the bars that have changed."""
        bars: dict[tuple[str, str, Instant], Provisional] = {}
        for blocks in _batches(self._new()):
            changed = self.bars.add(self._pieces(blocks))
            bars |= {(bar.symbol, bar.grain, bar.start): bar for bar in changed}
            if changed:
                for subscriber in self._subscribers:
                    subscriber(changed)
        return list(bars.values())

    def _new(self) -> Iterator[Block]:
        """Blocks behind the bookmark."""
        for record, behind in tail.read(self._layout, self._writer, self._source, self.bookmark):
            self.bookmark = behind
            if record.kind is RecordKind.MARK:
                event = messages.decode_event(record.payload)
                self._symbols.update(
                    {(channel.dataset, channel.wire): channel.symbol for channel in event.carried}
                )
            elif record.kind is RecordKind.MESSAGES:
                block = messages.decode_block(record.payload)
                self.messages += len(block.lengths)
                yield block

    def _pieces(self, blocks: list[Block]) -> list[SecondBar]:
        bundle = stream_rows.bundled(
            (block.body, block.lengths, block.received, block.connection) for block in blocks
        )
        rows = stream_rows.read(bundle, self._meaning, self._control)
        out: list[SecondBar] = []
        for dataset, frames in rows.frames.items():
            for frame in frames:
                if "price" in frame.columns:
                    out += self._of(dataset, frame)
                else:
                    self._priced(dataset, frame)
        return sorted(out, key=lambda piece: piece.first)

    def _priced(self, dataset: str, frame: pl.DataFrame) -> None:
        if "close" in frame.columns:
            price = pl.col("close")
        elif {"bid", "ask"} <= set(frame.columns):
            frame = frame.filter((pl.col("bid") > 0) & (pl.col("ask") > 0))
            price = (pl.col("bid") + pl.col("ask")) / 2
        else:
            return
        newest = (
            frame.sort("timestamp", maintain_order=True).group_by("symbol").agg(price.last().alias("price"))
        )
        self.last |= {
            (dataset, self._symbols.get((dataset, wire), wire)): price
            for wire, price in newest.select("symbol", "price").iter_rows()
        }

    def _of(self, dataset: str, frame: pl.DataFrame) -> list[SecondBar]:
        if "correction" in frame.columns:
            return []  # a trade that is taken back has been in its bar; the session's own answer makes it anew
        frame = self._once(frame)
        size = pl.col("size") if "size" in frame.columns else pl.lit(1.0)
        grouped = (
            frame.with_columns(size.alias("size"), (pl.col("timestamp") // SECOND).alias("second"))
            .sort("timestamp", maintain_order=True)
            .group_by("symbol", "second", maintain_order=True)
            .agg(
                pl.col("timestamp").first().alias("first"),
                pl.col("timestamp").last().alias("last"),
                pl.col("price").first().alias("open"),
                pl.col("price").max().alias("high"),
                pl.col("price").min().alias("low"),
                pl.col("price").last().alias("close"),
                pl.col("size").sum().alias("volume"),
                pl.len().alias("trades"),
            )
            .drop("second")
        )
        return [
            SecondBar(symbol=self._symbols.get((dataset, wire), wire), **row)
            for row in grouped.iter_rows(named=True)
            for wire in [row.pop("symbol")]
        ]

    def _once(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Trades with ids, each once: a second connection tells some of them again."""
        if "trade_id" not in frame.columns:
            return frame
        fresh = []
        for symbol, number in zip(frame["symbol"], frame["trade_id"], strict=True):
            seen = self._seen.setdefault(symbol, set())
            fresh.append(number not in seen)
            seen.add(number)
            if len(seen) > 2 * _REMEMBERED:
                self._seen[symbol] = set(sorted(seen)[-_REMEMBERED:])
        return frame.filter(pl.Series(fresh, dtype=pl.Boolean))


def _batches(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """Blocks of so many bytes together: after a pause a whole day may wait."""
    some: list[Block] = []
    size = 0
    for block in blocks:
        some.append(block)
        size += len(block.body)
        if size >= _AT_ONCE:
            yield some
            some, size = [], 0
    if some:
        yield some


def _open(calendar: Calendar, at: Instant) -> Instant | None:
    """Where a calendar has hours, the grid begins with the session's open."""
    if calendar.name != "XNYS":
        return None
    position = calendar.position(calendar.day_rule.session(at))
    return calendar.sessions[position].open if position is not None else None
