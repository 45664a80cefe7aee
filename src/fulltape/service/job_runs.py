"""The jobs that run now: given to workers, followed, and ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fulltape import clock
from fulltape.schedule.rules import Lane
from fulltape.service.config import JobEnd, JobProgress, RunOrder, Setup, WorkerAlive
from fulltape.service.plan import EntryState, Moment
from fulltape.service.shown import ShownRun
from fulltape.service.slots import WorkerProcess, Workers

_SILENT = 120.0
"""A worker says every ten seconds that it lives: one that has said nothing for so long hangs."""


@dataclass(slots=True)
class _JobRun:
    """A job that runs: its entry as it began, when, and what it has told last."""

    begun: EntryState
    started: Moment
    progress: JobProgress | None = None


Ended = Callable[[EntryState, Moment, JobEnd], None]
"""Called with the entry as it began, when, and how it ended."""


class JobRuns:
    """The jobs that run now, and their workers."""

    def __init__(self, setup: Setup, ended: Ended) -> None:
        self.workers = Workers(setup)
        self._ended = ended
        self._running: dict[int, _JobRun] = {}
        self.stopping = False

    @property
    def busy(self) -> set[Lane]:
        """Those in which a job runs."""
        return {run.begun.entry.lane for run in self._running.values()}

    @property
    def names(self) -> tuple[str, ...]:
        """The entries that run."""
        return tuple(run.begun.entry.name for run in self._running.values())

    @property
    def shown(self) -> list[ShownRun]:
        """The same, with how far they are."""
        return [
            ShownRun(
                entry=run.begun.entry.name,
                job=run.begun.entry.job,
                lane=run.begun.entry.lane,
                started=run.started.wall,
                stage=run.progress.stage if run.progress else "",
                done=run.progress.done if run.progress else 0,
                total=run.progress.total if run.progress else 0,
                unit=run.progress.unit if run.progress else "",
            )
            for run in self._running.values()
        ]

    def begin(self, entry: EntryState, order: RunOrder, now: Moment) -> None:
        """Give a job to the worker of its lane."""
        self._running[order.id] = _JobRun(begun=entry, started=now)
        self.workers.run(order)

    def spoke(self, worker: WorkerProcess) -> None:
        """A worker has said something, or has ended: then so has what it was at."""
        lines = worker.read()
        if lines is None:
            status = self.workers.gone(worker)
            outcome = "stopped" if self.stopping else "died"
            error = "" if self.stopping else f"its process ended with status {status}"
            for number in list(worker.running):
                self._end(JobEnd(id=number, outcome=outcome, error=error))
            return
        worker.heard = clock.steady_seconds()
        for line in lines:
            if isinstance(line, WorkerAlive):
                continue
            if isinstance(line, JobEnd):
                worker.running.pop(line.id, None)
                self._end(line)
            elif line.id in self._running:
                self._running[line.id].progress = line

    def look(self) -> None:
        """Let workers go that are not needed, and kill those that give no sign of life: their jobs are run again."""
        for worker in self.workers.all:
            if clock.steady_seconds() - worker.heard >= _SILENT:
                worker.child.kill()
        self.workers.let_go(clock.steady_seconds())

    def stop(self) -> None:
        """Ask everything to stop."""
        self.stopping = True
        for worker in self.workers.all:
            worker.leave()

    def kill(self) -> tuple[str, ...]:
        """End what still runs at once; which entries that were."""
        names = self.names
        self.workers.kill()
        for worker in list(self.workers.all):
            self.workers.gone(worker)
        return names

    def _end(self, end: JobEnd) -> None:
        run = self._running.pop(end.id)
        self._ended(run.begun, run.started, end)
