"""Brings a node back from a place that its files were sent to: settings, lake, ledger, each file held against its digest."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from fulltape import context as opening
from fulltape import errors
from fulltape.context import CALENDARS, Event, Progress, silent
from fulltape.context import LEDGER as LEDGER_FILE
from fulltape.context.jobs import StageReport
from fulltape.lake import compression, disk, files
from fulltape.lake.objects import Objects
from fulltape.ledger import backup
from fulltape.ledger import part as parts
from fulltape.ledger.part import Layer
from fulltape.ledger.sqlite import Sqlite
from fulltape.remote import index
from fulltape.remote.index import LAKE, LEDGER, SETTINGS, IndexedFile
from fulltape.settings import load

_PIECE = 1 << 20
_TRIES = 3


_MARK = ".restoring"
"""In the folder while a node is being brought back into it: from where."""
_OWN = ("ledger", "backups/", "heatmap/", ".")
"""Begins of names in a node's folder that are its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored(StageReport):
    """What was brought back: of which moment it is, files and bytes that were fetched, files that were there already, or have the
    content of another one; files that the ledger knows and the place does not have, or had lost (`lacking`); files that the node had
    not sent by then (`waiting`); parts that the ledger's copy is too old to know (`beyond`)."""

    node: str
    made_at: str
    fetched: int
    bytes: int
    kept: int
    lacking: tuple[str, ...]
    waiting: int
    beyond: int

    @property
    def complete(self) -> bool:
        """Whether everything is there that the node had."""
        return not (self.lacking or self.waiting)


def run(
    store: Objects, where: str, folder: Path, progress: Progress = silent, *, without_lost: bool = False
) -> Restored:
    """Bring the node back into an empty folder, or one in which this was begun before. Ledger and settings come last: until then no
    command takes the folder for a node that works. `StorageError` for what is lost at the place, unless it may be left out
    (`without_lost`)."""
    there = index.read(store, where)
    if there is None:
        raise errors.StorageError(
            f"{where} is no copy of a node: it has no {index.POINTER}.",
            hint="Give the address that was given to fulltape sync.",
        )
    with files.alone(folder / ".restore.lock", f"a restore into {folder}"):
        by_path = {file.path: file for file in there.files if not file.gone}
        begun = _begun(folder, where, by_path)
        bringing = _Bringing(store, where)
        with tempfile.TemporaryDirectory(prefix=files.TEMPORARY, dir=folder) as name:
            own = Path(name)
            text = _settings(bringing, by_path, folder, own)
            loaded = load.load(folder, asking=False, text=text)
            lake = folder / loaded.values.node.lake
            _refuse_foreign(folder, lake, by_path, begun=begun)
            files.publish_bytes(folder / _MARK, where.encode() + b"\n")
            copy = own / LEDGER_FILE
            bringing.bring(by_path[LEDGER], copy.with_suffix(".zst"))
            compression.unpack_file(copy.with_suffix(".zst"), copy)
            registered = _parts(copy)
            known = {f"{LAKE}{path}" for path, _ in registered}
            universes = {universe.file for universe in loaded.values.universe.values()}
            wanted = list(_wanted(there.files, known))
            _refuse_strange(wanted, universes, where)
            _refuse_full(lake, wanted)
            lost = bringing.all(wanted, folder, lake, progress, without_lost=without_lost)
            there_now = {file.path for file in wanted} - set(lost)
            lacking = {
                f"{LAKE}{path}" for path, counts in registered if counts and f"{LAKE}{path}" not in there_now
            }
            _place_ledger(folder, loaded.ledger_url, copy)
            if SETTINGS in by_path:
                files.publish_bytes(folder / SETTINGS, text.encode())
        (folder / _MARK).unlink()
    (folder / ".restore.lock").unlink(missing_ok=True)
    parts_there = {
        path for path in by_path if path.startswith(tuple(f"{LAKE}{layer}/" for layer in get_args(Layer)))
    }
    return Restored(
        node=there.node,
        made_at=there.made_at,
        fetched=bringing.fetched,
        bytes=bringing.bytes,
        kept=bringing.kept,
        lacking=tuple(sorted(lacking | set(lost))),
        waiting=there.waiting,
        beyond=len(parts_there - known),
    )


class _Bringing:
    """Files on their way from a place."""

    def __init__(self, store: Objects, where: str) -> None:
        self._store, self._where = store, where
        self._whole: dict[str, Path] = {}
        self.fetched = self.bytes = self.kept = 0

    def all(
        self, many: list[IndexedFile], folder: Path, lake: Path, progress: Progress, *, without_lost: bool
    ) -> list[str]:
        """Every file to its place: below the lake, or in the node's folder. Returns what is left out: what the node knew to be lost
        there, and with `without_lost` everything that is."""
        lost = []
        for done, file in enumerate(many, start=1):
            root, name = (
                (lake, file.path.removeprefix(LAKE)) if file.path.startswith(LAKE) else (folder, file.path)
            )
            place = root / name
            if not place.resolve().is_relative_to(root.resolve()):
                raise errors.StorageError(f"{file.path} of {self._where} leads out of {root}.")
            try:
                self.bring(file, place)
            except (errors.MissingObjectError, _LostError) as error:
                if not (file.doubted or without_lost):
                    raise errors.StorageError(
                        f"{file.path} is lost at {self._where}: {error.message}",
                        hint="Go on from another place of the node's [sync] targets in a new folder, or leave out what is lost: "
                        "--without-lost.",
                    ) from None
                lost.append(file.path)
            progress(Event(stage="restore", done=done, total=len(many), unit="files"))
        return lost

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
        raise _LostError(f"{file.key} is not what was proved there once, {_TRIES} times in a row.")

    def _fetch(self, file: IndexedFile, temporary: Path) -> None:
        digest = hashlib.sha256()
        with self._store.open(file.key) as source, temporary.open("wb") as target:
            while piece := source.read(_PIECE):
                digest.update(piece)
                target.write(piece)
        if digest.hexdigest() != file.sha256:
            raise _WrongError


class _LostError(errors.StorageError):
    """An object is damaged."""


class _WrongError(Exception):
    """What came has another digest."""


def _wanted(many: Iterable[IndexedFile], known: set[str]) -> Iterator[IndexedFile]:
    """What the node had; and of what it had no more what its copy of the ledger still knows."""
    for file in many:
        if (not file.gone or file.path in known) and file.path not in (SETTINGS, LEDGER):
            yield file


def _settings(bringing: _Bringing, by_path: dict[str, IndexedFile], folder: Path, own: Path) -> str:
    """What fulltape.toml holds: that which was sent, or the one that lies in the folder."""
    if LEDGER not in by_path:
        raise errors.BundleError("there is no copy of the ledger at that place.")
    if SETTINGS in by_path:
        bringing.bring(by_path[SETTINGS], own / SETTINGS)
        return (own / SETTINGS).read_text(encoding="utf-8-sig")
    if not (folder / SETTINGS).is_file():
        raise errors.UsageError(
            f"the settings were not sent ([sync] settings = false), and {folder} has no {SETTINGS}.",
            hint=f"Put {SETTINGS}, and the files that it names, into {folder} first.",
        )
    return (folder / SETTINGS).read_text(encoding="utf-8-sig")


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


def _begun(folder: Path, where: str, known: dict[str, IndexedFile]) -> bool:
    """Whether this was begun here before. Only an empty folder, or one of an earlier try, becomes a node."""
    if (folder / LEDGER_FILE).exists() and not (folder / _MARK).exists():
        raise errors.UsageError(
            f"{folder} is a node already.",
            hint="Name an empty folder; to mend a node: fulltape verify --repair.",
        )
    if (folder / _MARK).is_file():
        if (folder / _MARK).read_text().strip() != where:
            raise errors.UsageError(
                f"{folder} is half restored from {(folder / _MARK).read_text().strip()}.",
                hint="Name another folder, or go on from there.",
            )
        return True
    for path in files.tree(folder):
        name = path.relative_to(folder).as_posix()
        own = SETTINGS not in known and not name.startswith("lake/")  # settings that were put there for it
        if not own and name != ".restore.lock" and files.TEMPORARY not in name:
            raise errors.UsageError(f"{folder} is not empty: {name}.", hint="Name an empty folder.")
    return False


def _refuse_foreign(folder: Path, lake: Path, known: dict[str, IndexedFile], *, begun: bool) -> None:
    """The lake is made here, and takes the place of none."""
    outside = not lake.resolve().is_relative_to(folder.resolve())
    there = files.tree(lake)
    strange = [path for path in there if f"{LAKE}{path.relative_to(lake).as_posix()}" not in known]
    temporary = [path for path in strange if files.TEMPORARY in path.name]
    if (there and (outside or not begun)) or len(strange) > len(temporary):
        raise errors.UsageError(
            f"the lake {lake.resolve()} ([node] lake) is not empty.",
            hint="A lake that is still there needs no restore: `fulltape ledger rebuild` makes a ledger out of it. Else name an empty "
            "folder, and an empty lake.",
        )


def _refuse_strange(wanted: Iterable[IndexedFile], universes: set[str], where: str) -> None:
    """Beside the lake only what settings name is brought: universes, and session tables."""
    for file in wanted:
        inside = file.path.startswith(LAKE)
        named = file.path in universes or (
            file.path.startswith(f"{CALENDARS}/") and file.path.endswith((".csv", ".toml"))
        )
        if not inside and (not named or file.path.startswith(_OWN)):
            raise errors.BundleError(f"the index of {where} names {file.path!r}, which is no file of a node.")


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
