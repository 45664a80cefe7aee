"""Sends single files, and reads each back: only what comes back as it was is proved."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

from fulltape import errors
from fulltape.lake.objects import Objects
from fulltape.market.time import SECOND, Clock

_PIECE = 1 << 20
_TRIES = 2
_LONGEST_WAIT = 0.5


class HaltedError(Exception):
    """The run was asked to stop."""


class ChangedError(Exception):
    """A file was changed or removed while it was sent."""


class DamagedError(Exception):
    """A file does not have the content that was recorded of it."""


class Throttle:
    """What goes over the throttle, by several threads: never more than so many bytes a second (0: as many as there is room for)."""

    def __init__(self, bandwidth: int, clock: Clock, stop: threading.Event) -> None:
        self._bandwidth, self._clock, self._stop = bandwidth, clock, stop
        self._free_at = 0
        self._broken = False
        self._turn = threading.Lock()

    def break_off(self) -> None:
        """Nothing more goes over it."""
        self._broken = True

    def over(self, many: Iterator[bytes]) -> Iterator[bytes]:
        """The same pieces, each when there is room for it; `HaltedError` where the run is asked to stop."""
        for piece in many:
            self._wait(len(piece))
            yield piece

    def _wait(self, size: int) -> None:
        wait = 0.0
        if self._bandwidth:
            with self._turn:
                now = self._clock.steady()
                self._free_at = max(now, self._free_at) + size * SECOND // self._bandwidth
                wait = (self._free_at - now) / SECOND
        while wait > 0 and not self._stop.is_set():
            self._clock.sleep(min(wait, _LONGEST_WAIT))
            wait -= _LONGEST_WAIT
        self.check()

    def check(self) -> None:
        """Raise `HaltedError` where the run is asked to stop."""
        if self._stop.is_set() or self._broken:
            raise HaltedError


class Transfer:
    """Files on their way to one place, which is called `where`."""

    def __init__(self, store: Objects, where: str, throttle: Throttle) -> None:
        self._store, self._where, self._throttle = store, where, throttle

    def send(self, place: Path, key: str, *, size: int, sha256: str) -> None:
        """Have a file's content in an object, proved. `StorageError` where the place gives back something else, or fails."""
        state = _state(place)
        for _ in range(_TRIES):
            digest = hashlib.sha256()
            length = self._store.write(key, self._throttle.over(_read(place, digest))).size
            if digest.hexdigest() != sha256 or length != size:
                self._store.delete(key)
                raise (DamagedError if _state(place) == state else ChangedError)
            if self.proved(key, size=size, sha256=sha256):
                return
        self._store.delete(key)
        raise errors.StorageError(
            f"{self._where} gives back something else than was sent, {_TRIES} times in a row: {key}.",
            hint="Nothing there is trusted that was not read back. Look at that storage.",
        )

    def proved(self, key: str, *, size: int, sha256: str) -> bool:
        """Whether an object, read whole, has this content."""
        digest, length = hashlib.sha256(), 0
        try:
            with self._store.open(key) as file:
                for piece in self._throttle.over(iter(lambda: file.read(_PIECE), b"")):
                    digest.update(piece)
                    length += len(piece)
        except errors.MissingObjectError:
            return False
        return length == size and digest.hexdigest() == sha256


def sha256(place: Path, throttle: Throttle) -> str:
    """The digest of a file here; `ChangedError` where it is gone."""
    digest = hashlib.sha256()
    for _ in _read(place, digest):
        throttle.check()
    return digest.hexdigest()


def _read(place: Path, digest: hashlib._Hash) -> Iterator[bytes]:
    try:
        with place.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
                yield piece
    except FileNotFoundError:
        raise ChangedError from None
    except OSError as error:
        raise errors.StorageError(f"{place}: {error.strerror}.") from error


def _state(place: Path) -> tuple[int, int, int]:
    try:
        state = place.stat()
    except FileNotFoundError:
        return 0, 0, 0
    return state.st_ino, state.st_size, state.st_mtime_ns
