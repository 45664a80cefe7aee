"""What is sent, what is there already, and what a place keeps of what the node has no more. Pure."""

from __future__ import annotations

import datetime as dt
import fnmatch
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from fulltape.context.jobs import StageReport
from fulltape.remote.index import LEDGER, SETTINGS, IndexedFile, sends

NODE = (SETTINGS, LEDGER)
"""Paths that patterns do not leave out."""
_ORDER = (*NODE, "lake/node.json", "lake/raw/", "lake/journal/", "lake/curated/")
"""What no other file could make again comes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFile:
    """A file of the node: its path in the index, and where it lies; when it was changed last (nanoseconds UTC); its digest, '' where it is not
    known without reading it. `named`: whether its name tells its content. `bundle`: the folder of the bundle that it is part of."""

    path: str
    place: str
    bytes: int
    modified: int
    sha256: str = ""
    named: bool = False
    bundle: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenFiles:
    """The files that are sent; paths of such that count and are not here; what is left out."""

    chosen: tuple[LocalFile, ...]
    missing: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncedPlace(StageReport):
    """What a run came to at one place: files and bytes that were sent and read back, files that were there already; and by path
    what the place had lost, what is damaged here, and what is missing here though the ledger knows it."""

    target: str
    sent: int = 0
    bytes: int = 0
    kept: int = 0
    removed: int = 0
    lost: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    """What was changed again and again while it was sent; the next run sends it."""
    left_out: tuple[str, ...] = ()
    """Patterns that match nothing, and files of the node's settings that lie elsewhere."""

    @property
    def complete(self) -> bool:
        """Whether everything that is wanted there is there."""
        return not (self.lost or self.damaged or self.missing or self.changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport(StageReport):
    """A run over all places. `failed`: a place, and why it could not be used."""

    places: tuple[SyncedPlace, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)
    dry_run: bool = False

    @property
    def complete(self) -> bool:
        """Whether every place has everything."""
        return not self.failed and all(place.complete for place in self.places)

    @property
    def failure(self) -> str:
        """See `StageReport`."""
        return "; ".join(f"{target}: {reason}" for target, reason in self.failed.items())


def sent(files: Iterable[LocalFile], include: Sequence[str], exclude: Sequence[str]) -> list[LocalFile]:
    """The files that are sent; a bundle whole or not at all."""
    everything = list(files)
    broken = {file.bundle for file in everything if file.bundle and not sends(file.path, include, exclude)}
    return [
        file
        for file in everything
        if sends(file.path, include, exclude) and not (file.bundle and file.bundle in broken)
    ]


def unmatched(paths: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """Patterns that match none of these paths."""
    known = list(paths)
    return [pattern for pattern in patterns if not any(fnmatch.fnmatchcase(path, pattern) for path in known)]


def in_order(files: Iterable[LocalFile]) -> list[LocalFile]:
    """The order in which files are sent."""

    def place(file: LocalFile) -> tuple[int, str]:
        matching = (at for at, start in enumerate(_ORDER) if file.path.startswith(start))
        return next(matching, len(_ORDER)), file.path

    return sorted(files, key=place)


def sound(
    files: Iterable[IndexedFile], listed: Mapping[str, int]
) -> tuple[list[IndexedFile], list[IndexedFile]]:
    """Of what a place should have: what it lists with the right length, and what it does not."""
    there: list[IndexedFile] = []
    lost: list[IndexedFile] = []
    for file in files:
        (there if listed.get(file.key) == file.bytes else lost).append(file)
    return there, lost


def sure(file: IndexedFile) -> IndexedFile:
    """A file that was seen whole."""
    return replace(file, doubted=False) if file.doubted else file


def gone(
    before: Iterable[IndexedFile], here: Iterable[str], missing: Iterable[str], today: dt.date, keep: int
) -> list[IndexedFile]:
    """What a place had before and the node does not send now, as far as it is kept for so many days yet. What is `missing` here, though
    it should be here, is not gone."""
    known, needed = set(here), set(missing)
    kept = []
    for file in before:
        if file.path in needed:
            kept.append(replace(file, gone=""))
        elif file.path not in known:
            since = file.gone or today.isoformat()
            if (today - dt.date.fromisoformat(since)).days <= keep:
                kept.append(replace(file, gone=since))
    return kept


def whole_bundles(
    files: Iterable[LocalFile],
    proved: Mapping[str, IndexedFile],
    unsound: Collection[str],
    before: Iterable[IndexedFile],
) -> dict[str, IndexedFile]:
    """What is proved, without bundles of which a file is not, or is `unsound`: of such a one the place keeps what it had before, if
    anything."""
    everything = list(files)
    broken = {
        file.bundle
        for file in everything
        if file.bundle and (file.path not in proved or file.path in unsound)
    }
    of_broken = {file.path for file in everything if file.bundle in broken}
    kept = {path: file for path, file in proved.items() if path not in of_broken}
    for file in before:
        if any(file.path.startswith(f"{bundle}/") for bundle in broken):
            kept[file.path] = file
    return kept


def unneeded(listed: Iterable[str], needed: set[str], folders: Sequence[str]) -> list[str]:
    """Objects of ours that no index needs."""
    return sorted(key for key in listed if key.startswith(tuple(folders)) and key not in needed)
