"""Where bundles come from: a node's pages over HTTP, a folder, another machine over the system's OpenSSH."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from fulltape import errors
from fulltape.bundle.listing import is_day
from fulltape.bundle.manifest import MANIFEST
from fulltape.bundle.signature import SIGNATURE
from fulltape.lake.layout import Layout

_PIECE = 1 << 20
_NIGHTLY = Layout(root=Path("lake")).nightly
"""Of a node whose lake lies where it does without a setting; of another one the folder itself is named."""
_SSH = re.compile(r"(?:ssh://)?(?P<host>[^/:\s]+@[^/:\s]+|[^/:\s]+)(?P<port>:\d+)?(?::|(?=/))(?P<path>.+)")


class BundleSource(Protocol):
    """What a pull needs of a source; `TransportError` where it does not answer."""

    def days(self) -> list[str]:
        """The names of the bundles that are there."""
        ...

    def read(self, day: str, path: str, offset: int = 0) -> Iterator[bytes]:
        """The bytes of a file from an offset on."""
        ...

    def signature(self, day: str) -> bytes | None:
        """The signature of a bundle's checksums; None where it has none."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class FolderSource:
    """A folder of bundles, or a node."""

    def __init__(self, folder: Path) -> None:
        nightly = folder / _NIGHTLY
        self._root = nightly if nightly.is_dir() else folder

    def days(self) -> list[str]:
        """See `BundleSource`."""
        try:
            return [path.name for path in self._root.iterdir() if is_day(path.name)]
        except OSError as error:
            raise errors.TransportError(f"{self._root}: {error.strerror}.") from error

    def read(self, day: str, path: str, offset: int = 0) -> Iterator[bytes]:
        """See `BundleSource`."""
        try:
            with (self._root / day / path).open("rb") as file:
                file.seek(offset)
                while piece := file.read(_PIECE):
                    yield piece
        except OSError as error:
            raise errors.TransportError(f"{self._root / day / path}: {error.strerror}.") from error

    def signature(self, day: str) -> bytes | None:
        """See `BundleSource`."""
        path = self._root / day / SIGNATURE
        return path.read_bytes() if path.is_file() else None

    def close(self) -> None:
        """See `BundleSource`: nothing is held."""


class SshSource:
    """A folder, or a node, of another machine; by the settings, keys and agents of the system's ssh."""

    def __init__(self, host: str, port: str, path: str) -> None:
        self._ssh = ["ssh", "-o", "BatchMode=yes", *(["-p", port] if port else []), "--", host]
        self._path, self._host = path.rstrip("/"), host
        self._root = ""

    def days(self) -> list[str]:
        """See `BundleSource`."""
        nightly = f"{self._path}/{_NIGHTLY.as_posix()}"
        names = self._text(
            f"if [ -d {shlex.quote(nightly)} ]; then echo 1; ls -1 {shlex.quote(nightly)}; else echo 0; ls -1 {shlex.quote(self._path)}; fi"
        )
        first, *rest = names.splitlines()
        self._root = nightly if first == "1" else self._path
        return rest

    def read(self, day: str, path: str, offset: int = 0) -> Iterator[bytes]:
        """See `BundleSource`."""
        if not self._root:
            self.days()
        command = f"tail -c +{offset + 1} {shlex.quote(f'{self._root}/{day}/{path}')}"
        with subprocess.Popen(
            [*self._ssh, command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            while piece := process.stdout.read(_PIECE):
                yield piece
            said = process.stderr.read()
        self._check(process.returncode, said)

    def signature(self, day: str) -> bytes | None:
        """See `BundleSource`."""
        if not self._root:
            self.days()
        text = self._text(f"cat {shlex.quote(f'{self._root}/{day}/{SIGNATURE}')} 2>/dev/null || true")
        return text.encode() or None

    def close(self) -> None:
        """See `BundleSource`: nothing is held."""

    def _text(self, command: str) -> str:
        try:
            done = subprocess.run(
                [*self._ssh, command], stdin=subprocess.DEVNULL, capture_output=True, check=False
            )
        except FileNotFoundError:
            raise errors.TransportError(
                "there is no ssh on this machine.", hint="Install OpenSSH's client."
            ) from None
        self._check(done.returncode, done.stderr)
        return done.stdout.decode()

    def _check(self, status: int, said: bytes) -> None:
        if status:
            words = said.decode(errors="replace").strip().splitlines()
            raise errors.TransportError(f"ssh {self._host}: {words[-1] if words else f'status {status}'}.")


def of(text: str, token: str) -> BundleSource:
    """A source as it is written: an address of HTTP, a folder, or HOST:PATH; `UsageError` for anything else."""
    if "/bundles/" in text and text.lower().startswith(("http://", "https://")):
        raise errors.UsageError(
            f"{text} is one bundle.", hint="Name the node's address, and the day with --day."
        )
    if text.lower().startswith(("http://", "https://")):
        from fulltape.bundle.http import HttpSource

        return HttpSource(text.rstrip("/"), token)
    if (Path(text).expanduser() / MANIFEST).is_file():
        raise errors.UsageError(
            f"{text} is one bundle.", hint="Name the folder that it lies in, and the day with --day."
        )
    if Path(text).expanduser().exists():
        return FolderSource(Path(text).expanduser())
    match = _SSH.fullmatch(text)
    plain = "://" not in text.removeprefix("ssh://")
    if match and plain and ":" in text and not match["host"].startswith("-"):
        return SshSource(match["host"], (match["port"] or "").lstrip(":"), match["path"])
    raise errors.UsageError(
        f"{text!r} is no source: there is no such folder.",
        hint="Write http://node:8470, user@host:/path, or a folder.",
    )
