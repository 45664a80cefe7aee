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
from fulltape.lake import capture_state, journal
from fulltape.lake.layout import Layout
from fulltape.settings.load import Loaded

_LONGEST_PAUSE = 60.0
_MOST_DOUBLINGS = 10
_PATIENCE = 20.0
"""Seconds in which a capture process that was asked to stop makes everything durable, at most."""


def configuration(loaded: Loaded, context: NodeContext) -> CaptureConfig:
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
                Subscription(
                    dataset=name, symbol=instrument.symbol, spelling=spelled.get(instrument.symbol, "")
                )
                for instrument in wanted.instruments.values()
            )
    for source, subscribed in subscriptions.items():
        vendor = context.feeds[source].vendor
        account = context.accounts[vendor]
        settings = loaded.values.vendor[vendor]
        spec = context.vendors[vendor].SPEC
        late = spec.delayed.get(settings.plan or spec.default_plan, Delayed(seconds=0, host=""))
        if subscribed:
            yield SourceConfig(
                source=source,
                vendor=vendor,
                subscriptions=tuple(subscribed),
                url=(settings.stream_url or late.host).rstrip("/"),
                base_url=settings.base_url.rstrip("/"),
                secrets=dict(account.secrets),
                timeout=settings.timeout,
                delay=late.seconds if settings.stream_delay is None else settings.stream_delay,
                after=_newest(context, source),
            )


def _newest(context: NodeContext, source: str) -> str:
    """The newest journal of a source that the ledger knows, also if it is gone."""
    known = [capture.file for capture in context.ledger.captures.all(source)]
    return max((*known, *(consumer.file for consumer in context.ledger.consumers.of(source))), default="")


class CaptureChild:
    """A running capture process; it is told its orders over its standard input, so that no key is seen outside."""

    def __init__(self, capture_config: CaptureConfig) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "fulltape.capture"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        assert self._child.stdin is not None
        # It stays open: its end tells the process to stop. One that has died already is found by
        # its status.
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.write(config.encode(capture_config) + b"\n")
            self._child.stdin.flush()

    @property
    def id(self) -> int:
        """The process's number."""
        return self._child.pid

    def ended(self) -> int | None:
        """Its exit status, None while it runs."""
        return self._child.poll()

    def stop(self, seconds: float) -> int:
        """Ask it to make everything durable and end; kill it where it does not within so many seconds."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self._child.kill()
            return self._child.wait()
        finally:
            if self._child.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    self._child.stdin.close()


class CaptureProcess:
    """The service that captures: a process that ends on its own is started again, after a pause that doubles. `state` is where
    it tells how it is."""

    name = "capture"

    def __init__(self, capture_config: CaptureConfig, say: Callable[[str], None], state: Path) -> None:
        self._capture_config, self._say, self._state = capture_config, say, state
        self._process: CaptureChild | None = None
        self._ended = 0
        self._again_at: float | None = None
        self.status = 0
        """How it ended, once it was stopped."""

    @property
    def id(self) -> int:
        """The number of the process at the moment; 0 where there is none."""
        return self._process.id if self._process else 0

    def start(self) -> None:
        """See `Service`."""
        self._process = CaptureChild(self._capture_config)

    @property
    def ready(self) -> bool:
        """See `Service`."""
        state = capture_state.read(self._state)
        return state is not None and state.running and state.process == self.id

    def look(self) -> None:
        """See `Service`."""
        status = self._process.ended() if self._process else None
        if status is None:
            return
        if self._again_at is None:
            pause = min(_LONGEST_PAUSE, 2.0 ** min(self._ended, _MOST_DOUBLINGS))
            self._again_at = clock.steady_seconds() + pause
            self._ended += 1
            self._say(f"the capture process ended with status {status}; it is started again in {pause:g} s")
        elif clock.steady_seconds() >= self._again_at:
            self._again_at = None
            self.stop(_PATIENCE)
            self.start()

    def stop(self, seconds: float) -> bool:
        """See `Service`. What does not end is killed: what it had acknowledged is durable."""
        if self._process:
            self.status = self._process.stop(min(seconds, _PATIENCE))
        return True


class Sealer:
    """The service that seals closed journals, in a process of its own, one at a time, so that nothing heavy runs beside the
    sockets."""

    name = "sealing"

    def __init__(self, layout: Layout, folder: Path, sources: Collection[str]) -> None:
        self._layout, self._folder, self._sources = layout, folder, sources
        self._child: subprocess.Popen[bytes] | None = None
        self._not_before = 0.0

    def start(self) -> None:
        """See `Service`: it begins when a journal is closed."""

    @property
    def ready(self) -> bool:
        """See `Service`."""
        return True

    def look(self) -> None:
        """See `Service`: start a process where a closed journal waits and none is at work."""
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

    def stop(self, seconds: float) -> bool:
        """See `Service`: what is left is sealed first. What takes longer goes on by itself: it loses nothing."""
        until = clock.steady_seconds() + seconds
        if self._child is not None and not _ended(self._child, seconds):
            return False
        return not self._closed() or _ended(self._start(), max(0.0, until - clock.steady_seconds()))

    def _closed(self) -> list[Path]:
        """Journals of what is captured; those of other sources wait until theirs is captured again."""
        return [path for path in self._layout.captured_files() if path.parent.name in self._sources]

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "fulltape", "seal", "--fill", "--quiet", "--node", str(self._folder)]
        self._child = subprocess.Popen(command)
        return self._child


def _ended(child: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True
