"""The files of bundles, as others fetch them: nothing but what a bundle's checksums name, whatever a path may say."""

from __future__ import annotations

import datetime as dt
from pathlib import Path, PurePosixPath

from fulltape.bundle import checksums
from fulltape.bundle.signature import SIGNATURE
from fulltape.lake.layout import Layout
from fulltape.settings.load import Loaded


def find(loaded: Loaded, day: str, path: str) -> Path | None:
    """A file of the bundle of a day; None where there is none of that name."""
    layout = Layout(root=loaded.folder / loaded.values.node.lake)
    try:
        bundle = layout.bundle(dt.date.fromisoformat(day))
        names = checksums.parsed((bundle / checksums.SUMS).read_text()) or {}
    except (ValueError, OSError):
        return None
    if ".." in PurePosixPath(path).parts or (path not in (checksums.SUMS, SIGNATURE) and path not in names):
        return None
    file = bundle / path
    return file if file.is_file() else None
