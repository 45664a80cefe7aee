"""A service in a process of its own over a node of a test, what it shows, and a place that hears its messages."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from fulltape.service import control, memory, shown
from fulltape.service.control import ControlReply, ControlRequest
from fulltape.service.memory import LastRun
from fulltape.service.shown import ServiceState

PATIENCE = 90.0
NO_WAIT = """
[node]
clock_wait = "0s"
min_free = "1MB"
[web]
enabled = false
[schedule.curate]
spacing = "0s"
[schedule.audit]
spacing = "0s"
"""
"""In the settings of a node that does not wait for the machine's clock, nor for room on its disk."""


def until(
    happened: Callable[[], object], seconds: float = PATIENCE, about: Callable[[], object] = str
) -> None:
    """Wait for something; fail where it does not come."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"it did not happen in time: {about()}"
        time.sleep(0.05)


def lives(process: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@dataclass
class Service:
    """A running service."""

    folder: Path
    process: subprocess.Popen[str]
    log: Path

    @property
    def state(self) -> ServiceState | None:
        """What it shows, once it does."""
        state = shown.read(self.folder)
        return state if state and state.process == self.process.pid else None

    def last(self, entry: str) -> LastRun:
        """How an entry ran last."""
        state = self.state
        return (
            next((told.last for told in state.entries if told.name == entry), LastRun())
            if state
            else LastRun()
        )

    def ready(self) -> None:
        """Wait until it runs."""
        self.until(lambda: self.state is not None)

    def until(self, happened: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Wait for something while it runs."""
        until(lambda: self.process.poll() is not None or happened(), seconds, self.said)
        assert self.process.poll() is None, self.said()

    def idle(self) -> bool:
        """Whether nothing runs, and nothing is requested."""
        state = self.state
        return state is not None and not state.running and not any(entry.waiting for entry in state.entries)

    def said(self) -> str:
        """Its log."""
        return self.log.read_text()

    def ask(self, **what: Any) -> ControlReply:
        """Ask it for something."""
        return control.request(self.folder, ControlRequest(**what))

    def ran(self, entry: str) -> LastRun:
        """Let it run an entry, and wait for its end."""
        before = self.last(entry).started
        assert self.ask(do="run", name=entry).ok
        self.until(lambda: self.last(entry).started > before and self.last(entry).ended)
        return self.last(entry)

    def children(self) -> set[int]:
        """The process numbers of everything that it has started."""
        return {
            int(path.name)
            for path in Path("/proc").iterdir()
            if path.name.isdecimal() and _parent(path) == self.process.pid
        }

    def kill(self) -> None:
        """As a power cut does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def _parent(path: Path) -> int:
    try:
        return int((path / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def begin(folder: Path, log: Path) -> Service:
    """Start a service; the caller ends it."""
    with log.open("a") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "fulltape.service", str(folder)],
            stderr=out,
            stdout=out,
            text=True,
            env={**os.environ, "FULLTAPE_LOG": "text"},
        )
    return Service(folder=folder, process=process, log=log)


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Service]:
    """A service while the block runs; it is ended in order."""
    service = begin(folder, folder.parent / "service.log")
    try:
        service.ready()
        yield service
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(60) == 0, service.said()
    finally:
        service.process.kill()
        service.process.wait()


def runs(folder: Path, entry: str) -> list[memory.RunRecord]:
    """All runs of an entry, oldest first."""
    return [run for run in reversed(memory.runs(folder, 10_000)) if run.entry == entry]


@dataclass
class Hearing:
    """A server that hears messages."""

    url: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    beats: int = 0
    status: int = 200
    beat_status: int = 200

    def told(self) -> list[tuple[str, str]]:
        """(key, state) of every message."""
        return [(message["key"], message["state"]) for message in self.messages]


@contextlib.contextmanager
def hearing() -> Iterator[Hearing]:
    """A webhook, and a place for signs of life."""
    heard = Hearing(url="")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if heard.status == 200:
                heard.messages.append(json.loads(body))
            self._end(heard.status)

        def do_GET(self) -> None:
            heard.beats += 1
            self._end(heard.beat_status)

        def _end(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    heard.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
