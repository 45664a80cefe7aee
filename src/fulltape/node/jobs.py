"""The jobs of a node: every folder with a `job.py`, and what several stages do together; found by being there."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import fulltape
from fulltape import errors
from fulltape.context import Event, NodeContext, Progress
from fulltape.context.jobs import Budget, Job, StageReport
from fulltape.market.time import SECOND, Clock
from fulltape.node import filling, keeping, renewing


@functools.cache
def everything() -> Mapping[str, Job]:
    """Every job, by name."""
    jobs = [filling.JOB, keeping.JOB, renewing.JOB]
    for place in fulltape.__path__:
        # By their files: to look for a module imports its package, and many have no job.
        rooms = [
            room.name
            for room in pkgutil.iter_modules([place])
            if (Path(place) / room.name / "job.py").is_file()
        ]
        jobs += [importlib.import_module(f"fulltape.{room}.job").JOB for room in rooms]
    return {job.name: job for job in sorted(jobs, key=lambda job: job.name)}


def get(name: str) -> Job:
    """The job of that name; `UsageError` that lists the known ones."""
    if name not in everything():
        raise errors.UsageError(f"there is no job {name!r}.", hint=f"Known jobs: {', '.join(everything())}.")
    return everything()[name]


def run(
    job: Job, context: NodeContext, clock: Clock, progress: Progress, budget: Budget
) -> StageReport | None:
    """Run a job, and tell that it begins, and at its end how long it took (seconds) and the numbers of its report."""
    progress(Event(stage=job.name, kind="started"))
    began = clock.steady()
    report = job.run(context, clock, progress, budget)
    took = (clock.steady() - began) / SECOND
    about = {"seconds": took, "complete": report is None or report.complete, **numbers(report)}
    progress(Event(stage=job.name, kind="finished", fields=about))
    return report


def numbers(report: object) -> dict[str, int]:
    """The numbers of a report that are not 0: of what it lists, how many there are; those of what it consists of have its name
    before theirs."""
    counts: dict[str, int] = {}
    for name, about in getattr(report, "__dataclass_fields__", {}).items():
        value = getattr(report, name)
        if about.metadata.get("moment"):
            continue
        if isinstance(value, StageReport):
            counts |= numbers(value)
            continue
        if dataclasses.is_dataclass(value):
            counts |= {f"{name}_{inner}": many for inner, many in numbers(value).items()}
            continue
        counted = isinstance(value, dict) and all(isinstance(many, int) for many in value.values())
        many = sum(value.values()) if counted else value
        many = len(many) if isinstance(many, (tuple, list, dict)) else many
        if isinstance(many, int) and many:
            counts[name] = int(many)
    return counts


def night() -> Sequence[Job]:
    """What a night runs, in its order; a job may have several places."""
    places = [(place, job.name) for job in everything().values() for place in job.nights]
    return [everything()[name] for _, name in sorted(places)]
