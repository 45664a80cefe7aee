"""Workers: processes that come when there is work and go when there is none, so that their memory returns to the machine."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from fulltape import clock
from fulltape.schedule.rules import Lane
from fulltape.service import config
from fulltape.service.config import RunOrder, Setup, WorkerLine

SLOTS: Mapping[str, tuple[Lane, ...]] = {"fetch": ("seal", "fetch"), "heavy": ("heavy",)}
"""The workers by name, each with the lanes of which it runs jobs."""
_IDLE = 5.0
"""Seconds after which a worker without work is let go."""
_ALLOCATOR = {"_RJEM_MALLOC_CONF": "dirty_decay_ms:0,muzzy_decay_ms:0"}
"""What polars' allocator does not need goes back to the machine at once."""
_PIECE = 1 << 16


def slot_of(lane: Lane) -> str:
    """The worker that runs a lane's jobs."""
    return next(name for name, some in SLOTS.items() if lane in some)


@dataclass(slots=True)
class WorkerProcess:
    """One worker; `running` are the orders that it has been given and has not ended."""

    slot: str
    child: subprocess.Popen[bytes]
    running: dict[int, RunOrder] = field(default_factory=dict)
    idle_since: float = 0.0
    heard: float = 0.0
    """When it was started, or last said anything, in steady seconds."""
    leaving: bool = False
    _rest: bytes = b""

    @property
    def fd(self) -> int:
        """The file number on which it says how it goes."""
        assert self.child.stdout is not None
        return self.child.stdout.fileno()

    def give(self, order: RunOrder) -> None:
        """Let it run a job."""
        self.running[order.id] = order
        self.send(config.encode(order))

    def leave(self) -> None:
        """Ask it to stop: what it is at ends as soon as it can."""
        self.leaving = True
        assert self.child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.child.stdin.close()

    def read(self) -> list[WorkerLine] | None:
        """What it has said; None once it says nothing more, since it has ended."""
        piece = os.read(self.fd, _PIECE)
        if not piece:
            return None
        *lines, self._rest = (self._rest + piece).split(b"\n")
        return [config.worker_line(line) for line in lines]

    def send(self, line: bytes) -> None:
        """A line; one that has died is found by the end of what it says."""
        assert self.child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.child.stdin.write(line)
            self.child.stdin.flush()


class Workers:
    """The workers that are there."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self.all: list[WorkerProcess] = []

    def configure(self, setup: Setup) -> None:
        """Those that come from now on use these settings; those that are there end with what they are at."""
        self._setup = setup
        for worker in self.all:
            worker.leaving = True

    def run(self, order: RunOrder) -> WorkerProcess:
        """Give an order to the worker of its lane; it is started where it is not there."""
        slot = slot_of(order.lane)
        worker = next((there for there in self.all if there.slot == slot and not there.leaving), None)
        if worker is None:
            worker = self._start(slot)
        worker.give(order)
        return worker

    def _start(self, slot: str) -> WorkerProcess:
        child = subprocess.Popen(
            [sys.executable, "-m", "fulltape.service.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **_ALLOCATOR},
            # A terminal's Ctrl-C reaches the supervisor, which stops everything in order.
            start_new_session=True,
        )
        worker = WorkerProcess(
            slot=slot, child=child, idle_since=clock.steady_seconds(), heard=clock.steady_seconds()
        )
        worker.send(config.encode(self._setup))
        self.all.append(worker)
        return worker

    def let_go(self, now: float) -> None:
        """Let workers go that have had no work for a while, or that have ended what they were at and are to leave."""
        for worker in self.all:
            if worker.running:
                worker.idle_since = now
            elif worker.leaving or now - worker.idle_since >= _IDLE:
                worker.leave()

    def gone(self, worker: WorkerProcess) -> int:
        """Forget one that has ended; its status."""
        self.all.remove(worker)
        for pipe in (worker.child.stdin, worker.child.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        return worker.child.wait()

    def kill(self) -> None:
        """End all of them at once: what they had made durable stays."""
        for worker in self.all:
            worker.child.kill()
