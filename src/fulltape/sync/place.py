"""One place: what it should have, what it has, and its index."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from fulltape import errors
from fulltape.context import NodeContext
from fulltape.lake.objects import Objects
from fulltape.ledger.sent import SentFile
from fulltape.market.time import Clock, iso
from fulltape.remote import address, index
from fulltape.remote.index import IndexedFile, SyncIndex
from fulltape.sync import plan
from fulltape.sync.transfer import Transfer
from fulltape.version import VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPlace:
    """What a place has: objects and their bytes, files of its index that are there (`before`) and that are not (`lost`), and what the
    ledger noted. `made_at`: of which moment its index is, '' without one."""

    listed: dict[str, int]
    before: tuple[IndexedFile, ...] = ()
    lost: tuple[IndexedFile, ...] = ()
    noted: dict[str, SentFile] = field(default_factory=dict)

    @property
    def proved(self) -> dict[str, IndexedFile]:
        """Files that are there, by path; those of a run too that was cut off before its index."""
        lost = {file.key for file in self.lost}
        noted = {
            file.path: IndexedFile(path=file.path, key=file.key, bytes=file.bytes, sha256=file.sha256)
            for file in self.noted.values()
            if self.listed.get(file.key) == file.bytes and file.key not in lost
        }
        return noted | {file.path: file for file in self.before if not file.gone}


class RemotePlace:
    """A place by the name that the settings have for it."""

    def __init__(self, context: NodeContext, target: str) -> None:
        self._context, self.target = context, target
        self.store = _opened(context, target)
        self._node = context.ledger.identity("node")

    def known(self, *, anew: bool, transfer: Transfer | None) -> KnownPlace:
        """What it has; with a `transfer` all of it is read back once more. `StorageError` where it is another node's, is not
        empty, or lacks everything that was sent there."""
        listed = {entry.key: entry.size for entry in self.store.list()}
        noted = self._context.ledger.sent.at(self.target)
        try:
            there = index.read(self.store, self.target)
        except errors.BundleError:
            if not anew:
                raise
            there = None
        if there is None:
            self._begun(listed, noted, anew=anew)
            return KnownPlace(listed=listed, noted=noted)
        if there.node != self._node:
            raise errors.StorageError(
                f"{self.target} has the files of another node ({there.node[:8]}).",
                hint="Give each node a place of its own.",
            )
        before, lost = plan.sound(there.files, listed)
        if transfer:
            wrong = {
                file.key
                for file in before
                if not transfer.proved(file.key, size=file.bytes, sha256=file.sha256)
            }
            lost += [file for file in before if file.key in wrong]
            before = [file for file in before if file.key not in wrong]
        return KnownPlace(listed=listed, before=tuple(before), lost=tuple(lost), noted=noted)

    def write(self, files: list[IndexedFile], waiting: int, clock: Clock) -> list[str]:
        """Let the place say that it has these files; returns what it keeps no longer of older indexes."""
        now = clock.now()
        whole = SyncIndex(
            node=self._node,
            made_at=iso(now)[:19] + "Z",
            software=VERSION,
            files=tuple(sorted(files, key=lambda file: file.path)),
            waiting=waiting,
        )
        return list(index.write(self.store, whole, self.target, now))

    def clear(self, known: KnownPlace, files: list[IndexedFile], older: list[str]) -> int:
        """Remove what neither this index nor the one before it needs; how many objects that were."""
        kept = [*index.previous(self.store, self.target)]
        needed = {file.key for file in files} | index.keys(kept)
        indexes = {key for key in known.listed if key.startswith("index/")} - set(older)
        doomed = plan.unneeded(known.listed, needed | indexes, index.FOLDERS)
        for key in (*doomed, *older):
            self.store.delete(key)
        return len(doomed)

    def _begun(self, listed: dict[str, int], noted: dict[str, SentFile], *, anew: bool) -> None:
        strange = [key for key in listed if not key.startswith(index.FOLDERS) and key != index.POINTER]
        if strange:
            raise errors.StorageError(
                f"{self.target} is not empty: it has {strange[0]}.",
                hint="Name a folder, or a prefix, that is for this node alone.",
            )
        there = any(listed.get(file.key) == file.bytes for file in noted.values())
        if noted and not there and not anew:
            raise errors.StorageError(
                f"{self.target} has nothing of the {len(noted):,} files that were sent there.",
                hint="Is it mounted? If all of it is lost: fulltape sync --anew sends everything again.",
            )


def _opened(context: NodeContext, target: str) -> Objects:
    folder = address.folder(target)
    if folder is None:
        return address.objects(target)
    if not folder.is_dir():
        raise errors.StorageError(f"there is no folder {folder}.", hint="Make it first; is its disk mounted?")
    place = folder.resolve()
    for own in (context.folder.resolve(), context.layout.root.resolve()):
        if place.is_relative_to(own) or own.is_relative_to(place):
            raise errors.UsageError(
                f"{target} and the node {Path(own)} lie in each other.", hint="Choose a folder elsewhere."
            )
    return address.objects(target)
