"""What a job is: a piece of a node's work that is run when it is due, alone in what it locks, and tells what it has done.

Every job is a file `job.py` in a folder of its own with a `JOB`, found by being there (`node/jobs.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fulltape.context import NodeContext, Progress
from fulltape.market.time import Clock, Instant
from fulltape.schedule.rules import Lane, Trigger


class StageReport:
    """What a job has done. Each job has its own fields, which `--json` prints."""

    __slots__ = ()

    @property
    def complete(self) -> bool:
        """Whether nothing is missing or wrong of what it looked at; else commands end with exit code 1."""
        return True

    @property
    def whole(self) -> bool:
        """Whether nothing is missing either in what it tells of."""
        return self.complete

    @property
    def failure(self) -> str:
        """Why it could not do what it is for; '' where it could. A running node takes the job for one that has failed."""
        return ""

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """What has happened, for the jobs that are due after it."""
        return ()

    @property
    def worth_again(self) -> Instant | None:
        """When running it again is worth it, in steady time; None where that is when something triggers it."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """For how many seconds a job may go on where it can end early (None: until it is done), what asks it to stop, and which sources
    it leaves alone, with the reason: those that refused our credentials (`stopped`), those that gave no answer (`unreachable`)."""

    seconds: float | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    stopped: Mapping[str, str] = field(default_factory=dict)
    unreachable: Mapping[str, str] = field(default_factory=dict)


JobRun = Callable[[NodeContext, Clock, Progress, Budget], StageReport | None]
"""Runs a job; None where there was nothing to do."""


def to_its_end(run_once: Callable[[NodeContext, Clock, Progress], StageReport | None]) -> JobRun:
    """The run of a job that needs no budget: it goes on until it is done."""
    return lambda context, clock, progress, _budget: run_once(context, clock, progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job. `summary` says what it does, as a line of `fulltape jobs`. `locks` are the stages that it holds, one after the
    other, while it runs; `lane` says what it may run beside. `nights` are its places in a night: smaller ones come first; none
    where a night does not run it by itself. When a running node runs it stands in `schedule/rules.py`."""

    name: str
    summary: str
    run: JobRun
    locks: tuple[str, ...]
    lane: Lane = "heavy"
    nights: tuple[int, ...] = ()
