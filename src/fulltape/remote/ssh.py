"""Objects in a folder of another machine, by the system's OpenSSH; there a POSIX shell is enough."""

from __future__ import annotations

import io
import shlex
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from fulltape import errors
from fulltape.lake import files
from fulltape.lake.objects import Content, StoredObject, check_key, pieces

_GONE = 44
_THERE = 45
_OLD = 24 * 60
"""Minutes after which a file that a writer has left is removed."""


class SshMachine:
    """A machine that commands are run on, by the settings, keys and agents of the system's ssh."""

    def __init__(self, host: str, port: str = "") -> None:
        self.host = host
        self._ssh = ["ssh", "-o", "BatchMode=yes", *(["-p", port] if port else []), "--", host]

    def started(self, command: str, *, fed: bool = False) -> subprocess.Popen[bytes]:
        """A command that runs; `fed` by what is written to it."""
        try:
            return subprocess.Popen(
                [*self._ssh, command],
                stdin=subprocess.PIPE if fed else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except FileNotFoundError:
            raise errors.TransportError(
                "there is no ssh on this machine.", hint="Install OpenSSH's client."
            ) from None

    def said(self, command: str) -> bytes:
        """What a command prints; `TransportError` where it fails."""
        with self.started(command) as process:
            out, complaint = process.communicate()
        self.check(process.returncode, complaint)
        return out

    def check(self, status: int, complaint: bytes) -> None:
        """Raise `TransportError` with what the machine complaint, where a command has failed."""
        if status:
            words = complaint.decode(errors="replace").strip().splitlines()
            raise errors.TransportError(f"ssh {self.host}: {words[-1] if words else f'status {status}'}.")


class SshObjects:
    """See `lake.objects.Objects`."""

    def __init__(self, machine: SshMachine, root: str) -> None:
        self._machine, self._root = machine, root.rstrip("/") or "/"

    def is_there(self) -> bool:
        """Whether the folder is there."""
        return self._said(f"[ -d {shlex.quote(self._root)} ] && echo 1 || true").strip() == b"1"

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """See `Objects`."""
        root = shlex.quote(self._root)
        command = f"if [ -d {root} ]; then cd {root} && find . -type f ! -name '{files.TEMPORARY}*' -exec wc -c {{}} +; fi"
        there = {}
        for line in self._said(command).decode("utf-8", "replace").splitlines():
            size, _, path = line.strip().partition(" ")
            if path.startswith("./"):
                there[path.removeprefix("./")] = int(size)
        for key in sorted(there):
            if key.startswith(prefix):
                yield StoredObject(key=key, size=there[key])

    def open(self, key: str, offset: int = 0) -> BinaryIO:
        """See `Objects`."""
        path = self._path(key)
        # A first byte tells that it is there, before any of its content.
        command = f"[ -f {path} ] || exit {_GONE}; exec 3< {path} && printf + && tail -c +{offset + 1} <&3"
        process = self._started(command)
        assert process.stdout is not None
        if process.stdout.read(1) != b"+":
            _, complaint = process.communicate()
            if process.returncode == _GONE:
                raise errors.MissingObjectError(f"there is no {key} in {self._where}.")
            self._check(process.returncode, complaint, key)
        return cast("BinaryIO", io.BufferedReader(_Output(process, self, key)))

    def write(self, key: str, content: Content, *, only_new: bool = False) -> StoredObject:
        """See `Objects`."""
        path = self._path(key)
        folder = f"{self._root}/{key}".rpartition("/")[0]
        quoted, temporary = shlex.quote(folder), shlex.quote(f"{folder}/{files.TEMPORARY}{uuid.uuid4().hex}")
        try:
            size = self._fill(
                key,
                f"mkdir -p {quoted} && cat > {temporary} && {_synced(temporary)} && wc -c < {temporary}",
                content,
            )
            if only_new:
                named = f"{{ ln {temporary} {path} 2>/dev/null || {{ [ -e {path} ] && exit {_THERE}; exit 1; }}; }}"
            else:
                named = f"[ ! -d {path} ] && mv -f {temporary} {path}"
            # It gets its name by a second command: what a broken line has cut off looks like an end.
            process = self._started(f"{named} && {_synced(quoted)}")
            _, complaint = process.communicate()
            self._check_named(process.returncode, complaint, key)
        except BaseException:
            self._started(f"rm -f {temporary}").communicate()
            raise
        if only_new:
            self._said(f"rm -f {temporary}")
        return StoredObject(key=key, size=size)

    def delete(self, key: str) -> None:
        """See `Objects`."""
        path = self._path(key)
        self._said(f"if [ -f {path} ]; then rm -f {path}; fi")

    def tidy(self) -> None:
        """See `Objects`: of what is older than a day, since nothing there tells whether it is still being written."""
        root = shlex.quote(self._root)
        self._said(
            f"if [ -d {root} ]; then find {root} -type f -name '{files.TEMPORARY}*' -mmin +{_OLD} -exec rm -f {{}} +; fi"
        )

    def _fill(self, key: str, command: str, content: Content) -> int:
        """Write the content into a command; its length, as the other machine has counted it too."""
        sent = 0
        process = self._started(command, fed=True)
        assert process.stdin is not None
        try:
            for piece in pieces(content):
                process.stdin.write(piece)
                sent += len(piece)
            process.stdin.close()
        except BrokenPipeError:  # it has ended; what it says comes now
            pass
        except BaseException:
            process.kill()
            process.communicate()
            raise
        process.stdin = None
        out, complaint = process.communicate()
        self._check(process.returncode, complaint, key)
        if int(out or b"-1") != sent:
            raise errors.StorageError(
                f"{self._where}/{key}: {int(out or b'0'):,} of {sent:,} bytes came there."
            )
        return sent

    def _check_named(self, status: int, complaint: bytes, key: str) -> None:
        if status == _THERE:
            raise errors.ObjectExistsError(f"{key} is in {self._where} already.")
        self._check(status, complaint, key)

    @property
    def _where(self) -> str:
        return f"{self._machine.host}:{self._root}"

    def _path(self, key: str) -> str:
        return shlex.quote(f"{self._root}/{check_key(key)}")

    def _started(self, command: str, *, fed: bool = False) -> subprocess.Popen[bytes]:
        return self._machine.started(command, fed=fed)

    def _said(self, command: str) -> bytes:
        process = self._started(command)
        out, complaint = process.communicate()
        self._check(process.returncode, complaint, "")
        return out

    def _check(self, status: int, complaint: bytes, key: str) -> None:
        try:
            self._machine.check(status, complaint)
        except errors.TransportError as error:
            raise errors.StorageError(f"{self._where}/{key}: {error.message}") from None


class _Output(io.RawIOBase):
    """What a command prints, as a file; that it has failed is an error at its end."""

    def __init__(self, process: subprocess.Popen[bytes], store: SshObjects, key: str) -> None:
        self._process, self._store, self._key = process, store, key
        self._ended = False

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See `io.RawIOBase`."""
        if self._ended:
            return 0
        assert self._process.stdout is not None
        piece = self._process.stdout.read(len(buffer))
        if not piece:
            self._ended = True
            _, complaint = self._process.communicate()
            self._store._check(self._process.returncode, complaint, self._key)  # noqa: SLF001 — of this file
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        """Let go of the command, whether it is at its end or not."""
        if not self.closed and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()
        super().close()


def _synced(path: str) -> str:
    return f"{{ sync {path} 2>/dev/null || sync; }}"
