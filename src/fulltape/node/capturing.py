"""Orders for the capture process, out of the settings; and the process itself, started and stopped in order."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from fulltape import clock, errors
from fulltape.capture import config
from fulltape.capture.config import CaptureConfig, SourceConfig
from fulltape.context import NodeContext
from fulltape.contract.plans import Delayed
from fulltape.contract.streams import Subscription
from fulltape.lake import journal
from fulltape.lake.layout import Layout
from fulltape.settings.load import Loaded

_LONGEST_PAUSE = 60.0
_MOST_DOUBLINGS = 10
_PATIENCE = 20.0
"""Seconds in which a capture process that was asked to stop makes everything durable."""


def told(loaded: Loaded, context: NodeContext) -> CaptureConfig:
    """Everything that a capture process needs to know; `ConfigError` where nothing is to be captured."""
    values = loaded.values.capture
    feeds = tuple(_feeds(loaded, context))
    if not feeds:
        raise errors.ConfigError(
            "no dataset is captured live.",
            where=str(loaded.where("dataset")),
            hint='Add live = ["SOURCE"] to a dataset; fulltape vendors tells which sources stream.',
        )
    return CaptureConfig(
        lake=str(context.layout.root.resolve()),
        writer=context.capture_writer,
        feeds=feeds,
        flush_interval=values.flush_interval,
        rotate_every=values.rotate_every,
        rotate_bytes=values.rotate_bytes,
        queue_bytes=values.queue_bytes,
        stale_after=values.stale_after,
        compress=values.compress,
    )


def _feeds(loaded: Loaded, context: NodeContext) -> Iterator[SourceConfig]:
    subscriptions: dict[str, list[Subscription]] = {}
    for name, wanted in context.wanted.items():
        for source in wanted.live:
            spelled = context.spellings.get(source, {})
            subscriptions.setdefault(source, []).extend(
                Subscription(dataset=name, symbol=one.symbol, spelling=spelled.get(one.symbol, ""))
                for one in wanted.instruments.values()
            )
    for source, found in subscriptions.items():
        vendor = context.feeds[source].vendor
        account = context.accounts[vendor]
        settings = loaded.values.vendor[vendor]
        spec = context.vendors[vendor].SPEC
        late = spec.delayed.get(settings.plan or spec.default_plan, Delayed(seconds=0, host=""))
        if found:
            yield SourceConfig(
                source=source,
                vendor=vendor,
                subscriptions=tuple(found),
                url=(settings.stream_url or late.host).rstrip("/"),
                base_url=settings.base_url.rstrip("/"),
                secrets=dict(account.secrets),
                timeout=settings.timeout,
                delay=late.seconds if settings.stream_delay is None else settings.stream_delay,
            )


class CaptureChild:
    """A running capture process; it is told its orders over its standard input, so that no key is seen outside."""

    def __init__(self, told: CaptureConfig) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "fulltape.capture"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        assert self._child.stdin is not None
        # It stays open: its end tells the process to stop. One that has died already is found by
        # its status.
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.write(config.encode(told) + b"\n")
            self._child.stdin.flush()

    @property
    def id(self) -> int:
        """The process's number."""
        return self._child.pid

    def ended(self) -> int | None:
        """Its exit status, None while it runs."""
        return self._child.poll()

    def stop(self) -> int:
        """Ask it to make everything durable and end; kill it where it does not."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
        try:
            return self._child.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._child.kill()
            return self._child.wait()
        finally:
            if self._child.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    self._child.stdin.close()


class CaptureProcess:
    """Keeps a capture process running: one that ends on its own is started again, after a pause that doubles."""

    def __init__(self, told: CaptureConfig, say: Callable[[str], None]) -> None:
        self._told, self._say = told, say
        self._process = CaptureChild(told)
        self._ended = 0
        self._again_at: float | None = None

    @property
    def id(self) -> int:
        """The number of the process at the moment."""
        return self._process.id

    def look(self) -> None:
        """Start it again where that is due."""
        status = self._process.ended()
        if status is None:
            return
        if self._again_at is None:
            pause = min(_LONGEST_PAUSE, 2.0 ** min(self._ended, _MOST_DOUBLINGS))
            self._again_at = clock.steady_seconds() + pause
            self._ended += 1
            self._say(f"the capture process ended with status {status}; it is started again in {pause:g} s")
        elif clock.steady_seconds() >= self._again_at:
            self._again_at = None
            self._process.stop()
            self._process = CaptureChild(self._told)

    def stop(self) -> int:
        """End it in order; its exit status."""
        return self._process.stop()


class Sealer:
    """Seals closed journals in a process of its own, one at a time, so that nothing heavy runs beside the sockets."""

    def __init__(self, layout: Layout, folder: Path, sources: Collection[str]) -> None:
        self._layout, self._folder, self._sources = layout, folder, sources
        self._child: subprocess.Popen[bytes] | None = None
        self._not_before = 0.0

    def look(self) -> None:
        """Start one where a closed journal waits and none is at work."""
        if self._child is not None:
            status = self._child.poll()
            if status is None:
                return
            if status:  # it has said why; another stage may be at work
                self._not_before = clock.steady_seconds() + _LONGEST_PAUSE / 2
            self._child = None
        if clock.steady_seconds() < self._not_before:
            return
        if any(not journal.in_use(path) for path in self._closed()):
            self._start()

    def finish(self) -> None:
        """Seal what is left, and wait for it."""
        if self._child is not None:
            self._child.wait()
        if self._closed():
            self._start().wait()

    def _closed(self) -> list[Path]:
        """Journals of what is captured; those of other sources wait until theirs is captured again."""
        return [path for path in self._layout.captured_files() if path.parent.name in self._sources]

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "fulltape", "seal", "--fill", "--quiet", "--node", str(self._folder)]
        self._child = subprocess.Popen(command)
        return self._child
