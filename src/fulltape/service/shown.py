"""How the service is, in a small file that others read: commands, and the pages."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from fulltape.market.time import SECOND, Instant
from fulltape.service.memory import FOLDER, LastRun

OLD = 45 * SECOND
"""A state that is older was told by a service that is gone: it is written anew at least every thirty seconds."""


class ShownRun(msgspec.Struct, frozen=True, kw_only=True):
    """A job that runs now, and how far it is."""

    entry: str
    job: str
    lane: str
    started: Instant
    stage: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""


class ShownEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the schedule: when it is due next (None: when something happens), and its last run."""

    name: str
    job: str
    lane: str
    when: str
    enabled: bool
    next: Instant | None
    waiting: str
    last: LastRun


class ShownCondition(msgspec.Struct, frozen=True, kw_only=True):
    """Something that needs a person: what, and what to do."""

    key: str
    title: str
    text: str
    since: Instant


class RestingSource(msgspec.Struct, frozen=True, kw_only=True):
    """A source that is left alone until a moment, and why."""

    reason: str
    until: Instant


class ServiceState(msgspec.Struct, frozen=True, kw_only=True):
    """The service at a moment (UTC)."""

    at: Instant
    since: Instant
    process: int
    stopping: bool
    running: tuple[ShownRun, ...]
    entries: tuple[ShownEntry, ...]
    conditions: tuple[ShownCondition, ...]
    capture: str
    """"running", "stopped", or "none" where nothing is captured live."""
    held: dict[str, str] = {}
    """Jobs that wait, and why."""
    resting: dict[str, RestingSource] = {}
    """Sources that refused our credentials, or gave no answer."""
    message: str = ""
    """How the last reading of the settings ended, where they were refused."""
    workers: dict[str, int] = {}
    """Process numbers of the workers that are there."""
    capture_process: int = 0
    web_process: int = 0


def path(folder: Path) -> Path:
    """Where it lies."""
    return folder / FOLDER / "state.json"


def write(folder: Path, state: ServiceState) -> None:
    """Replace the file whole. Nothing relies on it after a crash, so a disk that refuses is no reason to stop."""
    target = path(folder)
    temporary = target.with_suffix(".tmp")
    with contextlib.suppress(OSError):
        temporary.write_bytes(msgspec.json.encode(state))
        temporary.replace(target)


def read(folder: Path) -> ServiceState | None:
    """What was told last, None where nothing was."""
    try:
        return msgspec.json.decode(path(folder).read_bytes(), type=ServiceState)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None


def alive(state: ServiceState | None, now: Instant) -> bool:
    """Whether the service that told this still runs."""
    return state is not None and abs(now - state.at) <= OLD and _exists(state.process)


def _exists(process: int) -> bool:
    return Path(f"/proc/{process}").exists()
