"""The capture process, started, watched, told of new settings, and stopped in order."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
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
_SILENT = 60.0
"""It says each second how it is: one that has said nothing for so many seconds hangs."""
_STEADY = 60.0
"""A process that has run for so many seconds was well: the next pause is the first one again."""


class CaptureChild:
    """A running capture process; it is told its orders over its standard input, so that no key is seen outside."""

    def __init__(self, capture_config: CaptureConfig) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "fulltape.capture"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        self._turn = threading.Lock()
        # Its input stays open: its end tells the process to stop.
        self.configure(capture_config)

    def configure(self, capture_config: CaptureConfig) -> None:
        """Tell it what to capture from now on; one that has died is found by its status. Does not wait for one that hangs: a
        pipe holds less than a large universe."""
        line = config.encode(capture_config) + b"\n"
        threading.Thread(target=self._write, args=(line,), name="orders", daemon=True).start()

    def _write(self, line: bytes) -> None:
        assert self._child.stdin is not None
        # One that ends meanwhile closes the pipe, or we have.
        with self._turn, contextlib.suppress(BrokenPipeError, ValueError):
            self._child.stdin.write(line)
            self._child.stdin.flush()

    def kill(self) -> None:
        """End it at once: what it had acknowledged is durable."""
        self._child.kill()

    def ask_to_end(self) -> None:
        """Ask it to make everything durable and end."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)

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
        self._said, self._heard = 0, 0.0
        self._end_by: float | None = None
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
            self._kill_if_silent()
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

    def end(self, seconds: float, now: float) -> bool:
        """Ask it to end, once, and whether it has; after so many seconds from then (steady) it is killed. Does not wait."""
        if self._process is None:
            return True
        if self._end_by is None:
            self._process.ask_to_end()
            self._end_by = now + min(seconds, _PATIENCE)
        self._end_by = min(self._end_by, now + seconds)
        if self._process.ended() is None and now >= self._end_by:
            self._process.kill()
        if self._process.ended() is None:
            return False
        self.status = self._process.stop(1.0)
        return True

    def _kill_if_silent(self) -> None:
        """A process that says nothing of itself for long hangs; what it had acknowledged is durable."""
        state, now = capture_state.read(self._state), clock.steady_seconds()
        said = state.at if state is not None and state.process == self.id else 0
        if said != self._said:
            self._said, self._heard = said, now
        if now - max(self._heard, self._began) >= _SILENT and self._process:
            self._say("the capture process gives no sign of life; it is killed")
            self._process.kill()

    def stop(self, seconds: float) -> bool:
        """See `Service`. What does not end is killed: what it had acknowledged is durable."""
        if self._process:
            self.status = self._process.stop(min(seconds, _PATIENCE))
        return True
