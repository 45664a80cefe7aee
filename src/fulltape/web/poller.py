"""One thread reads the node for all pages: small files every second, the ledger when it has changed, not too often."""

from __future__ import annotations

import threading

import msgspec

from fulltape import clock, errors
from fulltape.clock import SystemClock
from fulltape.context import LEDGER
from fulltape.ledger import sqlite
from fulltape.market.time import SECOND
from fulltape.settings.load import Loaded
from fulltape.web import snapshot
from fulltape.web.snapshot import NodeCounts, Snapshot

_EVERY = 1.0
_STALE = 20 * SECOND
"""What was seen longer ago says nothing of now."""
_SHARE = 20
"""The ledger is read at most for a twentieth of the time,"""
_LEAST, _MOST = 5.0, 60.0
"""seconds after the last time at the earliest, and where nothing has changed."""


class Poller:
    """Keeps the newest snapshot; `read` may be called from any thread."""

    def __init__(self, loaded: Loaded, *, every: float = _EVERY) -> None:
        self._loaded, self._every = loaded, every
        self._clock = SystemClock()
        self._stop = threading.Event()
        self._counts: NodeCounts | None = None
        self._counted_at = float("-inf")
        self._mark: object = None
        self._problem = ""
        self._newest = snapshot.moment(loaded, self._clock.now(), None, "")
        self.version = 0
        """Grows with every change of what is shown."""
        self._thread = threading.Thread(target=self._run, name="poller", daemon=True)

    @property
    def newest(self) -> Snapshot:
        """What is known of the node; `stale` where it could not be looked at for a while."""
        seen = self._newest
        if self._clock.now() - seen.at <= _STALE:
            return seen
        return msgspec.structs.replace(seen, stale=True, problem=self._problem or seen.problem)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()

    def look(self) -> None:
        """Read what is to be read now."""
        now = clock.steady_seconds()
        took = self._counts.took if self._counts else 0.0
        waited = now - self._counted_at
        mark = self._changed()
        if waited >= _MOST or (waited >= max(_LEAST, _SHARE * took) and mark != self._mark):
            self._mark, self._counted_at = mark, now
            self._problem = self._count()
        seen = snapshot.moment(self._loaded, self._clock.now(), self._counts, self._problem)
        if _shown(seen) != _shown(self._newest):
            self.version += 1
        self._newest = seen

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 — what cannot be read now may be readable in a moment
                self._problem = f"the node cannot be looked at: {type(error).__name__}: {error}"
            self._stop.wait(self._every)

    def _count(self) -> str:
        """Read the ledger; why that was not possible, '' where it was."""
        try:
            self._counts = snapshot.counted(self._loaded, self._clock)
        except errors.FulltapeError as error:
            return str(error)
        except OSError as error:
            return f"{error.filename or error}: {error.strerror or 'is not there yet'}"
        return ""

    def _changed(self) -> object:
        """What is another value once the ledger has changed; on a server that is not known, and it is read by time."""
        if self._loaded.ledger_url:
            return clock.steady_seconds() // _LEAST
        return sqlite.mark(self._loaded.folder / LEDGER)


def _shown(seen: Snapshot) -> tuple[object, ...]:
    """What a page would show another way: not that time passes."""
    service = msgspec.structs.replace(seen.service, at=0) if seen.service else None
    counts = msgspec.structs.replace(seen.counts, at=0, took=0.0) if seen.counts else None
    return (
        service,
        seen.capture and seen.capture.at // 5_000_000,
        counts,
        seen.problem,
        seen.runs[:1],
    )
