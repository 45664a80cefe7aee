"""Where everything lies. Paths are derived here and nowhere else, from validated components only."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from fulltape import errors
from fulltape.lake import files
from fulltape.market import symbols
from fulltape.market.dataset import Dataset, Folder

JOURNAL = ".journal"
SEALED = ".sealed"
PACKED = ".packed"
"""A sealed journal on its way to its name."""
MOMENT = "%Y%m%dT%H%M%S%f"
"""How a journal's name tells when it was begun, in UTC."""
CAPTURE = ".capture"
"""A journal writer whose name ends so writes messages, all others write pages."""
_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The folders of one lake under `root`."""

    root: Path

    @property
    def journals(self) -> Path:
        """All writers' journals."""
        return self.root / "journal"

    def writer(self, writer: str) -> Path:
        """The folder of one journal writer."""
        return self.journals / _identifier(writer)

    def journal(self, writer: str, source: str, utc: dt.datetime, file_id: str) -> Path:
        """A new journal file: <utc>-<id>.journal."""
        return self.writer(writer) / _identifier(source) / f"{utc:{MOMENT}}-{file_id}{JOURNAL}"

    def journal_files(self, writer: str = "") -> list[Path]:
        """The journal files of pages of a writer, or of all writers, oldest first."""
        folders = [self.writer(writer)] if writer else list(self.journals.glob("*"))
        paths = [
            path
            for folder in folders
            if not folder.name.endswith(CAPTURE)
            for path in folder.glob(f"*/*{JOURNAL}")
        ]
        return sorted(paths, key=lambda path: (path.name, path.parent.name))

    def captured_files(self, suffix: str = JOURNAL) -> list[Path]:
        """The journal files of messages, oldest first; those that are sealed already have another suffix."""
        paths = self.journals.glob(f"*{CAPTURE}/*/*{suffix}")
        return sorted(paths, key=lambda path: (path.name, path.parent.name))

    def stream_files(self, writer: str, source: str, *, since: str = "") -> list[Path]:
        """The journals of one source's messages from a file's name on, sealed or not, oldest first."""
        folder = self.writer(writer) / _identifier(source)
        # While one is sealed it has both names for a moment.
        by_name = {path.stem: path for ending in (JOURNAL, SEALED) for path in folder.glob(f"*{ending}")}
        return [by_name[name] for name in sorted(by_name) if name >= since]

    def capture_lock(self, writer: str) -> Path:
        """What the one who captures holds."""
        return self.writer(writer) / "lock"

    def capture_state(self, writer: str) -> Path:
        """Where a capture process tells how it is."""
        return self.writer(writer) / "state.json"

    def raw(self, source: str, dataset: Dataset, key: str) -> Path:
        """A raw folder of one source and dataset; `key` as `folder_key` gives it."""
        return self.root / "raw" / _identifier(source) / dataset.name / key

    def folder(self, layer: str, dataset: Dataset, key: str) -> Path:
        """A folder of a layer that has no sources: curated, or qc, what the checks found about it."""
        return self.root / _identifier(layer) / dataset.name / key

    def profile(self, dataset: Dataset, digest: str, version: str) -> Path:
        """What was learned of the cells of a part with this digest."""
        return self.root / "profiles" / dataset.name / f"{_identifier(digest)[:32]}-{_identifier(version)}"

    def profile_files(self) -> list[Path]:
        """Everything that was learned of parts, by path; names begin with half of a part's digest."""
        return sorted(path for path in (self.root / "profiles").glob("*/*") if path.is_file())

    @property
    def mark(self) -> Path:
        """The file that names the node."""
        return self.root / "node.json"

    @property
    def holds_data(self) -> bool:
        """Whether there is anything that cannot be made anew: raw parts, or journals."""
        return any(
            path.is_file() for folder in ("raw", "journal") for path in (self.root / folder).rglob("*.*")
        )

    def rejected(self, source: str, origin: str, number: int, digest: str) -> Path:
        """Bytes that could not be taken, by where they came from (a fetch and its page, a journal and an offset); the
        reason lies beside them with the suffix .json."""
        name = f"{_identifier(origin)}-{number:05d}-{_identifier(digest[:8])}.body"
        return self.root / "rejected" / _identifier(source) / name

    @property
    def knowledge(self) -> Path:
        """What only the ledger knows, kept in the lake."""
        return self.root / "knowledge.zst"

    @property
    def nightly(self) -> Path:
        """The folder of all bundles."""
        return self.root / "exports" / "nightly"

    def bundles(self) -> list[Path]:
        """Every bundle on disk, whatever the ledger says, by day."""
        folders = self.nightly.glob("*")
        return sorted(path for path in folders if path.is_dir() and not path.name.startswith("."))

    def temporary_files(self) -> list[Path]:
        """Temporary files beside those that are no parts: of the lake itself, journals, and rejected bytes."""
        return [
            path
            for place in ("", "journal/*/*/", "rejected/*/")
            for path in self.root.glob(f"{place}{files.TEMPORARY}*")
            if path.is_file()
        ]

    def rejected_files(self) -> list[Path]:
        """All bytes that were kept because they could not be taken."""
        return sorted((self.root / "rejected").glob("*/*.body"))

    def damaged(self, path: str) -> Path:
        """Where a file that lay at `path`, relative to the lake, is kept apart."""
        return self.root / "damaged" / path

    def bundle(self, day: dt.date) -> Path:
        """The export of one day."""
        return self.nightly / day.isoformat()

    def relative(self, path: Path) -> str:
        """`path` as the ledger stores it."""
        return path.relative_to(self.root).as_posix()

    def beside_parts(self) -> list[Path]:
        """Files of the lake that are no parts, and cannot be made again or are worth keeping: journals, rejected bytes, what was learned,
        bundles, the mark and the knowledge; also what is still being written."""
        folders = ("journal", "rejected", "profiles", "exports")
        there = [path for name in folders for path in files.tree(self.root / name)]
        return [*there, self.mark, self.knowledge]

    def part_files(self, layer: str) -> Iterator[Path]:
        """Every file below a layer's folder: for finding what no catalogue knows, never for reading data."""
        return (path for path in list((self.root / layer).rglob("*")) if path.is_file())


def folder_key(folder: Folder, session: dt.date) -> str:
    """The folder of a session: year=2024, month=2024-11 or date=2024-11-29."""
    if folder == "year":
        return f"year={session:%Y}"
    if folder == "month":
        return f"month={session:%Y-%m}"
    return f"date={session:%Y-%m-%d}"


def kind_of(key: str) -> Folder:
    """How a folder is cut, by its name."""
    return cast("Folder", key.partition("=")[0])


def days_of(folder: Folder, key: str) -> tuple[dt.date, dt.date]:
    """The first and the last day of a folder."""
    value = key.partition("=")[2]
    if folder == "year":
        return dt.date(int(value), 1, 1), dt.date(int(value), 12, 31)
    if folder == "month":
        first = dt.date.fromisoformat(f"{value}-01")
        return first, (first + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1)
    return dt.date.fromisoformat(value), dt.date.fromisoformat(value)


def part_name(first: dt.date, last: dt.date, names: tuple[str, ...], digest: str) -> str:
    """<first>_<last>_<symbol or count>_<digest8>.parquet"""
    who = symbols.path_name(names[0]) if len(names) == 1 else f"{len(names)}-instruments"
    return f"{first:%Y%m%d}_{last:%Y%m%d}_{who}_{digest[:8]}.parquet"


def renamed(name: str, digest: str) -> str:
    """The name of a part as that of the same cells with another digest."""
    return f"{name.rpartition('_')[0]}_{digest[:8]}.parquet"


def sessions_of(name: str) -> tuple[dt.date, dt.date]:
    """The first and the last session of a part, by its name; `ValueError` for what is no name of a part."""
    first, last = name.split("_")[:2]
    return dt.date.fromisoformat(first), dt.date.fromisoformat(last)


def _identifier(name: str) -> str:
    """A name of our own (source, writer, fetch) as a path component."""
    if not _IDENTIFIER.fullmatch(name) or ".." in name:
        raise errors.UsageError(
            f"{name!r} cannot name a folder.", hint="Use small letters, digits, _ . and -."
        )
    return name
