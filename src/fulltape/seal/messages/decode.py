"""One journal of messages: its marks as a timeline, its messages as rows in the datasets' schemas."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import polars as pl

from fulltape.checks import rows as row_checks
from fulltape.context import ConfiguredDataset, NodeContext
from fulltape.contract.streams import Channel, Meaning, StreamingVendor, Subscription
from fulltape.decoding import captured, frames, stream_rows
from fulltape.decoding.captured import FELL
from fulltape.lake import journal, messages
from fulltape.lake.journal import JournalDamage, Record, RecordKind
from fulltape.lake.messages import Block
from fulltape.market.time import Instant
from fulltape.seal.messages.timeline import Run, Timeline

_CHUNK = 16_000_000
"""Bytes of messages that are decoded at once, so that a large journal needs no more memory than a small one."""


@dataclass(slots=True, kw_only=True)
class DecodedJournal:
    """What a file holds: clean rows by dataset, sorted by (instrument, ts); its timeline; what could not be taken."""

    file: str
    source: str
    timeline: Timeline
    frames: dict[str, pl.DataFrame] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    still_live: set[str] = field(default_factory=set)
    damage: list[JournalDamage] = field(default_factory=list)
    unknown: list[bytes] = field(default_factory=list)
    broken: list[tuple[bytes, str]] = field(default_factory=list)
    refused: list[tuple[pl.DataFrame, str]] = field(default_factory=list)
    messages: int = 0
    _facts: dict[str, CapturedFacts] = field(default_factory=dict)

    def facts(self, dataset: str, ids: str) -> CapturedFacts:
        """What the rows of a dataset come to, by instrument; `ids` names their column of ids, if they have one."""
        if dataset not in self._facts:
            self._facts[dataset] = _facts(self.frames[dataset], ids)
        return self._facts[dataset]


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedFacts:
    """Of every instrument: how many rows each session has, the newest stamp, and the runs of its ids."""

    counts: dict[str, dict[dt.date, int]]
    newest: dict[str, Instant]
    ids: dict[str, list[Run]]


def _facts(frame: pl.DataFrame, ids: str) -> CapturedFacts:
    counts: dict[str, dict[dt.date, int]] = {}
    newest: dict[str, Instant] = {}
    counted = frame.group_by("instrument", "session").agg(pl.len(), pl.col("ts").max().dt.epoch("us"))
    for instrument, session, rows, last in counted.iter_rows():
        counts.setdefault(instrument, {})[session] = rows
        newest[instrument] = max(last, newest.get(instrument, 0))
    by_instrument: dict[str, list[Run]] = {}
    if ids:
        ordered = frame.select("instrument", pl.col(ids).cast(pl.Int64).alias("id"), "ts")
        same = pl.col("instrument") == pl.col("instrument").shift(1)
        falls = same & (pl.col("id") < pl.col("id").shift(1))
        rises = pl.col("ts") - pl.col("ts").shift(1) > pl.duration(microseconds=FELL)
        epoch = (falls & rises).fill_null(value=False).cast(pl.Int32).cum_sum().over("instrument")
        ordered = ordered.with_columns(epoch.alias("epoch"))
        if ordered.select(falls.any()).item():
            ordered = ordered.sort("instrument", "epoch", "id")
        follows = (pl.col("epoch") == pl.col("epoch").shift(1)) & (pl.col("id") - pl.col("id").shift(1) <= 1)
        begins = ~(same & follows).fill_null(value=False)
        runs = (
            ordered.with_columns(begins.cum_sum().alias("run"), pl.col("ts").dt.epoch("us"))
            .group_by("run", maintain_order=True)
            .agg(
                pl.col("instrument").first(),
                pl.col("id").first().alias("first"),
                pl.col("id").last().alias("last"),
                pl.col("ts").first().alias("start"),
                pl.col("ts").last().alias("end"),
                pl.col("epoch").first(),
            )
        )
        for instrument, first, last, start, end, at in runs.drop("run").iter_rows():
            run = Run(first=first, last=last, start=start, end=end, epoch=at)
            by_instrument.setdefault(instrument, []).append(run)
    return CapturedFacts(counts=counts, newest=newest, ids=by_instrument)


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What is known of a source when a file of it is read."""

    meaning: Meaning
    control: re.Pattern[bytes]
    channels: Mapping[str, Channel]
    """As the settings have them now, for files whose own list is damaged."""


def known(context: NodeContext, source: str) -> SourceContext:
    """What a source's messages mean."""
    feed = context.feeds[source]
    vendor = cast("StreamingVendor", context.vendors[feed.vendor])
    subscriptions = [
        Subscription(
            dataset=name,
            symbol=instrument.symbol,
            spelling=context.spellings.get(source, {}).get(instrument.symbol, ""),
        )
        for name, wanted in context.wanted.items()
        if source in wanted.live
        for instrument in wanted.instruments.values()
    ]
    streams = vendor.streams(source, subscriptions)
    return SourceContext(
        meaning=vendor.meaning(source),
        control=re.compile(streams[0].control if streams else b"(?!)"),
        channels={channel.name: channel for stream in streams for channel in stream.channels},
    )


def read(context: NodeContext, path: Path, about: SourceContext) -> DecodedJournal:
    """Everything in a file; never raises for what a vendor, a crash or a disk has made of it."""
    decoded = DecodedJournal(
        file=path.stem, source=path.parent.name, timeline=Timeline(tolerance=context.rules.clock_tolerance)
    )
    pieces: dict[str, list[pl.DataFrame]] = {}
    for bundle in _bundles(_blocks(path, decoded, about)):
        decoded.messages += len(bundle.received)
        of_bundle = stream_rows.read(bundle, about.meaning, about.control)
        decoded.unknown += of_bundle.unknown
        decoded.broken += of_bundle.broken
        for dataset, some in (*of_bundle.frames.items(), *of_bundle.recorded.items()):
            pieces.setdefault(dataset, []).extend(some)
    decoded.channels = decoded.timeline.carried
    decoded.still_live = decoded.timeline.finish()
    for dataset, some in pieces.items():
        if dataset in context.wanted:
            kinds = {shape.kind for shape in about.meaning.formats if shape.dataset == dataset}
            decoded.frames[dataset] = _clean(
                pl.concat(some, how="diagonal_relaxed"),
                context.wanted[dataset],
                decoded,
                mixed=len(kinds) > 1,
            )
    return decoded


def _blocks(path: Path, decoded: DecodedJournal, about: SourceContext) -> Iterator[Block]:
    """The blocks of a file, each once, while its marks go to the timeline."""
    timeline = decoded.timeline
    last_ns, damaged = 0, False
    numbers: dict[int, int] = {}
    for item in journal.read(path):
        if isinstance(item, JournalDamage):
            decoded.damage.append(item)
            damaged = damaged or not item.torn
            timeline.carried = timeline.carried or dict(about.channels)
            continue
        at, block = _taken(item, timeline, numbers)
        if damaged:
            timeline.damage(last_ns, at)
            damaged = False
        last_ns = max(last_ns, at)
        if block is not None:
            yield block
    timeline.carried = timeline.carried or dict(about.channels)


def _taken(record: Record, timeline: Timeline, numbers: dict[int, int]) -> tuple[int, Block | None]:
    """A record's moment (UTC nanoseconds), and its block where it is one that was not there before."""
    if record.kind is RecordKind.MARK:
        event = messages.decode_event(record.payload)
        timeline.event(event)
        return event.at, None
    if record.kind is not RecordKind.MESSAGES:
        return record.received_ns, None
    block = messages.decode_block(record.payload)
    timeline.heard(block.received[-1])
    before = numbers.get(block.connection, 0)
    if block.number <= before:
        return block.received[-1], None
    numbers[block.connection] = block.number
    return block.received[-1], block


def _bundles(blocks: Iterator[Block]) -> Iterator[stream_rows.MessageBatch]:
    """Blocks together, as many as are decoded at once."""
    waiting: list[Block] = []
    size = 0
    for block in blocks:
        waiting.append(block)
        size += len(block.body)
        if size >= _CHUNK:
            yield bundle(waiting)
            waiting, size = [], 0
    if waiting:
        yield bundle(waiting)


def bundle(blocks: Sequence[Block]) -> stream_rows.MessageBatch:
    """Blocks as they are decoded."""
    return stream_rows.bundled(
        (block.body, block.lengths, block.received, block.connection) for block in blocks
    )


def _clean(
    wide: pl.DataFrame, wanted: ConfiguredDataset, decoded: DecodedJournal, *, mixed: bool
) -> pl.DataFrame:
    """Rows of instruments that we know, as the schema wants them, each delivery's copies dealt with. `mixed` are rows out
    of messages of several kinds."""
    dataset = wanted.dataset
    by_wire = {
        channel.wire: channel.symbol
        for channel in decoded.channels.values()
        if channel.dataset == dataset.name
    }
    instruments = {instrument.symbol: instrument.instrument for instrument in wanted.instruments.values()}
    ours = pl.col("symbol").replace_strict(by_wire, default=None, return_dtype=pl.String)
    listed = ours.replace_strict(instruments, default=None, return_dtype=pl.String).alias("instrument")
    known = wide.with_columns(listed, ours.alias("ours"))
    if known["instrument"].null_count():
        strange = known.filter(pl.col("instrument").is_null()).drop("instrument", "ours")
        decoded.refused.append((strange, "rows of symbols that the dataset does not want"))
        known = known.filter(pl.col("instrument").is_not_null())
    wide = known.with_columns(pl.col("ours").alias("symbol")).drop("ours")
    frame = _sound(frames.live(wide, dataset, wanted.calendar), wanted, decoded)
    if dataset.grain == "minute":
        # Every version of a bar is kept: which one counts is decided when they are curated.
        content = [name for name in frame.columns if name not in captured.EXTRA]
        frame = frame.unique(subset=content, keep="last", maintain_order=True)
        return captured.in_order(frame)
    return captured.merged(captured.as_received(frame) if mixed else frame, dataset.schema.key)


def _sound(frame: pl.DataFrame, wanted: ConfiguredDataset, decoded: DecodedJournal) -> pl.DataFrame:
    """Take out rows that break the schema or lie on closed days; they are kept with the reason."""
    columns: Sequence[tuple[str, pl.Expr]] = [
        (f"{column.name} breaks the schema ({column.sign})", row_checks.column_breaks(column))
        for column in wanted.dataset.schema.columns
    ]
    closed = [label for label in frame["session"].unique() if wanted.calendar.day(label) != "session"]
    rules = [*columns, ("rows on a closed day", pl.col("session").is_in(closed))] if closed else columns
    if frame.is_empty():
        return frame
    broken = frame.select(rule.any().alias(str(at)) for at, (_, rule) in enumerate(rules)).row(0)
    for wrong, (reason, rule) in zip(broken, rules, strict=True):
        if wrong:
            decoded.refused.append((frame.filter(rule), reason))
            frame = frame.filter(~rule)
    return frame
