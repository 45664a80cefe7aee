"""The capture process, started, watched, told of new settings, and stopped in order."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from fulltape import clock
from fulltape.capture import config
from fulltape.capture.config import CaptureConfig
from fulltape.lake import capture_state

_LONGEST_PAUSE = 60.0
_MOST_DOUBLINGS = 10
_PATIENCE = 20.0
"""Seconds in which a capture process that was asked to stop makes everything durable, at most."""
_STEADY = 60.0
"""A process that has run for so many seconds was well: the next pause is the first one again."""


class CaptureChild:
    """A running capture process; it is told its orders over its standard input, so that no key is seen outside."""

    def __init__(self, capture_config: CaptureConfig) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "fulltape.capture"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        # Its input stays open: its end tells the process to stop.
        self.configure(capture_config)

    def configure(self, capture_config: CaptureConfig) -> None:
        """Tell it what to capture from now on; one that has died is found by its status."""
        assert self._child.stdin is not None
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
        self._began = 0.0
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
        self._began = clock.steady_seconds()
        self._process = CaptureChild(self._capture_config)

    def configure(self, capture_config: CaptureConfig) -> None:
        """Capture this from now on: of the sources only those that differ begin anew."""
        self._capture_config = capture_config
        if self._process and self._process.ended() is None:
            self._process.configure(capture_config)

    @property
    def failures(self) -> int:
        """How often it has ended on its own without having been well for a while between."""
        return self._ended

    @property
    def ready(self) -> bool:
        """See `Service`."""
        state = capture_state.read(self._state)
        return state is not None and state.running and state.process == self.id

    def look(self) -> None:
        """See `Service`."""
        status = self._process.ended() if self._process else None
        if status is None:
            if self._ended and clock.steady_seconds() - self._began >= _STEADY:
                self._ended = 0
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
