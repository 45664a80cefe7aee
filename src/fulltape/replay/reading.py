"""Recorded messages out of journals, as capture wrote them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fulltape import errors
from fulltape.contract.streams import Channel
from fulltape.lake import files, journal, messages
from fulltape.lake.journal import Record, RecordKind
from fulltape.lake.layout import CAPTURE, JOURNAL, MOMENT, SEALED
from fulltape.replay import plan
from fulltape.replay.plan import Heard, Recorded


@dataclass(frozen=True, slots=True)
class RecordedSource:
    """The files of a source, in the order in which they were written, the symbols that they carry, and `spellings` of the vendor that do not follow
    from these."""

    source: str
    paths: tuple[Path, ...]
    symbols: frozenset[str]
    spellings: frozenset[str]


def sources(root: Path, wanted: tuple[str, ...], writer: str, first: int, last: int) -> list[RecordedSource]:
    """What was captured of some sources (all: none is named) below a folder, in files WRITER/SOURCE/FILE or SOURCE/FILE, that may hold
    something between two moments (UTC nanoseconds). `UsageError` where there is nothing, or more than one writer's."""
    if not root.is_dir():
        raise errors.UsageError(f"there is no folder {root}.")
    by_place: dict[tuple[str, str], dict[str, Path]] = {}
    for path in files.tree(root):
        if path.suffix in (JOURNAL, SEALED) and (
            not writer or path.parent.parent.name in (writer, f"{writer}{CAPTURE}")
        ):
            # While a file is sealed it has both names for a moment.
            by_place.setdefault((path.parent.parent.name, path.parent.name), {})[path.stem] = path
    if writer and not by_place:
        raise errors.UsageError(f"nothing was captured by a writer {writer!r}.")
    if not by_place:
        raise errors.UsageError(
            f"nothing has been captured in {root}.",
            hint="fulltape capture takes what datasets name as live (docs/live.md).",
        )
    there = sorted({source for _, source in by_place})
    chosen = []
    for source in wanted or there:
        places = [place for place in by_place if place[1] == source]
        if not places:
            raise errors.UsageError(
                f"nothing was captured of {source}.",
                hint=f"There is {', '.join(there) or 'nothing'} in {root}.",
            )
        if len(places) > 1:
            names = ", ".join(sorted(name for name, _ in places))
            raise errors.UsageError(
                f"{source} was captured by several writers: {names}.", hint="Name one by --writer."
            )
        ordered = [path for _, path in sorted(by_place[places[0]].items())]
        begins = [_begin(path) for path in ordered]
        paths = tuple(ordered[at] for at in plan.files_within(begins, first, last))
        channels = [channel for path in paths for channel in _channels(path)]
        if paths and not channels:  # the begin of the file is damaged: others tell what is captured
            channels = [channel for path in ordered for channel in _channels(path)]
        if channels:
            symbols = frozenset(channel.symbol for channel in channels)
            spellings = frozenset(_plain(channel.wire) for channel in channels if not _follows(channel))
            chosen.append(RecordedSource(source, paths, symbols, spellings))
    if not chosen:
        raise nothing()
    return chosen


def nothing() -> errors.UsageError:
    """What is said where there is nothing to play."""
    return errors.UsageError(
        "nothing was captured in this time.", hint="fulltape streams shows what is captured, and since when."
    )


def recorded(source: RecordedSource) -> Iterator[Recorded]:
    """Everything in the files of a source, as it lies there; a block that is there twice, also in two files, comes once."""
    numbers: dict[int, int] = {}
    for path in source.paths:
        for record in _records(path):
            if record.kind is RecordKind.MARK:
                yield messages.decode_event(record.payload)
            elif record.kind is RecordKind.MESSAGES:
                block = messages.decode_block(record.payload)
                if block.number > numbers.get(block.connection, 0):
                    numbers[block.connection] = block.number
                    for at, content in zip(block.received, block.messages(), strict=True):
                        yield Heard(at, block.connection, content)


def _records(path: Path) -> Iterator[Record]:
    """The records of a journal that can be read; it may have been sealed since it was listed."""
    now = path if path.is_file() else path.with_suffix(SEALED)
    try:
        for record in journal.read(now):
            if isinstance(record, Record):
                yield record
    except errors.StorageError:
        sealed = path.with_suffix(SEALED)
        if now == sealed or path.is_file() or not sealed.is_file():
            raise
        # It was opened at the very moment in which it got its other name: nothing of it was read.
        yield from _records(sealed)


def _begin(path: Path) -> int:
    """When a file was begun, by its name, in UTC nanoseconds."""
    try:
        moment = dt.datetime.strptime(path.stem.partition("-")[0], MOMENT).replace(tzinfo=dt.UTC)
    except ValueError:
        raise errors.UsageError(
            f"{path} is not named like a journal: when it was begun is not known."
        ) from None
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1) * 1_000


def _plain(wire: str) -> str:
    """A vendor's spelling as far as simulated vendors take it for a symbol."""
    return wire.replace("-", "/").removeprefix("frx")


def _follows(channel: Channel) -> bool:
    """Whether the vendor's spelling is the symbol, but for what lies between a pair."""
    plain = _plain(channel.wire)
    return plain.upper() in (channel.symbol.upper(), channel.symbol.replace("/", "").upper())


def _channels(path: Path) -> Iterator[Channel]:
    """What a file says at its begin that it carries."""
    for record in _records(path):
        if record.kind is RecordKind.MARK:
            event = messages.decode_event(record.payload)
            if event.what == "opened":
                yield from event.carried
                return
