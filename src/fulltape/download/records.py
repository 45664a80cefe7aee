"""What lies beside the files of a download and tells of them; every file is JSON, and says the same however often it is written."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import msgspec

from fulltape import errors
from fulltape.lake import files

SIDECAR = ".json"
REPORT, READABLE = "report.json", "report.txt"
NODE = ".fulltape"
"""The folder of the node inside of a download."""
_DOWNLOAD, _MADE = "download.json", "made"
FORMAT = 1


class DownloadKind(msgspec.Struct, frozen=True, kw_only=True):
    """What all downloads into one folder have in common."""

    vendor: str
    by: str
    form: str
    compression: str
    row_group: int
    format: int = FORMAT


class GapSpan(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing came in [start, end), ISO in UTC; `seconds` of it count: breaks and halts do not."""

    start: str
    end: str
    seconds: float


class GapsFound(msgspec.Struct, frozen=True, kw_only=True):
    """Spans inside sessions in which nothing came for longer than `threshold_seconds` (None: not looked for); the longest are listed."""

    threshold_seconds: float | None
    count: int
    seconds: float
    longest_seconds: float
    listed: list[GapSpan]


class Sidecar(msgspec.Struct, frozen=True, kw_only=True):
    """A file of rows: what is in it, and from where. `first` and `last` are the sessions that were asked for, both inclusive; `sessions`
    counts them by what is known of them; `missing` are those that are not there and should be."""

    file: str
    dataset: str
    symbol: str
    """'' where it holds several, which are `symbols` then."""
    symbols: list[str]
    source: str
    first: dt.date
    last: dt.date
    rows: int
    bytes: int
    sha256: str
    columns: dict[str, str]
    sessions: dict[str, int]
    missing: list[str]
    gaps: GapsFound
    format: int = FORMAT


class MadeFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it was written: a digest of everything that it is made of, its sessions, both inclusive, how many of them it holds, and its
    bytes; `mtime_ns` tells whether it was touched since."""

    file: str
    inputs: str
    dataset: str
    sources: list[str]
    symbols: list[str]
    first: dt.date
    last: dt.date
    held: int
    bytes: int
    sha256: str
    mtime_ns: int


class DownloadReport(msgspec.Struct, frozen=True, kw_only=True):
    """A download: `sessions` that were asked for in this run by what is known of them, `why` those that are not there are not, by dataset,
    symbol and span; and all files of the folder by path, those of earlier runs too."""

    vendor: str
    datasets: list[str]
    symbols: list[str]
    first: str
    last: str
    complete: bool
    files: int
    rows: int
    bytes: int
    sessions: dict[str, int]
    gaps: int
    why: list[str]
    parts: list[Sidecar]


def kind(folder: Path) -> DownloadKind | None:
    """What a folder is a download of; None where it is none yet. `StorageError` where that cannot be told any more."""
    path = folder / NODE / _DOWNLOAD
    try:
        return msgspec.json.decode(path.read_bytes(), type=DownloadKind)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise errors.StorageError(f"{path} is damaged: {error}.", hint="Take another folder.") from error


def set_kind(folder: Path, value: DownloadKind) -> None:
    """Say what a folder is a download of."""
    files.publish_bytes(folder / NODE / _DOWNLOAD, _pretty(value))


def sidecar(file: Path) -> Sidecar | None:
    """What is said of a file; None where nothing is, or by another release."""
    try:
        return msgspec.json.decode(Path(f"{file}{SIDECAR}").read_bytes(), type=Sidecar)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def write_sidecar(file: Path, value: Sidecar) -> None:
    """Say something of a file."""
    path = Path(f"{file}{SIDECAR}")
    content = _pretty(value)
    if not path.is_file() or path.read_bytes() != content:
        files.publish_bytes(path, content)


def made(folder: Path, file: str) -> MadeFile | None:
    """What is known of a file that was written; None where nothing is. It lies in the node, since the same rows may come in other parts, and
    files that say so would differ."""
    try:
        return msgspec.json.decode(_made(folder, file).read_bytes(), type=MadeFile)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def every_made(folder: Path) -> list[MadeFile]:
    """What is known of all files that were written; `StorageError` where that cannot be told any more."""
    out = []
    for path in files.tree(folder / NODE / _MADE):
        try:
            out.append(msgspec.json.decode(path.read_bytes(), type=MadeFile))
        except msgspec.DecodeError as error:
            raise errors.StorageError(
                f"{path} is damaged: {error}.", hint="Run the download again: it is written anew."
            ) from error
    return sorted(out, key=lambda each: each.file)


def set_made(folder: Path, value: MadeFile) -> None:
    """Say what a file is made of."""
    files.publish_bytes(_made(folder, value.file), msgspec.json.encode(value))


def _made(folder: Path, file: str) -> Path:
    return folder / NODE / _MADE / hashlib.sha256(file.encode()).hexdigest()[:32]


def write_report(folder: Path, report: DownloadReport, readable: str) -> None:
    """The report, for programs and for people."""
    for name, content in ((REPORT, _pretty(report)), (READABLE, readable.encode())):
        files.publish_bytes(folder / name, content)


def forget_report(folder: Path) -> None:
    """Take the report away."""
    for name in (REPORT, READABLE):
        files.remove(folder / name)


def _pretty(value: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"
