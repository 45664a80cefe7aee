"""What the service remembers across restarts, and the log of its runs; both lie in the node's folder under `service/`."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from fulltape.lake import files
from fulltape.market.time import DAY, Instant

FOLDER = "service"
"""In the node's folder."""
MOST_NIGHTS = 120
_MOST_BYTES = 1_000_000
"""A log of runs that is larger becomes the older one; the one before that goes."""


class LastRun(msgspec.Struct, frozen=True, kw_only=True):
    """How an entry of the schedule ran last; moments UTC, `took` in seconds. While it runs `ended` is 0."""

    started: Instant = 0
    ended: Instant = 0
    took: float = 0.0
    outcome: str = ""
    error: str = ""
    hint: str = ""
    due: Instant | None = None
    succeeded: Instant = 0
    """When it last ended well."""


class RememberedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the schedule: what tells whether it was edited, and the moment up to which it is dealt with."""

    spec: str
    since: Instant
    last: LastRun = LastRun()
    pending: bool = False
    """Whether a run is requested that has not begun, and that nothing else would make up for."""
    due: Instant | None = None
    """The moment for which it is requested, where it has one."""


class OutSource(msgspec.Struct, frozen=True, kw_only=True):
    """A source that is left alone until a moment: it refused our credentials (`stopped`), or gave no answer."""

    stopped: bool
    reason: str
    until: Instant
    since: Instant = 0

    def rests(self, now: Instant) -> bool:
        """Whether it is left alone now; a moment that lies too far ahead was noted by a clock that was wrong."""
        return now < self.until <= now + DAY


class SentCondition(msgspec.Struct, frozen=True, kw_only=True):
    """What a person was told needs them."""

    title: str
    text: str
    since: Instant


class NightRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How a night's export ended, and whether nothing in its bundle is RED."""

    outcome: str
    complete: bool


class Memory(msgspec.Struct, kw_only=True):
    """What is remembered."""

    entries: dict[str, RememberedEntry] = {}
    out: dict[str, OutSource] = {}
    sent: dict[str, SentCondition] = {}
    nights: dict[str, NightRecord] = {}
    """By day (UTC) on which the export ran."""


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the log of runs."""

    entry: str
    job: str
    cause: str
    due: Instant | None
    started: Instant
    took: float
    outcome: str
    error: str = ""
    numbers: dict[str, int] = {}


def path(folder: Path) -> Path:
    """Where it is kept."""
    return folder / FOLDER / "memory.json"


def read(folder: Path) -> Memory:
    """What was remembered; nothing where the file is not there, or not whole."""
    try:
        return msgspec.json.decode(path(folder).read_bytes(), type=Memory)
    except (OSError, ValueError, msgspec.MsgspecError):
        return Memory()


def write(folder: Path, memory: Memory) -> None:
    """Replace it, durably."""
    files.publish_bytes(path(folder), msgspec.json.encode(memory))


def runs_path(folder: Path, *, older: bool = False) -> Path:
    """The log of runs."""
    return folder / FOLDER / ("runs.1.jsonl" if older else "runs.jsonl")


def note_run(folder: Path, record: RunRecord) -> None:
    """Add a line to the log of runs."""
    log = runs_path(folder)
    if log.exists() and log.stat().st_size > _MOST_BYTES:
        log.replace(runs_path(folder, older=True))
    with log.open("ab") as file:
        file.write(msgspec.json.encode(record) + b"\n")


def runs(folder: Path, most: int) -> list[RunRecord]:
    """The newest runs, newest first."""
    records: list[RunRecord] = []
    for log in (runs_path(folder), runs_path(folder, older=True)):
        # The newer one may just become the older one.
        lines: list[bytes] = []
        with contextlib.suppress(OSError):
            lines = log.read_bytes().splitlines()
        for line in reversed(lines):
            # A power cut may leave half a line.
            with contextlib.suppress(ValueError, msgspec.MsgspecError):
                records.append(msgspec.json.decode(line, type=RunRecord))
            if len(records) == most:
                return records
    return records
