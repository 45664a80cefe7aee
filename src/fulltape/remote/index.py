"""The index of a place that a node's files are sent to: which file lies there under which key, with which content.

Objects there never change: a file of the catalogue has its own name as key, since that names its content, every other one its
digest. `index.json` names the newest index; it is written last, so that all that it lists is there.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from fulltape import errors
from fulltape.lake import compression
from fulltape.lake.objects import Objects
from fulltape.market.time import Instant, iso

POINTER = "index.json"
CLAIM = "node.json"
"""Written first, by whichever node is first: a place is for one node alone."""
FOLDERS = ("lake/", "objects/", "index/")
"""What a node writes there, beside the pointer."""
LAKE = "lake/"
"""Before the paths of files of the lake; others are those of the node's folder."""
_ALWAYS = ("lake/node.json", "lake/knowledge.zst")
SETTINGS = "fulltape.toml"
LEDGER = "ledger.db.zst"
"""A copy of the ledger, compressed."""
_KEPT = 2
_LONGEST = 1 << 30


class IndexedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a node (`path`), and the object that has its content. `gone`: since which day, in UTC, the node has it no more; ''
    while it has it. `doubted`: the object was not there, or not whole, when it was looked for last."""

    path: str
    key: str
    bytes: int
    sha256: str
    gone: str = ""
    doubted: bool = False


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


def write(store: Objects, index: SyncIndex, where: str, now: Instant) -> None:
    """Write an index, read it back, and name it as the newest one; of older ones one is kept."""
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


def claim(store: Objects, node: str, where: str) -> None:
    """Take an empty place for a node; `StorageError` where another one has it."""
    with contextlib.suppress(errors.ObjectExistsError):
        store.write(CLAIM, msgspec.json.encode({"node": node}) + b"\n", only_new=True)
    first = owner(store)
    if first != node:
        raise errors.StorageError(
            f"{where} is the place of another node ({first[:8]}).", hint="Give each node a place of its own."
        )


def owner(store: Objects) -> str:
    """The node that has taken a place; '' where none has, or where that cannot be read."""
    try:
        with store.open(CLAIM) as file:
            return msgspec.json.decode(file.read(1 << 20), type=dict[str, str]).get("node", "")
    except (errors.MissingObjectError, msgspec.DecodeError):
        return ""


def kept(store: Objects, where: str) -> set[str]:
    """The keys of the indexes that are kept."""
    pointer = _pointer(store, where)
    return {pointer.index, *pointer.before} if pointer else set()


def older(store: Objects, node: str, listed: Iterable[str], where: str) -> list[SyncIndex]:
    """Indexes of a node that can be read, the newest first, where none is named any more."""
    indexes = []
    for key in sorted((key for key in listed if key.startswith("index/")), reverse=True):
        try:
            with store.open(key) as file:
                there = _parsed(file.read(_LONGEST), where)
        except (errors.MissingObjectError, errors.BundleError):
            continue
        if there.node == node:
            indexes.append(there)
    return indexes


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
    """Whether a file is sent, by patterns. They choose among the files of the lake; without what names the node, and what only its ledger
    knows, none comes back."""
    if not path.startswith(LAKE) or path in _ALWAYS:
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
        pieces = file.path.split("/")
        if {"", ".", ".."} & set(pieces) or not file.path.isprintable() or "\\" in file.path:
            raise _damaged(where, f"it names {file.path!r}")
    return index


def _damaged(where: str, what: str) -> errors.BundleError:
    return errors.BundleError(
        f"the index of {where} is damaged: {what}.",
        hint="fulltape sync --anew reads back what is there, and writes a new one; nothing there is removed.",
    )
