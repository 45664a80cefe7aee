"""A bundle of a node's pages: files are fetched when they are first read, held against their digest, and kept."""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

from fulltape import errors
from fulltape.bundle.checksums import SUMS
from fulltape.bundle.listing import content
from fulltape.bundle.manifest import MANIFEST, BundleFile, Manifest
from fulltape.bundle.sources import BundleSource
from fulltape.bundle.store import checked
from fulltape.clock import SystemClock
from fulltape.lake import files
from fulltape.market.time import DAY

_TRIES = 3
_LONGEST = 256 * 1024**2
"""Bytes of a manifest or of checksums."""
_OURS = re.compile(rf"[0-9a-f]{{64}}|{re.escape(files.TEMPORARY)}[0-9a-f]{{32}}")


class FetchedBundle:
    """A bundle of a source, by day. See `BundleStore`; every file is held against its digest before it is read for the first time. Files lie in
    `cache` by their digest, shared by all bundles; where they come to more than `most` bytes those that were not used for longest go, but
    none of the last day."""

    def __init__(
        self, source: Callable[[], BundleSource], day: str, where: str, cache: Path, most: int
    ) -> None:
        """`source` connects; no connection is held between two reads."""
        self._source, self._day, self._cache, self._most = source, day, cache, most
        self._sound: set[str] = set()
        self.where = where

    def manifest(self) -> Manifest:
        """See `BundleStore`."""
        with contextlib.closing(self._source()) as source:
            sums = self._small(source, SUMS).decode("utf-8", "replace")
            content(sums, self._day)  # nothing of it may lead out of the folder
            return checked(self._small(source, MANIFEST), sums, self.where)

    def local(self, many: Iterable[BundleFile]) -> list[Path]:
        """See `BundleStore`."""
        try:
            files.make_folder(self._cache)
        except OSError as error:
            raise errors.StorageError(
                f"{self._cache} cannot be made: {error.strerror}.",
                hint="FULLTAPE_CACHE names another folder.",
            ) from error
        with contextlib.closing(self._source()) as source:
            paths = [self._kept(source, file) for file in many]
        self._trim()
        return paths

    def verified(self, file: BundleFile) -> Path:
        """See `BundleStore`."""
        return self.local([file])[0]

    def _small(self, source: BundleSource, path: str) -> bytes:
        body = bytearray()
        for piece in source.read(self._day, path):
            body += piece
            if len(body) > _LONGEST:
                raise errors.BundleError(
                    f"{self._day}/{path} of {self.where} is longer than any bundle has it."
                )
        return bytes(body)

    def _kept(self, source: BundleSource, file: BundleFile) -> Path:
        path = self._cache / file.sha256
        with contextlib.suppress(FileNotFoundError):
            if file.sha256 in self._sound and path.stat().st_size == file.bytes:
                return path
            if path.stat().st_size == file.bytes and files.sha256(path) == file.sha256:
                os.utime(path)
                self._sound.add(file.sha256)
                return path
        for _ in range(_TRIES):
            partial = path.with_name(f"{files.TEMPORARY}{uuid.uuid4().hex}")
            with files.cleared(partial):
                self._fetch(source, file, partial)
                if files.sha256(partial) == file.sha256:
                    partial.rename(path)
                    self._sound.add(file.sha256)
                    return path
                partial.unlink()
        raise errors.BundleError(
            f"{self._day}/{file.path} of {self.where} is not what its {SUMS} said, {_TRIES} times in a row.",
            hint="Open it again if that bundle was written anew; else run fulltape verify at the node.",
        )

    def _fetch(self, source: BundleSource, file: BundleFile, partial: Path) -> None:
        length = 0
        with partial.open("wb") as target:
            for piece in source.read(self._day, file.path):
                length += len(piece)
                if length > file.bytes:
                    return
                target.write(piece)

    def _trim(self) -> None:
        """Remove what was not used for longest, where there is too much; what others remove meanwhile is gone all the same."""
        kept = []
        for path in files.tree(self._cache):
            with contextlib.suppress(FileNotFoundError):
                if path.parent == self._cache and _OURS.fullmatch(path.name):
                    state = path.stat()
                    kept.append((state.st_mtime_ns // 1000, state.st_size, path))
        now = SystemClock().now()
        size = sum(size for _, size, _ in kept)
        for used, length, path in sorted(kept):
            is_left = path.name.startswith(files.TEMPORARY)  # by a process that was killed
            if (size <= self._most and not is_left) or used > now - DAY:
                continue
            path.unlink(missing_ok=True)
            self._sound.discard(path.name)
            size -= length


def cache_folder() -> Path:
    """Where fetched files are kept: `FULLTAPE_CACHE`, or fulltape/bundles in the user's cache."""
    if chosen := os.environ.get("FULLTAPE_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "fulltape" / "bundles"
