"""The lines between the supervisor and its children, and what it knows of the settings, which a child reads for it."""

from __future__ import annotations

import msgspec

from fulltape.capture.config import CaptureConfig
from fulltape.market.time import Instant
from fulltape.schedule.rules import Lane, Trigger


class ScheduleEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the schedule (see `settings.schedule.ScheduleRule`): seconds, and the lane of its job."""

    name: str
    job: str
    lane: Lane
    cron: str = ""
    zone: str = "UTC"
    every: float = 0.0
    after: tuple[Trigger, ...] = ()
    spacing: float = 0.0
    jitter: float = 0.0
    budget: float | None = None
    enabled: bool = True

    @property
    def spec(self) -> str:
        """What tells whether it was edited."""
        return f"{self.job} {self.cron} {self.zone} {self.every:g} {' '.join(self.after)} {self.enabled}"


class WebSettingsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The line to the web process: where the pages are served, and who may see them (see `web.guard.Guard`). `text` is the settings file as the
    supervisor has read it."""

    folder: str
    text: str
    host: str
    port: int
    hosts: tuple[str, ...]
    token_digest: str = ""
    base_path: str = ""


class NotifyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where a person is called, and when not: `quiet` is "HH:MM-HH:MM" in `zone`."""

    webhook: str = ""
    apprise: tuple[str, ...] = ()
    heartbeat_url: str = ""
    heartbeat_every: float = 300.0
    quiet: str = ""
    zone: str = "UTC"


class ServiceConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the supervisor knows of the settings. `text` is the file as it was read, so that workers use the same; `data`
    is a digest of what concerns data; `finals` are the moments, ascending, from which sessions count as final."""

    lake: str
    writer: str
    text: str
    data: str
    entries: tuple[ScheduleEntry, ...]
    finals: tuple[Instant, ...]
    capture: CaptureConfig | None
    web: WebSettingsConfig | None
    notify: NotifyConfig
    stop_within: float
    clock_wait: float
    min_free: int | None = None
    warnings: tuple[str, ...] = ()
    """Sentences on what will need a person, such as a calendar that ends."""


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What reading the settings came to: a configuration, or why there is none."""

    config: ServiceConfig | None = None
    error: str = ""
    hint: str = ""
    exit_code: int = 2


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """The first line to a worker: the node's folder, and its settings as the supervisor has read them."""

    folder: str
    text: str


class RunOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A line to a worker: run a job. `out` are sources that are to be left alone, with the reason: those that refused our
    credentials (`stopped`), and those that gave no answer (`unreachable`)."""

    id: int
    job: str
    lane: Lane
    budget: float | None = None
    stopped: dict[str, str] = {}
    unreachable: dict[str, str] = {}


class JobProgress(msgspec.Struct, frozen=True, kw_only=True, tag="progress"):
    """A line from a worker: how far a job is, or what has happened in it."""

    id: int
    stage: str
    kind: str
    done: int = 0
    total: int = 0
    unit: str = ""
    fields: dict[str, str | int | float] = {}


class JobEnd(msgspec.Struct, frozen=True, kw_only=True, tag="ended"):
    """A line from a worker: a job has ended. `again_in`: in how many seconds it is worth running again, None: when something
    triggers it. `stopped` and `unreachable` as in `RunOrder`, as they are now; `full`: why nothing was fetched, where the disk has no
    room."""

    id: int
    outcome: str
    error: str = ""
    hint: str = ""
    exit_code: int = 0
    complete: bool = True
    numbers: dict[str, int] = {}
    triggers: tuple[Trigger, ...] = ()
    again_in: float | None = None
    stopped: dict[str, str] = {}
    unreachable: dict[str, str] = {}
    full: str = ""


class WorkerAlive(msgspec.Struct, frozen=True, kw_only=True, tag="alive"):
    """A line from a worker: it lives."""


WorkerLine = JobProgress | JobEnd | WorkerAlive
"""What a worker says."""


def encode(line: msgspec.Struct) -> bytes:
    """A line, with its end."""
    return msgspec.json.encode(line) + b"\n"


def worker_line(text: bytes) -> WorkerLine:
    """A line of a worker."""
    line: WorkerLine = msgspec.json.decode(text, type=WorkerLine)
    return line
