"""What verification finds, and what its documents say. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from fulltape.context.jobs import StageReport
from fulltape.schedule.rules import Trigger

Kind = Literal["part", "profile", "revision", "unknown", "journal", "bundle", "rejected", "ledger", "mark"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it was written: what it is, where it lies (relative to the node's folder or the lake), what
    is wrong with it, and what is done about it."""

    kind: Kind
    path: str
    what: str
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport(StageReport):
    """How many files were looked at, and what is wrong."""

    files: int = 0
    bytes: int = 0
    findings: tuple[Finding, ...] = field(default=())

    @property
    def complete(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """See `StageReport`."""
        return ("damaged",) if self.findings else ()
