"""Where bundles come from: a node's pages over HTTP, a folder, another machine over the system's OpenSSH, object storage."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from fulltape import errors
from fulltape.bundle.listing import is_day
from fulltape.bundle.manifest import MANIFEST
from fulltape.bundle.objects import ObjectsSource
from fulltape.bundle.signature import SIGNATURE
from fulltape.lake.layout import Layout
from fulltape.remote import address
from fulltape.remote.index import POINTER
from fulltape.remote.ssh import SshMachine, SshObjects

_PIECE = 1 << 20
_NIGHTLY = Layout(root=Path("lake")).nightly
"""Of a node whose lake lies where it does without a setting; of another one the folder itself is named."""


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

    def __init__(self, machine: SshMachine, path: str) -> None:
        self._machine, self._path = machine, path.rstrip("/")
        self._root = ""
        self._indexed: ObjectsSource | None = None

    def days(self) -> list[str]:
        """See `BundleSource`."""
        nightly = f"{self._path}/{_NIGHTLY.as_posix()}"
        quoted, path = shlex.quote(nightly), shlex.quote(self._path)
        pointer = shlex.quote(f"{self._path}/{POINTER}")
        names = self._machine.said(
            f"if [ -f {pointer} ]; then echo 2; elif [ -d {quoted} ]; then echo 1; ls -1 {quoted}; else echo 0; ls -1 {path}; fi"
        )
        first, *rest = names.decode().splitlines()
        if first == "2":  # a place that a node was synced to
            self._indexed = ObjectsSource(SshObjects(self._machine, self._path), self._path)
            return self._indexed.days()
        self._root = nightly if first == "1" else self._path
        return rest

    def read(self, day: str, path: str, offset: int = 0) -> Iterator[bytes]:
        """See `BundleSource`."""
        self._looked()
        if self._indexed:
            yield from self._indexed.read(day, path, offset)
            return
        command = f"tail -c +{offset + 1} {shlex.quote(f'{self._root}/{day}/{path}')}"
        with self._machine.started(command) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            while piece := process.stdout.read(_PIECE):
                yield piece
            complaint = process.stderr.read()
        self._machine.check(process.returncode, complaint)

    def signature(self, day: str) -> bytes | None:
        """See `BundleSource`."""
        self._looked()
        if self._indexed:
            return self._indexed.signature(day)
        place = shlex.quote(f"{self._root}/{day}/{SIGNATURE}")
        return self._machine.said(f"cat {place} 2>/dev/null || true") or None

    def close(self) -> None:
        """See `BundleSource`: nothing is held."""

    def _looked(self) -> None:
        if not self._root and self._indexed is None:
            self.days()


def of(text: str, token: str) -> BundleSource:
    """A source as it is written: an address of HTTP or of object storage, a folder, or HOST:PATH; `UsageError` for anything else."""
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
    if text.lower().startswith("s3:"):
        return ObjectsSource(address.objects(text), text)
    if (Path(text).expanduser() / POINTER).is_file():
        return ObjectsSource(address.objects(text), text)
    if Path(text).expanduser().exists():
        return FolderSource(Path(text).expanduser())
    if there := address.machine(text):
        return SshSource(SshMachine(there.host, there.port), there.path)
    raise errors.UsageError(
        f"{text!r} is no source: there is no such folder.",
        hint="Write http://node:8470, user@host:/path, s3://bucket/prefix, or a folder.",
    )
