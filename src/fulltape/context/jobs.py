"""What a job is: a piece of a node's work that is run when it is due, alone in what it locks, and tells what it has done.

Every job is a file `job.py` in a folder of its own with a `JOB`, found by being there (`node/jobs.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from fulltape.context import NodeContext, Progress
from fulltape.market.time import Clock

Trigger = Literal["sealed", "tasks", "parts", "curated", "checked"]
"""What makes a job worth running before its night: a journal was sealed or pages were fetched, tasks are queued, raw parts
arrived, folders were curated, cells were checked."""


class StageReport:
    """What a job has done. Each job has its own fields, which `--json` prints."""

    __slots__ = ()

    @property
    def complete(self) -> bool:
        """Whether nothing is missing or wrong of what it looked at; else commands end with exit code 1."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """For how many seconds a job may go on where it can end early (None: until it is done), and what asks it to stop."""

    seconds: float | None = None
    stop: threading.Event = field(default_factory=threading.Event)


JobRun = Callable[[NodeContext, Clock, Progress, Budget], StageReport | None]
"""Runs a job; None where there was nothing to do."""


def to_its_end(run_once: Callable[[NodeContext, Clock, Progress], StageReport | None]) -> JobRun:
    """The run of a job that needs no budget: it goes on until it is done."""
    return lambda context, clock, progress, _budget: run_once(context, clock, progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job. `summary` says what it does, as a line of `fulltape jobs`. `locks` are the stages that it holds, one after the
    other, while it runs. `after` are events that make it worth running at once, `nights` its places in a night: smaller ones
    come first; none where a night does not run it by itself."""

    name: str
    summary: str
    run: JobRun
    locks: tuple[str, ...]
    after: tuple[Trigger, ...] = ()
    nights: tuple[int, ...] = ()
