"""Bundles at a place of objects: one that a node was synced to, or one that has bundles as folders."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from fulltape import errors
from fulltape.bundle.checksums import SUMS
from fulltape.bundle.listing import is_day
from fulltape.bundle.signature import SIGNATURE
from fulltape.lake.layout import Layout
from fulltape.lake.objects import Objects
from fulltape.remote import index
from fulltape.remote.index import LAKE

_PIECE = 1 << 20
_NIGHTLY = f"{LAKE}{Layout(root=Path()).nightly.as_posix()}/"


class ObjectsSource:
    """See `sources.BundleSource`."""

    def __init__(self, store: Objects, where: str) -> None:
        self._store, self._where = store, where
        self._keys: dict[str, dict[str, str]] | None = None

    def days(self) -> list[str]:
        """See `BundleSource`."""
        return sorted(self._known())

    def read(self, day: str, path: str, offset: int = 0) -> Iterator[bytes]:
        """See `BundleSource`."""
        key = self._known().get(day, {}).get(path)
        with self._failing():
            if key is None:
                raise errors.MissingObjectError(f"there is no {day}/{path} in {self._where}.")
            with self._store.open(key, offset) as file:
                while piece := file.read(_PIECE):
                    yield piece

    def signature(self, day: str) -> bytes | None:
        """See `BundleSource`."""
        return b"".join(self.read(day, SIGNATURE)) if SIGNATURE in self._known().get(day, {}) else None

    def close(self) -> None:
        """See `BundleSource`: nothing is held."""

    def _known(self) -> dict[str, dict[str, str]]:
        """Keys by path in a bundle, by day; of whole bundles."""
        if self._keys is None:
            with self._failing():
                there = index.read(self._store, self._where)
                if there is None:
                    named = [(entry.key, entry.key) for entry in self._store.list()]
                else:
                    named = [
                        (file.path.removeprefix(_NIGHTLY), file.key)
                        for file in there.files
                        if file.path.startswith(_NIGHTLY) and not (file.gone or file.doubted)
                    ]
            by_day: dict[str, dict[str, str]] = {}
            for path, key in named:
                day, _, rest = path.partition("/")
                if is_day(day) and rest:
                    by_day.setdefault(day, {})[rest] = key
            self._keys = {day: keys for day, keys in by_day.items() if SUMS in keys}
        return self._keys

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """What the place cannot give is a source that does not answer."""
        try:
            yield
        except errors.BundleError:
            raise
        except errors.StorageError as error:
            raise errors.TransportError(error.message, hint=error.hint) from None
