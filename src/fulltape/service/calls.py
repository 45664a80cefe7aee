"""Children that the supervisor lets do what may take long: reading the settings, and sending messages. They read a line and say a
few."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import msgspec

from fulltape.service.config import encode


class ChildCall:
    """A child that runs one module, is given a line, and whose words are collected until it ends."""

    def __init__(self, module: str, line: msgspec.Struct) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._said = b""
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.write(encode(line))
            self._child.stdin.close()

    @property
    def fd(self) -> int:
        """The file number on which it speaks."""
        assert self._child.stdout is not None
        return self._child.stdout.fileno()

    def came(self) -> bool:
        """Read what has come; whether it has ended."""
        assert self._child.stdout is not None
        piece = self._child.stdout.read1(1 << 16)  # type: ignore[attr-defined]
        self._said += piece
        return not piece

    def result(self) -> tuple[int, bytes]:
        """Its status and all that it said, once it has ended."""
        status = self._child.wait()
        assert self._child.stdout is not None
        self._child.stdout.close()
        return status, self._said

    def wait(self) -> tuple[int, bytes]:
        """The same, waiting for it."""
        while not self.came():
            pass
        return self.result()

    def kill(self) -> None:
        """End it at once."""
        self._child.kill()
        self._child.wait()
