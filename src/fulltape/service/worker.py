"""`python -m fulltape.service.worker`: runs jobs, a line each on standard input, and says on standard output how they go.

Jobs of one lane run one after the other, those of several side by side. The end of the input asks everything to stop: what is under
way ends as soon as it can, and so does the process.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import traceback
from pathlib import Path

import msgspec
from polars.exceptions import PolarsError

from fulltape import clock, errors, log
from fulltape.backfill.run import BackfillReport
from fulltape.clock import SystemClock
from fulltape.context import Event, NodeContext
from fulltape.context.jobs import Budget, StageReport
from fulltape.market.time import SECOND
from fulltape.node import assemble, jobs
from fulltape.node.filling import ClosedGaps
from fulltape.schedule.rules import Trigger
from fulltape.service.config import JobEnd, JobProgress, RunOrder, Setup, WorkerAlive, encode
from fulltape.settings import load

NICE = 10
"""How much a worker lets others go first: live capture is never kept waiting by it."""
_EVERYTHING = 1e9
"""Seconds in which all files are verified."""
_LEAST_AGAIN = 1.0
_SAY_EVERY = 0.5
_ALIVE_EVERY = 10.0
_HEALING: tuple[Trigger, ...] = ("damaged", "closed")
"""What is worth running once damage was noticed."""


class WorkerVoice:
    """What the worker says, from several threads, to a file number."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._turn = threading.Lock()

    def say(self, line: msgspec.Struct) -> None:
        """Write a line. A supervisor that is gone reads nothing; the end of our input then asks us to stop."""
        with self._turn, contextlib.suppress(BrokenPipeError):
            os.write(self._fd, encode(line))


class JobEvents:
    """What one job tells. Counts are added up, and said at most so often."""

    def __init__(self, order: RunOrder, lines: WorkerVoice) -> None:
        self._id, self._lines = order.id, lines
        self._done: dict[tuple[str, str], int] = {}
        self._said = float("-inf")
        self._turn = threading.Lock()

    def __call__(self, event: Event) -> None:
        """See `context.Progress`."""
        if event.kind in ("started", "finished"):
            return
        with self._turn:
            key = (event.stage, event.unit)
            done = event.done if event.total else self._done.get(key, 0) + event.done
            self._done[key] = done
            now = clock.steady_seconds()
            if event.kind == "progress" and now - self._said < _SAY_EVERY:
                return
            self._said = now
        self._lines.say(
            JobProgress(
                id=self._id,
                stage=event.stage,
                kind=event.kind,
                done=done,
                total=event.total,
                unit=event.unit,
                fields=dict(event.fields),
            )
        )


class JobWorker:
    """Runs the jobs of a node."""

    def __init__(self, setup: Setup, lines: WorkerVoice) -> None:
        self._setup, self._lines = setup, lines
        self._stop = threading.Event()
        self._lanes: dict[str, queue.SimpleQueue[RunOrder | None]] = {}
        self._threads: list[threading.Thread] = []
        self._opening = threading.Lock()
        self._context: NodeContext | None = None

    def take(self, order: RunOrder) -> None:
        """Run a job once those of its lane that came before have ended."""
        if order.lane not in self._lanes:
            self._lanes[order.lane] = queue.SimpleQueue()
            thread = threading.Thread(target=self._work, args=(self._lanes[order.lane],), name=order.lane)
            self._threads.append(thread)
            thread.start()
        self._lanes[order.lane].put(order)

    def end(self) -> None:
        """Ask everything to stop, and wait until it has."""
        self._stop.set()
        for lane in self._lanes.values():
            lane.put(None)
        for thread in self._threads:
            thread.join()
        if self._context is not None:
            self._context.close()

    def _work(self, orders: queue.SimpleQueue[RunOrder | None]) -> None:
        while (order := orders.get()) is not None:
            if not self._stop.is_set():
                self._lines.say(self._run(order))

    def _opened(self) -> NodeContext:
        with self._opening:
            if self._context is None:
                loaded = load.load(Path(self._setup.folder), text=self._setup.text)
                self._context = assemble.open_context(loaded)
            return self._context

    def _run(self, order: RunOrder) -> JobEnd:
        """Run a job, whatever comes of it."""
        try:
            return self._done(order)
        except (errors.CorruptPartError, PolarsError) as error:
            return self._healed(order, error)
        except errors.FulltapeError as error:
            return JobEnd(
                id=order.id,
                outcome=_outcome(error),
                error=error.message,
                hint=error.hint,
                exit_code=error.exit_code,
            )
        except OSError as error:
            words = f"{error.filename or 'the disk'}: {error.strerror or error}"
            return JobEnd(id=order.id, outcome="failed", error=words, exit_code=errors.StorageError.exit_code)
        except Exception as error:  # noqa: BLE001 — a defect in one job must not end the others
            sys.stderr.write(traceback.format_exc())
            words = f"{type(error).__name__}: {error}"
            return JobEnd(
                id=order.id, outcome="failed", error=words, hint="This is a defect of fulltape.", exit_code=70
            )

    def _done(self, order: RunOrder) -> JobEnd:
        context = self._opened()
        wall = SystemClock(context.ledger.boots.anchor)
        budget = Budget(
            seconds=order.budget, stop=self._stop, stopped=order.stopped, unreachable=order.unreachable
        )
        report = jobs.run(jobs.get(order.job), context, wall, JobEvents(order, self._lines), budget)
        again = report.worth_again if report is not None else None
        out = _out(report)
        if report is not None and report.failure and not self._stop.is_set():
            return JobEnd(
                id=order.id, outcome="failed", error=report.failure, exit_code=errors.StorageError.exit_code
            )
        return JobEnd(
            id=order.id,
            outcome="stopped" if self._stop.is_set() else "done",
            complete=report is None or report.whole,
            numbers=jobs.numbers(report),
            triggers=report.triggers if report is not None else (),
            again_in=None if again is None else max(_LEAST_AGAIN, (again - wall.steady()) / SECOND),
            stopped=out.stopped if out else {},
            unreachable=out.unreachable if out else {},
            full=out.full if out else "",
        )

    def _healed(self, order: RunOrder, error: Exception) -> JobEnd:
        """A file cannot be read: everything is verified, so that what is damaged is withdrawn and made again."""
        context = self._opened()
        wall = SystemClock(context.ledger.boots.anchor)
        jobs.get("verify").run(context, wall, lambda _: None, Budget(seconds=_EVERYTHING, stop=self._stop))
        return JobEnd(
            id=order.id,
            outcome="failed",
            error=str(error),
            hint="Every file was verified; what is damaged is made again.",
            exit_code=errors.StorageError.exit_code,
            triggers=_HEALING,
        )


def _outcome(error: errors.FulltapeError) -> str:
    return "busy" if isinstance(error, errors.BusyError) else "failed"


class _Out(msgspec.Struct):
    stopped: dict[str, str]
    unreachable: dict[str, str]
    full: str


def _out(report: StageReport | None) -> _Out | None:
    """The sources that a job which fetches could not ask."""
    if isinstance(report, BackfillReport):
        return _Out(dict(report.out.stopped), dict(report.out.unreachable), report.out.full)
    if isinstance(report, ClosedGaps):
        filled = report.filled
        return _Out(dict(filled.stopped), dict(filled.unreachable), filled.full)
    return None


def _live(lines: WorkerVoice) -> None:
    """Say now and then that this process is not stuck as a whole."""
    while True:
        lines.say(WorkerAlive())
        clock.pause(_ALIVE_EVERY)


def main() -> None:
    """Take lines until the input ends."""
    os.nice(NICE)
    log.choose(json=os.environ.get("FULLTAPE_LOG") == "json")
    first = sys.stdin.buffer.readline()
    if not first:
        return
    # What else is printed must not get between the lines.
    lines = WorkerVoice(os.dup(1))
    os.dup2(2, 1)
    threading.Thread(target=_live, args=(lines,), name="alive", daemon=True).start()
    worker = JobWorker(msgspec.json.decode(first, type=Setup), lines)
    for line in sys.stdin.buffer:
        worker.take(msgspec.json.decode(line, type=RunOrder))
    worker.end()


if __name__ == "__main__":
    main()
