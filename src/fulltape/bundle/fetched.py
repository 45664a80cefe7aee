"""A bundle of a node's pages: files are fetched when they are first read, held against their digest, and kept."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
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


class FetchedBundle:
    """A bundle of a source, by day. See `BundleStore`. Files lie in `cache` by their digest, shared by all bundles; where they come to
    more than `most` bytes those that were not used for longest go, but none of the last day."""

    def __init__(self, source: BundleSource, day: str, where: str, cache: Path, most: int) -> None:
        self._source, self._day, self._cache, self._most = source, day, cache, most
        self.where = where

    def manifest(self) -> Manifest:
        """See `BundleStore`."""
        sums = b"".join(self._source.read(self._day, SUMS)).decode("utf-8", "replace")
        content(sums, self._day)  # nothing of it may lead out of the folder
        body = b"".join(self._source.read(self._day, MANIFEST))
        return checked(body, sums, self.where)

    def local(self, many: Iterable[BundleFile]) -> list[Path]:
        """See `BundleStore`; each file has the digest of the manifest."""
        files.make_folder(self._cache)
        paths = [self._kept(file) for file in many]
        self._trim()
        return paths

    def _kept(self, file: BundleFile) -> Path:
        path = self._cache / file.sha256
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_size == file.bytes:
                os.utime(path)
                return path
        for _ in range(_TRIES):
            partial = path.with_name(f"{files.TEMPORARY}{os.getpid()}-{file.sha256}")
            with files.cleared(partial):
                with partial.open("wb") as target:
                    for piece in self._source.read(self._day, file.path):
                        target.write(piece)
                if files.sha256(partial) == file.sha256:
                    partial.rename(path)
                    return path
                partial.unlink()
        raise errors.BundleError(
            f"{self._day}/{file.path} of {self.where} is not what its {SUMS} says, {_TRIES} times in a row.",
            hint="Run fulltape verify at the node.",
        )

    def _trim(self) -> None:
        """Remove what was not used for longest, where there is too much; what others remove meanwhile is gone all the same."""
        kept = []
        for path in files.tree(self._cache):
            with contextlib.suppress(FileNotFoundError):
                state = path.stat()
                kept.append((state.st_mtime_ns // 1000, state.st_size, path))
        now = SystemClock().now()
        size = sum(size for _, size, _ in kept)
        for used, length, path in sorted(kept):
            is_left = path.name.startswith(files.TEMPORARY)  # by a process that was killed
            if (size <= self._most and not is_left) or used > now - DAY:
                continue
            path.unlink(missing_ok=True)
            size -= length


def cache_folder() -> Path:
    """Where fetched files are kept: `FULLTAPE_CACHE`, or fulltape/bundles in the user's cache."""
    if chosen := os.environ.get("FULLTAPE_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "fulltape" / "bundles"
