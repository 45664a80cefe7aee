"""One place: what it should have, what it has, and its index."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from fulltape import errors
from fulltape.context import NodeContext
from fulltape.lake.objects import Objects
from fulltape.ledger.sent import SentFile
from fulltape.market.time import Clock, iso
from fulltape.remote import address, index
from fulltape.remote.index import IndexedFile, SyncIndex
from fulltape.remote.ssh import SshObjects
from fulltape.sync import plan
from fulltape.sync.transfer import Transfer
from fulltape.version import VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPlace:
    """What a place has: objects and their bytes; files that are there (`before`: of its index, or sent and read back before there was
    one) and such that are not, or not whole (`lost`); what the ledger noted; content (`spare`) that was sent for a
    path of which the index has another one. `trusted`: whether its index could be read, so that what
    it does not name is needed no more."""

    listed: dict[str, int]
    before: tuple[IndexedFile, ...] = ()
    lost: tuple[IndexedFile, ...] = ()
    noted: dict[str, SentFile] = field(default_factory=dict)
    spare: tuple[IndexedFile, ...] = ()
    trusted: bool = True

    @property
    def proved(self) -> dict[str, IndexedFile]:
        """Files that the node had when they were sent, by path."""
        return {file.path: file for file in self.before if not file.gone}


class RemotePlace:
    """A place by the name that the settings have for it."""

    def __init__(self, context: NodeContext, target: str) -> None:
        self._context, self.target = context, target
        self.store = _opened(context, target)
        self._node = context.ledger.identity("node")

    def known(self, moving: Transfer, *, anew: bool, verify: bool) -> KnownPlace:
        """What it has; with `verify` all of it is read back once more, with `anew` what an index should name and none does.
        `StorageError` where it is another node's, is not empty, or lacks its index; then nothing there counts as a copy."""
        try:
            return self._known(moving, anew=anew, verify=verify)
        except (_LostPlaceError, errors.BundleError):
            with self._context.ledger.write():
                self._context.ledger.sent.doubt(self.target)
            raise

    def _known(self, moving: Transfer, *, anew: bool, verify: bool) -> KnownPlace:
        listed = {entry.key: entry.size for entry in self.store.list()}
        noted = self._context.ledger.sent.at(self.target)
        try:
            there = index.read(self.store, self.target)
        except errors.BundleError:
            if not anew:
                raise
            there = None
        if there is not None and there.node != self._node:
            raise _LostPlaceError(
                f"{self.target} has the files of another node ({there.node[:8]}).",
                hint="Give each node a place of its own.",
            )
        if there is None:
            self._begun(listed, noted, anew=anew)
        named = {file.path: file for file in self._named(there, listed, noted)}
        # Of a run that was cut off before its index.
        unnamed = {
            path: IndexedFile(path=path, key=file.key, bytes=file.bytes, sha256=file.sha256)
            for path, file in noted.items()
            if not file.indexed or there is None
        }
        before, lost = plan.sound((unnamed | named).values(), listed)
        spare = [
            file for path, file in unnamed.items() if path in named and listed.get(file.key) == file.bytes
        ]
        # A second look at what was missing once, or is only said to be there.
        reread = [file for file in before if verify or there is None or file.doubted]
        wrong = {file.key for file in reread if not self._whole(moving, file)}
        lost += [file for file in before if file.key in wrong]
        before = [plan.sure(file) for file in before if file.key not in wrong]
        return KnownPlace(
            listed=listed,
            before=tuple(before),
            lost=tuple(lost),
            noted=noted,
            spare=tuple(spare),
            trusted=there is not None,
        )

    def _named(
        self, there: SyncIndex | None, listed: Iterable[str], noted: dict[str, SentFile]
    ) -> list[IndexedFile]:
        """The files of the index; where it is lost those of the newest one that can be read."""
        if there is not None:
            return list(there.files)
        older = index.older(self.store, self._node, listed, self.target)
        return [file for file in older[0].files if file.path not in noted] if older else []

    def _whole(self, moving: Transfer, file: IndexedFile) -> bool:
        """Whether an object has its content; one wrong read says nothing."""
        return any(moving.proved(file.key, size=file.bytes, sha256=file.sha256) for _ in range(2))

    def write(self, files: list[IndexedFile], waiting: int, clock: Clock) -> None:
        """Let the place say that it has these files."""
        now = clock.now()
        whole = SyncIndex(
            node=self._node,
            made_at=iso(now)[:19] + "Z",
            software=VERSION,
            files=tuple(sorted(files, key=lambda file: (file.path, file.key))),
            waiting=waiting,
        )
        index.write(self.store, whole, self.target, now)

    def claim(self) -> None:
        """Take it for this node."""
        index.claim(self.store, self._node, self.target)

    def clear(self, known: KnownPlace, files: list[IndexedFile]) -> int:
        """Remove what neither this index nor the one before it needs; how many objects that were. Where there was no index to go by,
        nothing is removed."""
        if not known.trusted:
            return 0
        previous = index.keys(index.previous(self.store, self.target))
        needed = {file.key for file in files} | previous | {file.key for file in known.lost}
        listed = [key for key in known.listed if not key.startswith("index/")]
        doomed = plan.unneeded(listed, needed, index.FOLDERS)
        kept = index.kept(self.store, self.target)
        indexes = [entry.key for entry in self.store.list("index/") if entry.key not in kept]
        for key in (*doomed, *indexes):
            self.store.delete(key)
        return len(doomed)

    def _begun(self, listed: dict[str, int], noted: dict[str, SentFile], *, anew: bool) -> None:
        known = (index.POINTER, index.CLAIM)
        strange = [key for key in listed if not key.startswith(index.FOLDERS) and key not in known]
        if strange:
            raise errors.StorageError(
                f"{self.target} is not empty: it has {strange[0]}.",
                hint="Name a folder, or a prefix, that is for this node alone.",
            )
        if anew:
            return
        there = any(listed.get(file.key) == file.bytes for file in noted.values())
        if noted and not there:
            raise _LostPlaceError(
                f"{self.target} has nothing of the {len(noted):,} files that were sent there.",
                hint="Is it mounted? If all of it is lost: fulltape sync --anew sends everything again.",
            )
        had_index = any(file.indexed for file in noted.values())
        ours = any(key.startswith(index.FOLDERS) for key in listed)
        # A first run that was cut off has claimed the place; of an index that it wrote nothing is lost (`_named`).
        begun = index.CLAIM in listed and index.owner(self.store) == self._node
        if had_index or (ours and not begun):
            raise _LostPlaceError(
                f"{self.target} has files and no index of them.",
                hint="fulltape sync --anew reads back what is there, and writes a new one; nothing there is removed.",
            )


class _LostPlaceError(errors.StorageError):
    """A place is not what the ledger knows of it."""


def _opened(context: NodeContext, target: str) -> Objects:
    folder = address.folder(target)
    if folder is None:
        store = address.objects(target)
        if isinstance(store, SshObjects) and not store.is_there():
            raise errors.StorageError(
                f"there is no folder {target}.", hint="Make it first; is its disk mounted there?"
            )
        return store
    if not folder.is_dir():
        raise errors.StorageError(f"there is no folder {folder}.", hint="Make it first; is its disk mounted?")
    place = folder.resolve()
    for own in (context.folder.resolve(), context.layout.root.resolve()):
        if place.is_relative_to(own) or own.is_relative_to(place):
            raise errors.UsageError(
                f"{target} and the node {Path(own)} lie in each other.", hint="Choose a folder elsewhere."
            )
    return address.objects(target)
