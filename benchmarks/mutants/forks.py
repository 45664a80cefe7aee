"""Work in forked processes, several at once, each with a time limit that it sets itself step by step."""

from __future__ import annotations

import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

Told = dict[str, object]
Tell = Callable[[Told], None]
Work = Callable[[Tell], None]
What = TypeVar("What")

_START = 60.0
_MEMORY = 8 << 30
"""A changed loop that gathers without end must not take the machine with it."""


@dataclass(kw_only=True)
class Done(Generic[What]):
    """What became of one piece of work."""

    what: What
    told: list[Told] = field(default_factory=list)
    timed_out: bool = False
    seconds: float = 0.0


@dataclass(kw_only=True)
class _Child(Generic[What]):
    pid: int
    reader: int
    folder: Path
    began: float
    deadline: float
    done: Done[What]
    unread: bytes = b""


def run(work: Iterator[tuple[What, Work]], workers: int) -> Iterator[Done[What]]:
    """Do all work, so many pieces at once. A piece is taken from `work` only when there is room for it. A message with
    `limit` gives the piece so many seconds from then on."""
    running: list[_Child[What]] = []
    try:
        more = True
        while more or running:
            while more and len(running) < workers:
                piece = next(work, None)
                if piece is None:
                    more = False
                else:
                    running.append(_start(*piece))
            readable, _, _ = select.select([child.reader for child in running], [], [], 0.5)
            for child in list(running):
                if child.reader in readable and not _read(child):
                    pass
                elif time.monotonic() > child.deadline:
                    child.done.timed_out = True
                else:
                    continue
                running.remove(child)
                _end(child)
                yield child.done
    finally:
        for child in running:
            _end(child)


def _start(what: What, work: Work) -> _Child[What]:
    folder = Path(tempfile.mkdtemp(prefix="mutants-"))
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reader)
        _within(work, writer, folder)
    os.close(writer)
    now = time.monotonic()
    return _Child(
        pid=pid, reader=reader, folder=folder, began=now, deadline=now + _START, done=Done(what=what)
    )


def _within(work: Work, writer: int, folder: Path) -> None:
    """The whole life of the forked process."""

    def tell(what: Told) -> None:
        line = json.dumps(what).encode() + b"\n"
        while line:
            line = line[os.write(writer, line) :]

    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(quiet, stream)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        os.environ["PYTEST_DEBUG_TEMPROOT"] = os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
        work(tell)
        tell({"ended": True})
    except BaseException:  # noqa: BLE001
        tell({"broken": "".join(traceback.format_exception(*sys.exc_info()))[-2_000:]})
    finally:
        os._exit(0)


def _read(child: _Child[What]) -> bool:
    """Take what it has told; False where it has told all."""
    found = os.read(child.reader, 1 << 16)
    *lines, child.unread = (child.unread + found).split(b"\n")
    for line in lines:
        told = json.loads(line)
        child.done.told.append(told)
        if "limit" in told:
            child.deadline = time.monotonic() + told["limit"]
    return bool(found) and not any(
        "ended" in one or "broken" in one for one in child.done.told[-len(lines) :]
    )


def _end(child: _Child[What]) -> None:
    """The process and all that it has started are gone."""
    os.close(child.reader)
    for kill in (os.killpg, os.kill):
        try:
            kill(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    os.waitpid(child.pid, 0)
    shutil.rmtree(child.folder, ignore_errors=True)
    child.done.seconds = time.monotonic() - child.began
