"""The jobs of a node: every folder with a `job.py`, and what several stages do together; found by being there."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping, Sequence

import fulltape
from fulltape import errors
from fulltape.context.jobs import Job
from fulltape.node import filling, keeping


@functools.cache
def everything() -> Mapping[str, Job]:
    """Every job, by name."""
    found = [filling.JOB, keeping.JOB]
    for room in pkgutil.iter_modules(fulltape.__path__):
        name = f"fulltape.{room.name}.job"
        if room.ispkg and importlib.util.find_spec(name):
            found.append(importlib.import_module(name).JOB)
    return {job.name: job for job in sorted(found, key=lambda job: job.name)}


def get(name: str) -> Job:
    """The job of that name; `UsageError` that lists the known ones."""
    if name not in everything():
        raise errors.UsageError(f"there is no job {name!r}.", hint=f"Known jobs: {', '.join(everything())}.")
    return everything()[name]


def night() -> Sequence[Job]:
    """What a night runs, in its order; a job may have several places."""
    places = [(place, job.name) for job in everything().values() for place in job.nights]
    return [everything()[name] for _, name in sorted(places)]
