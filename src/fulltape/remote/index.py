"""The index of a place that a node's files are sent to: which file lies there under which key, with which content.

Objects there never change: a file of the catalogue has its own name as key, since that names its content, every other one its
digest. `index.json` names the newest index; it is written last, so that all that it lists is there.
"""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from fulltape import errors
from fulltape.lake import compression
from fulltape.lake.objects import Objects
from fulltape.market.time import Instant, iso

POINTER = "index.json"
FOLDERS = ("lake/", "objects/", "index/")
"""What a node writes there, beside the pointer."""
LAKE = "lake/"
"""Before the paths of files of the lake; others are those of the node's folder."""
SETTINGS = "fulltape.toml"
LEDGER = "ledger.db.zst"
"""A copy of the ledger, compressed."""
_KEPT = 2
_LONGEST = 1 << 30


class IndexedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a node (`path`), and the object that has its content. `gone`: since which day, in UTC, the node has it no more; ''
    while it has it."""

    path: str
    key: str
    bytes: int
    sha256: str
    gone: str = ""


class SyncIndex(msgspec.Struct, frozen=True, kw_only=True):
    """What a node had at a moment, all of it read back from this place and found whole."""

    node: str
    made_at: str
    software: str
    files: tuple[IndexedFile, ...]
    waiting: int = 0
    """Files that were still to be sent."""
    format: int = 1


class _Pointer(msgspec.Struct, frozen=True, kw_only=True):
    node: str
    made_at: str
    index: str
    sha256: str
    before: tuple[str, ...] = ()
    """Keys of older indexes that are kept."""


def read(store: Objects, where: str) -> SyncIndex | None:
    """The newest index; None where nothing was sent yet. `BundleError` where it is damaged."""
    pointer = _pointer(store, where)
    if pointer is None:
        return None
    try:
        with store.open(pointer.index) as file:
            body = file.read(_LONGEST)
    except errors.MissingObjectError:
        raise _damaged(where, f"{pointer.index} is gone") from None
    if hashlib.sha256(body).hexdigest() != pointer.sha256:
        raise _damaged(where, f"{pointer.index} is not what {POINTER} says")
    return _parsed(body, where)


def write(store: Objects, index: SyncIndex, where: str, now: Instant) -> tuple[str, ...]:
    """Write an index, read it back, and name it as the newest one. Returns the keys of indexes that are needed no more."""
    body = compression.pack(msgspec.json.encode(index))
    digest = hashlib.sha256(body).hexdigest()
    moment = iso(now)[:19].replace("-", "").replace(":", "")
    key = f"index/{moment}-{digest[:16]}.json.zst"
    store.write(key, body)
    before = _pointer(store, where)
    older = () if before is None or before.index == key else (before.index, *before.before)
    pointer = _Pointer(
        node=index.node, made_at=index.made_at, index=key, sha256=digest, before=older[: _KEPT - 1]
    )
    with store.open(key) as file:
        if hashlib.sha256(file.read(_LONGEST)).hexdigest() != digest:
            raise errors.StorageError(f"{where} gives back another index than was written.")
    store.write(POINTER, msgspec.json.encode(pointer) + b"\n")
    if _pointer(store, where) != pointer:
        raise errors.StorageError(f"{where} gives back another {POINTER} than was written.")
    return older[_KEPT - 1 :]


def previous(store: Objects, where: str) -> Iterator[SyncIndex]:
    """Older indexes that are still kept, as far as they can be read."""
    pointer = _pointer(store, where)
    for key in pointer.before if pointer else ():
        try:
            with store.open(key) as file:
                yield _parsed(file.read(_LONGEST), where)
        except (errors.MissingObjectError, errors.BundleError):
            continue


def keys(indexes: Iterable[SyncIndex]) -> set[str]:
    """The objects that indexes need."""
    return {file.key for index in indexes for file in index.files}


def sends(path: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    """Whether a file is sent, by patterns; settings and ledger are not left out by them."""
    if path in (SETTINGS, LEDGER):
        return True
    chosen = not include or any(fnmatch.fnmatchcase(path, pattern) for pattern in include)
    return chosen and not any(fnmatch.fnmatchcase(path, pattern) for pattern in exclude)


def object_key(sha256: str) -> str:
    """The key of content without a name of its own."""
    return f"objects/{sha256[:2]}/{sha256}"


def _pointer(store: Objects, where: str) -> _Pointer | None:
    try:
        with store.open(POINTER) as file:
            return msgspec.json.decode(file.read(1 << 20), type=_Pointer)
    except errors.MissingObjectError:
        return None
    except msgspec.DecodeError as error:
        raise _damaged(where, f"{POINTER} cannot be read: {error}") from None


def _parsed(body: bytes, where: str) -> SyncIndex:
    try:
        index = msgspec.json.decode(compression.unpack(body), type=SyncIndex)
    except (compression.Broken, msgspec.DecodeError) as error:
        raise _damaged(where, f"an index cannot be read: {error}") from None
    for file in index.files:
        if file.path.startswith("/") or ".." in file.path.split("/"):
            raise _damaged(where, f"it names {file.path!r}")
    return index


def _damaged(where: str, what: str) -> errors.BundleError:
    return errors.BundleError(
        f"the index of {where} is damaged: {what}.",
        hint="Remove index.json there, and run fulltape sync --anew: what is whole there is not sent again.",
    )
