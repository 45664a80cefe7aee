"""Durable files: written under a temporary name, fsynced, renamed, and the folder fsynced."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from fulltape import errors

TEMPORARY = ".tmp-"


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def tree(root: Path) -> list[Path]:
    """Every file below a folder, by path."""
    return sorted(Path(folder) / name for folder, _, names in os.walk(root) for name in names)


def sync_tree(root: Path) -> None:
    """Make a folder's files and names durable, from the leaves up. A file that has another name elsewhere was made durable
    when it was published, and is left alone."""
    for folder, _, names in os.walk(root, topdown=False):
        for name in names:
            with (Path(folder) / name).open("rb") as file:
                if os.fstat(file.fileno()).st_nlink == 1:
                    os.fsync(file.fileno())
        sync_folder(Path(folder))


def make_folder(folder: Path) -> None:
    """Create a folder and its parents durably."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


@contextlib.contextmanager
def alone(path: Path, doing: str) -> Iterator[None]:
    """Hold a lock file while the block runs; `BusyError` where another process holds it. It is freed when we die."""
    make_folder(path.parent)
    with path.open("w") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise errors.BusyError(
                f"{doing} is already under way.", hint="Stop it first, or leave it."
            ) from None
        yield


@contextlib.contextmanager
def cleared(temporary: Path) -> Iterator[None]:
    """Remove a temporary file if the block fails; what the disk refuses is a `StorageError`."""
    try:
        yield
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise errors.StorageError(
            f"{error.filename or temporary} could not be written: {error.strerror or error}.",
            hint="Check space and rights of the disk.",
        ) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync_file(path: Path) -> None:
    """Make a file's content durable."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def publish(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file beside `path`, then make it durable and give it its name.

    After a crash there is the whole file or none; a file of that name is replaced whole. A temporary file that a kill leaves
    behind is told from others by its lock (`abandoned`).
    """
    make_folder(path.parent)
    temporary = path.parent / f"{TEMPORARY}{uuid.uuid4().hex}"
    with cleared(temporary), temporary.open("wb") as held:
        fcntl.flock(held.fileno(), fcntl.LOCK_EX)
        write(temporary)
        sync_file(temporary)
        temporary.rename(path)
        sync_folder(path.parent)


def abandoned(temporary: Path) -> bool:
    """Whether a temporary file of `publish` has no writer any more."""
    try:
        with temporary.open("rb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        return False
    return True


def publish_bytes(path: Path, content: bytes) -> None:
    """Write `content` durably under `path`."""
    publish(path, lambda temporary: _write(temporary, content))


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def remove(path: Path) -> None:
    """Remove a file durably; nothing happens if it is gone."""
    if path.exists():
        path.unlink()
        sync_folder(path.parent)


def sha256(path: Path) -> str:
    """The file's digest in hex, read in chunks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
