"""What goes, and why. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fulltape.context.jobs import StageReport

_BEFORE_RESTORE = re.compile(r"before-restore-.*\.db")


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What of one kind went, or would go: how much, how many bytes of files, and why."""

    what: str
    count: int
    bytes: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport(StageReport):
    """Everything that went, or with a dry run would."""

    removals: tuple[Removal, ...]
    dry_run: bool
    unproved: int = 0
    """Files that would have gone, and that a place of [sync] has not proved yet."""

    @property
    def bytes(self) -> int:
        """Bytes of files."""
        return sum(removal.bytes for removal in self.removals)


def older_bundles(days: Iterable[str], keep: int) -> list[str]:
    """Days whose bundles go, so that the newest `keep` stay; the newest one always stays, and with 0 all do."""
    return sorted(days)[:-keep] if keep else []


def older_copies(names: Iterable[str], keep: int) -> list[str]:
    """Copies of what a restored ledger replaced that go, so that the newest `keep` stay."""
    return sorted(name for name in names if _BEFORE_RESTORE.fullmatch(name))[:-keep]


def wasteful(*, pages: int, free: int, page_bytes: int) -> bool:
    """Whether a database file has so much room inside that it is worth being written anew."""
    return free * page_bytes >= 16_000_000 and free >= pages * 0.3


def nonempty(removals: Sequence[Removal | None]) -> tuple[Removal, ...]:
    """Those of which there are some."""
    return tuple(removal for removal in removals if removal is not None and removal.count)
