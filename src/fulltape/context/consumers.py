"""Consumers of live messages: each reads behind the writer, and what one has not read yet is kept for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fulltape.context import NodeContext
from fulltape.lake import tail
from fulltape.lake.journal import Record
from fulltape.lake.tail import Bookmark
from fulltape.ledger.consumers import ConsumerState
from fulltape.market.time import Clock, Instant


class Consumer:
    """One consumer of one source's journals. What it has read and not acknowledged it reads again after a crash. Without
    anything acknowledged it begins with the oldest journal that is there."""

    def __init__(self, context: NodeContext, name: str, source: str, clock: Clock) -> None:
        self._context, self._name, self._source, self._clock = context, name, source, clock
        known = context.ledger.consumers.get(name, source)
        self._read = _bookmark(known) if known else Bookmark()
        if known is None:
            self.acknowledge()

    def read(self) -> Iterator[Record]:
        """Records that were not read yet, in the order in which they were written; ends where nothing more is there yet."""
        unread = tail.read(self._context.layout, self._context.capture_writer, self._source, self._read)
        for record, bookmark in unread:
            self._read = bookmark
            yield record

    def acknowledge(self) -> None:
        """Everything that was read is dealt with for good."""
        with self._context.ledger.write():
            self._context.ledger.consumers.move(
                self._name, self._source, self._read.file, self._read.offset, now=self._clock.now()
            )


def wanted(context: NodeContext, path: Path, source: str, now: Instant) -> bool:
    """Whether a consumer has not read all of a journal yet, and has been there within `retention.consumers`."""
    since = now - context.rules.retention.consumers
    return any(
        consumer.moved_at >= since and not tail.passed(path, _bookmark(consumer))
        for consumer in context.ledger.consumers.of(source)
    )


def _bookmark(known: ConsumerState) -> Bookmark:
    return Bookmark(file=known.file, offset=known.offset)
