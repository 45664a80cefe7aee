"""Bundles on disk: whether they have what their manifest and checksums say."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from fulltape.bundle import checksums, manifest
from fulltape.bundle.checksums import SUMS
from fulltape.bundle.manifest import MANIFEST, Manifest
from fulltape.bundle.signature import SIGNATURE
from fulltape.lake import files

NAMES = MANIFEST, SUMS, SIGNATURE


def wrong(bundle: Path, *, deep: bool) -> Iterator[tuple[str, str]]:
    """What is wrong with a bundle: (path inside of it, what), the path '' where it cannot be told file by file."""
    try:
        sums = checksums.parsed((bundle / SUMS).read_text(encoding="ascii"))
        described = manifest.read(bundle)
    except FileNotFoundError as error:
        yield "", f"{Path(str(error.filename)).name} is gone"
        return
    except (OSError, UnicodeDecodeError, msgspec.DecodeError):
        yield "", f"{MANIFEST} or {SUMS} cannot be read"
        return
    listed = {file.path: file.sha256 for file in described.files}
    if sums is None or {**listed, MANIFEST: files.sha256(bundle / MANIFEST)} != dict(sums):
        yield "", f"{MANIFEST} and {SUMS} contradict each other"
        return
    for entry in described.files:
        path = bundle / entry.path
        if not path.is_file():
            yield entry.path, "it is gone"
        elif path.stat().st_size != entry.bytes:
            yield entry.path, f"it has {path.stat().st_size:,} bytes instead of {entry.bytes:,}"
        elif deep and files.sha256(path) != entry.sha256:
            yield entry.path, "its content is not what was written"
    known = {*listed, *NAMES}
    for path in files.tree(bundle):
        name = path.relative_to(bundle).as_posix()
        if name not in known:
            yield name, "no list of the bundle has it"


def digests(bundle: Path) -> Mapping[str, str]:
    """The digest of every file that the manifest lists; none where that cannot be read."""
    return {file.path: file.sha256 for file in _manifest(bundle).files}


def recipe(bundle: Path) -> str:
    """The digest of what a bundle was made of; '' where its manifest cannot be read."""
    return _manifest(bundle).digest


def day(bundle: Path) -> str:
    """The day that a bundle says it is of; '' where its manifest cannot be read."""
    return _manifest(bundle).bundle


def _manifest(bundle: Path) -> Manifest:
    try:
        return manifest.read(bundle)
    except (OSError, msgspec.DecodeError):
        return Manifest(files=[])


def put_back(path: Path, source: Path) -> None:
    """Let a file of a bundle be a sound one of the lake with the same content again."""
    files.make_folder(path.parent)
    temporary = path.with_name(f"{files.TEMPORARY}{path.name}")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError:
        shutil.copyfile(source, temporary)
        files.sync_file(temporary)
    temporary.rename(path)
    files.sync_folder(path.parent)
