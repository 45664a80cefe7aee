"""A store of objects: whole or not there, durable, replaced at once. The same contract holds for a local folder, for a folder of
another machine and for object storage (`remote/`); `tests/lake/test_objects.py` is what an implementation must pass."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from fulltape import errors
from fulltape.lake import files

_PIECE = 1 << 20
_KEY = re.compile(r"[^/\0]+(/[^/\0]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object: its key, relative and with slashes, and its length in bytes."""

    key: str
    size: int


Content = bytes | Path | Iterable[bytes]
"""What is written: bytes, a local file, or pieces of bytes."""


class Objects(Protocol):
    """Objects by key. A key is a relative path without `.`, `..` and names that begin with `.tmp-`; `UsageError` for others.
    Where the store fails it is a `StorageError`."""

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """All objects whose keys begin with a prefix, by key; nothing that is only being written."""
        ...

    def open(self, key: str, offset: int = 0) -> BinaryIO:
        """An object's content from an offset on, as it is now, whatever is written later; `MissingObjectError` where there is
        none."""
        ...

    def write(self, key: str, content: Content, *, only_new: bool = False) -> StoredObject:
        """Write an object, whole and durable once this returns; one of that key is replaced. Where an iterable raises, nothing
        is written. With `only_new` an existing one is left alone and it is an `ObjectExistsError`: of several writers one succeeds."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object for good; nothing happens where there is none."""
        ...

    def tidy(self) -> None:
        """Remove what writers that were killed have left."""
        ...


class LocalObjects:
    """Objects as files below a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """See `Objects`."""
        paths = sorted((path.relative_to(self._root).as_posix(), path) for path in files.tree(self._root))
        for key, path in paths:
            if key.startswith(prefix) and not _is_temporary(key):
                # What is deleted while it is listed may be listed or not.
                with contextlib.suppress(FileNotFoundError):
                    state = path.lstat()
                    if stat.S_ISREG(state.st_mode):
                        yield StoredObject(key=key, size=state.st_size)

    def open(self, key: str, offset: int = 0) -> BinaryIO:
        """See `Objects`."""
        path = self._path(key)
        with _failing(path):
            if not path.is_file():
                raise errors.MissingObjectError(f"there is no {key} in {self._root}.")
            try:
                file = path.open("rb")
            except FileNotFoundError:
                raise errors.MissingObjectError(f"there is no {key} in {self._root}.") from None
            file.seek(offset)
            return file

    def write(self, key: str, content: Content, *, only_new: bool = False) -> StoredObject:
        """See `Objects`."""
        path = self._path(key)
        with _failing(path):
            if only_new:
                self._create(path, content)
            else:
                files.publish(path, lambda temporary: _fill(temporary, content))
            return StoredObject(key=key, size=path.stat().st_size)

    def delete(self, key: str) -> None:
        """See `Objects`."""
        path = self._path(key)
        with _failing(path):
            if path.is_file():
                files.remove(path)

    def tidy(self) -> None:
        """See `Objects`."""
        for path in files.tree(self._root):
            if path.name.startswith(files.TEMPORARY) and files.abandoned(path):
                path.unlink(missing_ok=True)

    def _create(self, path: Path, content: Content) -> None:
        """As `files.publish`, but never over a file that is there: a link has one winner, a rename the last one."""
        files.make_folder(path.parent)
        temporary = path.parent / f"{files.TEMPORARY}{uuid.uuid4().hex}"
        with files.cleared(temporary), temporary.open("wb") as held:
            fcntl.flock(held.fileno(), fcntl.LOCK_EX)  # as `files.publish`: it is not abandoned
            _fill(temporary, content)
            files.sync_file(temporary)
            try:
                os.link(temporary, path)
            except FileExistsError:
                raise errors.ObjectExistsError(f"{path} is there already.") from None
            finally:
                temporary.unlink()
            files.sync_folder(path.parent)

    def _path(self, key: str) -> Path:
        path = self._root.joinpath(*check_key(key).split("/"))
        inside = (
            place
            for place in (path, *path.parents)
            if place != self._root and place.is_relative_to(self._root)
        )
        with _failing(path):
            if any(place.is_symlink() for place in inside):
                raise errors.UsageError(f"{key!r} leads out of the lake.", hint="A link stands in its way.")
        return path


def check_key(key: str) -> str:
    """The key, where it can be one; else `UsageError`."""
    wrong = not _KEY.fullmatch(key) or {".", ".."} & set(key.split("/")) or _is_temporary(key)
    if wrong or not key.isprintable():
        raise errors.UsageError(f"{key!r} cannot be the key of an object.")
    return key


def pieces(content: Content) -> Iterator[bytes]:
    """The content, piece by piece; `StorageError` where a file cannot be read."""
    if isinstance(content, bytes):
        yield content
    elif isinstance(content, Path):
        with _failing(content), content.open("rb") as source:
            while piece := source.read(_PIECE):
                yield piece
    else:
        yield from content


def _is_temporary(key: str) -> bool:
    return any(part.startswith(files.TEMPORARY) for part in key.split("/"))


@contextlib.contextmanager
def _failing(path: Path) -> Iterator[None]:
    """What the disk refuses is a `StorageError`."""
    try:
        yield
    except OSError as error:
        raise errors.StorageError(f"{path}: {error.strerror or error}.") from error


def _fill(path: Path, content: Content) -> None:
    with path.open("wb") as target:
        for piece in pieces(content):
            target.write(piece)
