"""A bundle that can be read: its manifest, and its files as paths on this machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import msgspec

from fulltape import errors
from fulltape.bundle import checksums, manifest
from fulltape.bundle.checksums import SUMS
from fulltape.bundle.manifest import MANIFEST, BundleFile, Manifest
from fulltape.lake import files

_MEND = "Export or pull it again, or run fulltape verify at the node."


class BundleStore(Protocol):
    """The files of one bundle. `BundleError` for what is damaged or gone, `TransportError` where a source does not answer."""

    @property
    def where(self) -> str:
        """What was opened, as a user writes it."""
        ...

    def manifest(self) -> Manifest:
        """What the bundle says of itself."""
        ...

    def local(self, many: Iterable[BundleFile]) -> list[Path]:
        """Files as paths on this machine, in their order; of each at least the length is what the manifest says."""
        ...

    def verified(self, file: BundleFile) -> Path:
        """The same of one file, whose content has the digest of the manifest."""
        ...


class BundleFolder:
    """A bundle in a folder. See `BundleStore`."""

    def __init__(self, folder: Path) -> None:
        # `latest` may name another bundle in a moment; this one stays what it is.
        self._folder = folder.resolve()
        self.where = str(self._folder)

    def manifest(self) -> Manifest:
        """See `BundleStore`."""
        try:
            body = (self._folder / MANIFEST).read_bytes()
            sums = (self._folder / SUMS).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise errors.BundleError(f"{self._folder} cannot be read: {error}.", hint=_MEND) from error
        return checked(body, sums, self.where)

    def local(self, many: Iterable[BundleFile]) -> list[Path]:
        """See `BundleStore`."""
        return [self._path(file) for file in many]

    def verified(self, file: BundleFile) -> Path:
        """See `BundleStore`."""
        path = self._path(file)
        if files.sha256(path) != file.sha256:
            raise errors.BundleError(f"{path} is not what was written.", hint=_MEND)
        return path

    def _path(self, file: BundleFile) -> Path:
        path = self._folder / file.path
        size = path.stat().st_size if path.is_file() else None
        if size != file.bytes:
            what = "is gone" if size is None else f"has {size:,} bytes instead of {file.bytes:,}"
            raise errors.BundleError(f"{path} {what}.", hint=_MEND)
        return path


def checked(body: bytes, sums: str, where: str) -> Manifest:
    """The manifest in `body`; `BundleError` where it is damaged, or is not what the checksums say."""
    listed = checksums.parsed(sums) or {}
    if listed.get(MANIFEST) != hashlib.sha256(body).hexdigest():
        raise errors.BundleError(f"the {MANIFEST} of {where} is not what its {SUMS} says.", hint=_MEND)
    try:
        described = manifest.parsed(body)
    except msgspec.DecodeError as error:
        raise errors.BundleError(f"the {MANIFEST} of {where} cannot be read: {error}.", hint=_MEND) from error
    if {file.path: file.sha256 for file in described.files} | {MANIFEST: listed[MANIFEST]} != dict(listed):
        raise errors.BundleError(f"{MANIFEST} and {SUMS} of {where} contradict each other.", hint=_MEND)
    return described
