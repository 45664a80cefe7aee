"""The journal: checksummed records that everything reaches first.

Record: `[magic 4][length u32][xxh3-64 over length and everything after][receive time ns i64][kind u8][payload]`,
little endian; `length` counts what follows the checksum. A record is *acknowledged* once `sync` has returned. After a
crash a file is read, never appended to. Reading finds torn and flipped records by their checksum and goes on at the
next magic that verifies.

A journal's file by the end of its name:

    unborn --locked--> journal            it grows
    journal --sealed--> packed            its rows are committed; it is written packed beside itself
    packed --renamed--> sealed            it stays until history has confirmed it, and every consumer has read it

A journal of pages has no other end than its removal. A journal that is whole and closed may be packed: then each of its records holds a stretch of the records that were, compressed.
Offsets are always those of the file as it was written.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import mmap
import os
import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path

import xxhash

from fulltape import errors
from fulltape.lake import compression, files
from fulltape.lake.layout import MOMENT, Layout
from fulltape.market.time import Clock, Instant, from_datetime, to_datetime

MAGIC = b"\xf7tj1"
_HEAD = struct.Struct("<4sIQ")
_LENGTH = struct.Struct("<I")
_BODY = struct.Struct("<qB")
_STRETCH = struct.Struct("<QI")
"""Where a packed stretch begins in the file as it was written, and its length there."""
_STRETCH_BYTES = 1_000_000
"""So long it is at least: so much a damage costs."""
LONGEST = 512 * 1024 * 1024
"""No record is longer; a length beyond it is damage."""


Content = bytes | memoryview
"""One byte an item."""


class RecordKind(IntEnum):
    """What a record is about. Live messages lie many in a record (see `messages.py`)."""

    FETCH = 1
    PAGE = 2
    END = 3
    MESSAGES = 4
    MARK = 5
    PACKED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record and where it lies."""

    kind: RecordKind
    received_ns: int
    payload: bytes
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalDamage:
    """Bytes that belong to no verifiable record; `torn` when they are the end of the file."""

    offset: int
    length: int
    torn: bool


def encoded(kind: RecordKind, received_ns: int, *payload: Content) -> tuple[Content, ...]:
    """The bytes of one record, in pieces that were not copied; `StorageError` for one that is too long to be read
    again."""
    length = _BODY.size + sum(len(piece) for piece in payload)
    if length > LONGEST:
        raise errors.StorageError(f"a record of {length:,} bytes is too long for the journal.")
    body = _BODY.pack(received_ns, kind)
    digest = xxhash.xxh3_64(_LENGTH.pack(length))
    digest.update(body)
    for piece in payload:
        digest.update(piece)
    return _HEAD.pack(MAGIC, length, digest.intdigest()) + body, *payload


def encode(kind: RecordKind, received_ns: int, payload: bytes) -> bytes:
    """The same in one."""
    return b"".join(encoded(kind, received_ns, payload))


def scan(data: bytes | mmap.mmap) -> Iterator[Record | JournalDamage]:
    """Every verifiable record, and the damage between them, in the order of the file."""
    at = bad_from = 0
    end = len(data)
    while at < end:
        record = _record_at(data, at, end)
        if record is None:
            following = data.find(MAGIC, at + 1)
            at = end if following < 0 else following
            continue
        if bad_from < at:
            yield JournalDamage(offset=bad_from, length=at - bad_from, torn=False)
        yield record
        at = bad_from = at + _HEAD.size + _BODY.size + len(record.payload)
    if bad_from < end:
        yield JournalDamage(offset=bad_from, length=end - bad_from, torn=True)


def _record_at(data: bytes | mmap.mmap, at: int, end: int) -> Record | None:
    if end - at < _HEAD.size + _BODY.size:
        return None
    magic, length, digest = _HEAD.unpack(data[at : at + _HEAD.size])
    stop = at + _HEAD.size + length
    if magic != MAGIC or not _BODY.size <= length <= LONGEST or stop > end:
        return None
    body = data[at + _HEAD.size : stop]
    if xxhash.xxh3_64_intdigest(_LENGTH.pack(length) + body) != digest:
        return None
    received_ns, kind = _BODY.unpack_from(body)
    if kind not in RecordKind.__members__.values():
        return None
    return Record(kind=RecordKind(kind), received_ns=received_ns, payload=body[_BODY.size :], offset=at)


def _unpacked(data: mmap.mmap, since: int = 0) -> Iterator[tuple[bytes, int] | JournalDamage]:
    """The stretches of a packed journal that end after an offset, each with the offset at which it begins."""
    for record in scan(data):
        if isinstance(record, JournalDamage):
            yield record
        elif record.kind is RecordKind.PACKED:
            base, length = _STRETCH.unpack_from(record.payload)
            if base + length > since:
                yield compression.unpack(record.payload[_STRETCH.size :]), base


def _is_packed(data: mmap.mmap) -> bool:
    first = next((record for record in scan(data) if isinstance(record, Record)), None)
    return first is not None and first.kind is RecordKind.PACKED


def _everything(data: mmap.mmap) -> Iterator[Record | JournalDamage]:
    if not _is_packed(data):
        yield from scan(data)
        return
    for stretch in _unpacked(data):
        if isinstance(stretch, JournalDamage):
            yield stretch
        else:
            content, base = stretch
            yield from (replace(record, offset=base + record.offset) for record in scan(content))


def pack(path: Path, target: Path) -> None:
    """Write a whole, closed journal to `target`, packed and durable; one that is packed is copied as it is. `StorageError`
    where records of it cannot be read: such a file stays as it is."""
    files.publish(target, lambda temporary: _pack(path, temporary))


def _pack(path: Path, target: Path) -> None:
    with path.open("rb") as file, target.open("wb") as out:
        if os.fstat(file.fileno()).st_size == 0:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if _is_packed(data):
                out.write(data)
                return
            start = 0
            for record in scan(data):
                if isinstance(record, JournalDamage):
                    raise errors.StorageError(f"the journal {path} is damaged and is not packed.")
                end = record.offset + _HEAD.size + _BODY.size + len(record.payload)
                if end - start >= _STRETCH_BYTES or end == len(data):
                    head = _STRETCH.pack(start, end - start)
                    out.write(encode(RecordKind.PACKED, 0, head + compression.pack(data[start:end])))
                    start = end


def read(path: Path) -> Iterator[Record | JournalDamage]:
    """`scan` of a file, also of a packed one; raises `StorageError` if it cannot be opened."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                yield from _everything(data)
    except OSError as error:
        raise errors.StorageError(f"the journal {path} cannot be read: {error.strerror}.") from error


def follow(path: Path, offset: int) -> Iterator[tuple[Record, int]]:
    """The records of a growing file from an offset on, each with the offset after it; ends where nothing whole is there
    yet, so that it can be called again."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if not _is_packed(data):
                yield from _following(data, offset)
                return
            for stretch in _unpacked(data, since=offset):
                if not isinstance(stretch, JournalDamage):
                    content, base = stretch
                    for record, after in _following(content, max(0, offset - base)):
                        yield replace(record, offset=base + record.offset), base + after


def _following(data: bytes | mmap.mmap, offset: int) -> Iterator[tuple[Record, int]]:
    at, end = offset, len(data)
    while at < end:
        record = _record_at(data, at, end)
        if record is None:
            following = data.find(MAGIC, at + 1)
            if following < 0:
                return
            at = following
            continue
        at += _HEAD.size + _BODY.size + len(record.payload)
        yield record, at


_EDGE = 4_096


def edges(path: Path) -> tuple[int, str]:
    """How many bytes a closed file has, and a digest of its first and last ones: cheap, and enough to notice one that was
    cut, or swapped for another; what lies between has checksums of its own."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        first = file.read(_EDGE)
        file.seek(max(0, size - _EDGE))
        return size, xxhash.xxh3_64_hexdigest(first + file.read(_EDGE))


def in_use(path: Path) -> bool:
    """Whether a living writer holds the file."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _later(now: Instant, newest: str) -> Instant:
    """A moment after that in a journal's name, now if that is later."""
    try:
        moment = dt.datetime.strptime(newest.partition("-")[0], MOMENT).replace(tzinfo=dt.UTC)
    except ValueError:
        return now
    return max(now, from_datetime(moment) + 1)


class Journal:
    """One growing file of one writer and source. Not thread-safe: one thread owns it.

    `append` hands the bytes to the kernel at once, so that a killed process loses nothing; `sync` makes them survive
    a power cut, and a caller that waits for a network syncs first.
    """

    def __init__(self, layout: Layout, *, writer: str, source: str, clock: Clock, after: str = "") -> None:
        """`after`: the name, without its ending, of a journal of the past that may be gone; its own name comes later, as it
        does than those of all that are there, whatever the clock says by now: readers go by the order of names."""
        self._clock = clock
        newest = max((after, *(path.stem for path in layout.stream_files(writer, source))))
        self.path = layout.journal(writer, source, to_datetime(_later(clock.now(), newest)), uuid.uuid4().hex)
        files.make_folder(self.path.parent)
        # Locked before it has a name that others look for, so that it is not taken for a leftover.
        unborn = self.path.with_suffix(".unborn")
        self._fd = os.open(unborn, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        unborn.rename(self.path)
        files.sync_folder(self.path.parent)
        self.size = 0
        self._synced_size = 0

    def append(self, kind: RecordKind, *payload: Content) -> int:
        """Write one record, whose payload may come in pieces, and return its offset; on a full disk the file ends where
        it ended before."""
        offset = self.size
        pieces = encoded(kind, self._clock.now() * 1_000, *payload)
        size = sum(len(piece) for piece in pieces)
        try:
            written = os.writev(self._fd, pieces)
            if written < size:
                rest = b"".join(pieces)
                while written < size:
                    written += os.write(self._fd, rest[written:])
        except OSError as error:
            os.ftruncate(self._fd, offset)
            raise errors.StorageError(
                f"the journal {self.path} cannot grow: {error.strerror}.", hint="Make room on the disk."
            ) from error
        self.size = offset + size
        return offset

    def sync(self) -> None:
        """Return once everything appended so far survives a power cut."""
        if self._synced_size < self.size:
            os.fdatasync(self._fd)
            self._synced_size = self.size

    def close(self) -> None:
        """Sync and let go of the file."""
        self.sync()
        os.close(self._fd)

    def abandon(self) -> None:
        """Let go of a file that could not be made durable, but for what was: all else is written again elsewhere."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, self._synced_size)
        os.close(self._fd)

    def discard(self) -> None:
        """Let go of a file that holds nothing, and remove it."""
        self.abandon()
        files.remove(self.path)
