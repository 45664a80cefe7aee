"""A bundle as one file: a tar, packed by zstd. The same bundle gives the same bytes."""

from __future__ import annotations

import tarfile
from pathlib import Path

from fulltape.lake import compression, files


def write(bundle: Path, target: Path) -> None:
    """Write all files of a bundle's folder to `target`, under its day, by name; owners, rights and moments are always the same."""
    files.publish(target, lambda temporary: _write(bundle, temporary))


def _write(bundle: Path, temporary: Path) -> None:
    with (
        compression.opened(temporary) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in files.tree(bundle):
            entry = tarfile.TarInfo(f"{bundle.name}/{path.relative_to(bundle).as_posix()}")
            entry.size, entry.mode = path.stat().st_size, 0o644
            with path.open("rb") as file:
                archive.addfile(entry, file)
