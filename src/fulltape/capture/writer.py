"""One thread a source that makes messages durable: write, fdatasync, rotate. A slow or full disk holds up no socket."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fulltape import clock as clocks
from fulltape import errors
from fulltape.capture.queue import MessageQueue
from fulltape.contract.events import ConnectionEvent
from fulltape.contract.redaction import Redaction
from fulltape.contract.streams import Channel
from fulltape.lake import messages
from fulltape.lake.journal import Journal, RecordKind
from fulltape.lake.layout import Layout
from fulltape.lake.messages import Block
from fulltape.market.time import Clock
from fulltape.version import VERSION

_TRY_AGAIN = 1.0
"""Seconds between tries of a disk that refuses."""
Synced = Callable[[Sequence[Block | ConnectionEvent], int], None]


@dataclass(slots=True)
class Written:
    """What a writer has made durable so far, for observers; `lag` is the longest wait of a message from its receipt until
    it was durable, in the last sync, in seconds."""

    messages: int = 0
    bytes: int = 0
    syncs: int = 0
    files: int = 0
    lag: float = 0.0
    trouble: str = ""


@dataclass(slots=True)
class Rotation:
    """When a file is closed so that it can be sealed."""

    every: float
    bytes: int


class Writer:
    """Takes from a queue what one source delivered, and owns that source's journal."""

    def __init__(
        self,
        layout: Layout,
        *,
        writer: str,
        source: str,
        clock: Clock,
        queue: MessageQueue,
        rotation: Rotation,
        carried: Callable[[], Sequence[Channel]],
        redaction: Redaction,
        delay: int = 0,
        synced: Synced | None = None,
        after: str = "",
    ) -> None:
        self._layout, self._writer, self._source, self._clock = layout, writer, source, clock
        self._queue, self._rotation, self._synced = queue, rotation, synced
        self._carried, self._delay, self._redaction = carried, delay, redaction
        self._live: dict[int, set[str]] = {}
        self.written = Written()
        self._journal: Journal | None = None
        self._opened_at = 0.0
        self._before = ""
        self._newest = after
        self._due = threading.Event()
        self._pending: list[Block | ConnectionEvent] = []
        self._thread = threading.Thread(target=self._run, name=f"journal-{source}", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def rotate(self) -> None:
        """Close the file soon, so that what lies in it can be sealed."""
        self._due.set()

    def join(self) -> None:
        """Wait until everything that was put before the queue's end is durable."""
        self._thread.join()

    @property
    def path(self) -> Path | None:
        """The file that is written at the moment."""
        return self._journal.path if self._journal else None

    def _run(self) -> None:
        over = False
        while not over:
            items, urgent, over = self._queue.take()
            if self._write(items) and (not (urgent or over) or self._sync()) and (over or self._is_due()):
                self._close()

    def _write(self, items: list[Block | ConnectionEvent]) -> bool:
        """Write all of it; on a disk that refuses, what is not written yet waits again."""
        for at, item in enumerate(items):
            try:
                self._append(item)
            except Exception as error:  # noqa: BLE001 — whatever it is, what was received waits and is tried again
                self._refused(error)
                self._queue.give_back(items[at:], self._clock.now() * 1_000)
                return False
        self.written.trouble = ""
        return True

    def _refused(self, error: Exception) -> None:
        self.written.trouble = str(error)
        if not self._queue.closed:
            clocks.pause(_TRY_AGAIN)

    def _append(self, item: Block | ConnectionEvent) -> None:
        journal = self._open()
        if isinstance(item, ConnectionEvent):
            journal.append(RecordKind.MARK, self._redaction.masked(messages.encode_event(item)))
            self._note(item)
        else:
            # Whatever kind a message is of: no secret goes beyond this door.
            masked = self._redaction.masked(item.body)
            item = item if masked is item.body else replace(item, body=masked)
            journal.append(RecordKind.MESSAGES, *messages.encode_block(item))
        self._pending.append(item)

    def _note(self, event: ConnectionEvent) -> None:
        """Who is live, as far as it is written: the next file's head must not know more than the marks before it."""
        if event.what == "confirmed":
            self._live.setdefault(event.connection, set()).update(event.channels)
        elif event.what == "stale":
            self._live.get(event.connection, set()).difference_update(event.channels)
        elif event.what in ("disconnected", "closed"):
            self._live.pop(event.connection, None)

    def _open(self) -> Journal:
        if self._journal is None:
            journal = Journal(
                self._layout, writer=self._writer, source=self._source, clock=self._clock, after=self._newest
            )
            head = ConnectionEvent(
                what="opened",
                at=self._clock.now() * 1_000,
                carried=tuple(self._carried()),
                follows=self._before,
                live={connection: tuple(sorted(names)) for connection, names in self._live.items() if names},
                software=f"fulltape {VERSION}",
                delay=self._delay,
            )
            try:
                journal.append(RecordKind.MARK, messages.encode_event(head))
            except errors.StorageError:
                journal.discard()
                raise
            self._journal, self._opened_at = journal, clocks.steady_seconds()
            self._before = self._newest = journal.path.stem
            self.written.files += 1
        return self._journal

    def _sync(self) -> bool:
        """Make everything written durable. What a disk could not hold may be lost even if a later try succeeds, so it is
        written again, into another file; blocks that are there twice are known by their numbers."""
        if self._journal is None or not self._pending:
            return True
        pending, self._pending = self._pending, []
        try:
            self._journal.sync()
        except OSError as error:
            self._journal.abandon()
            self._journal = None
            self._refused(error)
            self._queue.give_back(pending, self._clock.now() * 1_000)
            return False
        now = self._clock.now() * 1_000
        self.written.syncs += 1
        for item in pending:
            if isinstance(item, Block):
                self.written.messages += len(item.lengths)
                self.written.bytes += len(item.body)
        first = min((item.received[0] for item in pending if isinstance(item, Block)), default=now)
        self.written.lag = (now - first) / 1e9
        if self._synced:
            self._synced(pending, now)
        return True

    def _is_due(self) -> bool:
        if self._journal is None:
            return False
        aged = clocks.steady_seconds() - self._opened_at >= self._rotation.every
        return self._due.is_set() or aged or self._journal.size >= self._rotation.bytes

    def _close(self) -> None:
        self._due.clear()
        if self._sync() and self._journal is not None:
            self._journal.close()
            self._journal = None
