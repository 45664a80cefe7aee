"""Brings a node back from a place that its files were sent to: settings, lake, ledger, each file held against its digest."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fulltape import context as opening
from fulltape import errors
from fulltape.context import LEDGER as LEDGER_FILE
from fulltape.context import Event, Progress, silent
from fulltape.context.jobs import StageReport
from fulltape.lake import compression, disk, files
from fulltape.lake.objects import Objects
from fulltape.ledger import backup
from fulltape.ledger import part as parts
from fulltape.ledger.sqlite import Sqlite
from fulltape.remote import index
from fulltape.remote.index import LAKE, LEDGER, SETTINGS, IndexedFile
from fulltape.settings import load

_PIECE = 1 << 20
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored(StageReport):
    """What was brought back: of which moment it is, files and bytes that were fetched, files that were there already, and files that
    the ledger knows and the place does not have."""

    node: str
    made_at: str
    fetched: int
    bytes: int
    kept: int
    lacking: tuple[str, ...]
    waiting: int
    """Files that the node had not sent yet."""

    @property
    def complete(self) -> bool:
        """Whether everything that the ledger knows is there."""
        return not self.lacking


def run(store: Objects, where: str, folder: Path, progress: Progress = silent) -> Restored:
    """Bring the node back into an empty folder, or one in which this was begun before. The ledger comes last: until then no command
    takes the folder for a node that works."""
    there = index.read(store, where)
    if there is None:
        raise errors.StorageError(
            f"nothing of a node was sent to {where}.", hint="It is written as in [sync] targets of the node."
        )
    with files.alone(folder / ".restore.lock", f"a restore into {folder}"):
        by_path = {file.path: file for file in there.files}
        _refuse_used(folder, by_path)
        bringing = _Bringing(store, where)
        if SETTINGS in by_path:
            bringing.bring(by_path[SETTINGS], folder / SETTINGS)
        values = load.load(folder, asking=False).values
        lake = folder / values.node.lake
        if LEDGER not in by_path:
            raise errors.BundleError(f"{where} has no copy of the ledger.")
        with tempfile.TemporaryDirectory(prefix=files.TEMPORARY, dir=folder) as name:
            copy = Path(name) / LEDGER_FILE
            bringing.bring(by_path[LEDGER], copy.with_suffix(".zst"))
            compression.unpack_file(copy.with_suffix(".zst"), copy)
            registered = _parts(copy)
            wanted = list(_wanted(there.files, {path for path, _ in registered}))
            _refuse_full(lake, wanted)
            bringing.all(wanted, folder, lake, progress)
            lacking = sorted(
                path for path, current in registered if current and f"{LAKE}{path}" not in by_path
            )
            _place_ledger(folder, load.load(folder, asking=False).ledger_url, copy)
    (folder / ".restore.lock").unlink(missing_ok=True)
    return Restored(
        node=there.node,
        made_at=there.made_at,
        fetched=bringing.fetched,
        bytes=bringing.bytes,
        kept=bringing.kept,
        lacking=tuple(lacking),
        waiting=there.waiting,
    )


class _Bringing:
    """Files on their way from a place."""

    def __init__(self, store: Objects, where: str) -> None:
        self._store, self._where = store, where
        self._whole: dict[str, Path] = {}
        self.fetched = self.bytes = self.kept = 0

    def all(self, many: list[IndexedFile], folder: Path, lake: Path, progress: Progress) -> None:
        """Every file to its place: below the lake, or in the node's folder."""
        for done, file in enumerate(many, start=1):
            inside = file.path.startswith(LAKE)
            self.bring(file, lake / file.path.removeprefix(LAKE) if inside else folder / file.path)
            progress(Event(stage="restore", done=done, total=len(many), unit="files"))

    def bring(self, file: IndexedFile, place: Path) -> None:
        """Have a file, whole and durable; one of the same content is linked."""
        if place.is_file() and place.stat().st_size == file.bytes and files.sha256(place) == file.sha256:
            self._whole.setdefault(file.sha256, place)
            self.kept += 1
            return
        files.make_folder(place.parent)
        same = self._whole.get(file.sha256)
        if same and _linked(same, place):
            self.kept += 1
            return
        for _ in range(_TRIES):
            try:
                files.publish(place, lambda temporary: self._fetch(file, temporary))
            except _WrongError:
                continue
            self._whole.setdefault(file.sha256, place)
            self.fetched += 1
            self.bytes += file.bytes
            return
        raise errors.StorageError(
            f"{file.key} of {self._where} is not what was proved there once, {_TRIES} times in a row.",
            hint="Another place of the node's [sync] targets may have it whole; this one is damaged.",
        )

    def _fetch(self, file: IndexedFile, temporary: Path) -> None:
        digest = hashlib.sha256()
        with self._store.open(file.key) as source, temporary.open("wb") as target:
            while piece := source.read(_PIECE):
                digest.update(piece)
                target.write(piece)
        if digest.hexdigest() != file.sha256:
            raise _WrongError


class _WrongError(Exception):
    """What came has another digest."""


def _wanted(many: Iterable[IndexedFile], registered: set[str]) -> Iterator[IndexedFile]:
    """What the node had; and of what it had no more what its copy of the ledger still knows."""
    for file in many:
        known = file.path.startswith(LAKE) and file.path.removeprefix(LAKE) in registered
        if (not file.gone or known) and file.path not in (SETTINGS, LEDGER):
            yield file


def _parts(copy: Path) -> list[tuple[str, bool]]:
    """The parts that a copy of the ledger knows, and whether each counts. An older one is brought forward."""
    ledger = Sqlite(copy)
    try:
        return [(path, counts) for path, _, _, counts in parts.files(ledger)]
    finally:
        ledger.close()


def _place_ledger(folder: Path, url: str, copy: Path) -> None:
    if not url:
        files.sync_file(copy)
        copy.rename(folder / LEDGER_FILE)
        files.sync_folder(folder)
        return
    ledger = opening.open_ledger(folder, url)
    try:
        if ledger.knows_anything:
            raise errors.StorageError(
                "the shared ledger of [cluster] is not empty.", hint="Give the node an empty database."
            )
        backup.restore(ledger.database, copy)
    finally:
        ledger.close()


def _refuse_used(folder: Path, known: dict[str, IndexedFile]) -> None:
    """Only an empty folder, or one of an earlier try, becomes a node."""
    if (folder / LEDGER_FILE).exists():
        raise errors.UsageError(
            f"{folder} is a node already.",
            hint="Name an empty folder; to mend a node: fulltape verify --repair.",
        )
    lake = folder / "lake"
    for path in files.tree(folder):
        name = path.relative_to(folder).as_posix()
        ours = name in known or name in (SETTINGS, ".restore.lock") or files.TEMPORARY in name
        if not ours and not path.is_relative_to(lake):
            raise errors.UsageError(f"{folder} is not empty: {name}.", hint="Name an empty folder.")


def _refuse_full(lake: Path, wanted: list[IndexedFile]) -> None:
    sizes = {file.sha256: file.bytes for file in wanted}
    have = sum(
        sizes.get(file.sha256, 0)
        for file in wanted
        if file.path.startswith(LAKE) and (lake / file.path.removeprefix(LAKE)).is_file()
    )
    need, room = max(0, sum(sizes.values()) - have), disk.measured(lake, None)
    if need > room.free:
        raise errors.StorageError(
            f"{need / 1e9:,.1f} GB are to come, and the disk of {lake} has {room.free / 1e9:,.1f} GB free."
        )


def _linked(same: Path, place: Path) -> bool:
    place.unlink(missing_ok=True)
    try:
        os.link(same, place)
    except OSError:  # another disk, or one without hard links
        return False
    files.sync_folder(place.parent)
    return True
