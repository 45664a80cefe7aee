"""Which bundles there are, and what one consists of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from fulltape import errors
from fulltape.bundle import checksums
from fulltape.bundle.checksums import SUMS

LATEST = "latest"
"""The name by which copies of bundles have the newest one."""


def content(text: str, day: str) -> Mapping[str, str]:
    """Digests by path, as a bundle's checksums list them; `BundleError` for what is damaged, or would leave the folder."""
    listed = checksums.parsed(text)
    if listed is None:
        raise errors.BundleError(
            f"the {SUMS} of {day} is damaged.", hint="Look at the bundle where it comes from."
        )
    for path in listed:
        parts = PurePosixPath(path).parts
        if path.startswith("/") or "\\" in path or ".." in parts or parts[0].startswith(".") or path == SUMS:
            raise errors.BundleError(f"the {SUMS} of {day} names {path!r}, which is no file of a bundle.")
    return listed


def is_day(name: str) -> bool:
    """Whether a name is that of a bundle."""
    try:
        return dt.date.fromisoformat(name).isoformat() == name
    except ValueError:
        return False


def chosen(days: Iterable[str], wanted: str) -> str:
    """The bundle that is wanted: of a day, or the newest ('')."""
    if wanted and not is_day(wanted):
        raise errors.UsageError(f"{wanted!r} is no day.", hint="Days are written 2026-11-27.")
    there = sorted(filter(is_day, days))
    if not there:
        raise errors.BundleError(
            "there is no bundle yet.", hint="The node writes one each night, or by `fulltape export`."
        )
    if not wanted:
        return there[-1]
    if wanted not in there:
        raise errors.BundleError(
            f"there is no bundle of {wanted}.", hint=f"The newest: {', '.join(there[-5:])}."
        )
    return wanted
