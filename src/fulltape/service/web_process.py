"""The process that serves the pages: started, watched, and ended with the service."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys

from fulltape import clock
from fulltape.service.config import WebSettingsConfig, encode
from fulltape.service.sentences import Say

_LONGEST_PAUSE = 60.0
_MOST_DOUBLINGS = 6
_STEADY = 60.0
"""A process that has run for so many seconds was well."""
_PATIENCE = 5.0


def unusable(host: str, port: int) -> str:
    """Why an address cannot be served, as a sentence; '' where it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            return f"the pages cannot be served at {host}:{port}: {error.strerror or error}; see [web] host and port."
    return ""


class WebProcess:
    """Keeps it running: one that ends on its own is started again, after a pause that doubles."""

    def __init__(self, web: WebSettingsConfig, say: Say) -> None:
        self._config, self._say = web, say
        self._child: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._again_at = 0.0
        self.failures = 0
        """How often it has ended on its own without having been well for a while between."""

    @property
    def id(self) -> int:
        """The number of the process; 0 where there is none."""
        return self._child.pid if self._child else 0

    def look(self) -> None:
        """Start it where it is not there, and is to be."""
        now = clock.steady_seconds()
        status = self._child.poll() if self._child else None
        if self._child is not None and status is None:
            if self.failures and now - self._began >= _STEADY:
                self.failures = 0
            return
        if self._child is not None:
            self.failures += 1
            pause = min(_LONGEST_PAUSE, 2.0 ** min(self.failures - 1, _MOST_DOUBLINGS))
            self._again_at = now + pause
            self._say(f"the pages ended with status {status}; they are started again in {pause:g} s")
            self._let_go()
        if now >= self._again_at:
            self._start(now)

    def configure(self, web: WebSettingsConfig) -> None:
        """Serve by these settings from now on."""
        if web != self._config:
            self.stop()
            self._config, self.failures, self._again_at = web, 0, 0.0

    def stop(self) -> None:
        """End it: the end of its input asks it to."""
        if self._child is None:
            return
        child = self._child
        assert child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
        try:
            child.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        self._child = None

    def _start(self, now: float) -> None:
        self._began = now
        self._child = subprocess.Popen(
            [sys.executable, "-m", "fulltape.web"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.write(encode(self._config))
            self._child.stdin.flush()

    def _let_go(self) -> None:
        if self._child is not None and self._child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._child.stdin.close()
        self._child = None
