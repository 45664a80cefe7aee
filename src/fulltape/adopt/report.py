"""What taking in files comes to."""

from __future__ import annotations

from dataclasses import dataclass, field

from fulltape.adopt.plan import Recognised
from fulltape.context.jobs import StageReport
from fulltape.schedule.rules import Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptReport(StageReport):
    """`sessions`: cells that were taken, with `rows`. `known`: cells that the source had already; `edges`: sessions at the begin or
    the end of a symbol's rows that may be cut off; `open`: sessions that are not final yet; `outside`: cells that the dataset does
    not want. `regular`: rows of the regular session; `named`: the symbols of some files that are named by them. `unknown`: symbols of no universe, and their rows; `unreadable`: files, and why; `rejected`: rows that break the contract, by reason."""

    recognised: Recognised
    files: int = 0
    done_before: int = 0
    rows: int = 0
    sessions: int = 0
    parts: int = 0
    known: int = 0
    edges: int = 0
    open: int = 0
    outside: int = 0
    regular: int = 0
    named: dict[str, str] = field(default_factory=dict)
    symbols: tuple[str, ...] = ()
    first: str = ""
    last: str = ""
    unknown: dict[str, int] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    dry_run: bool = False

    @property
    def complete(self) -> bool:
        """Whether every file could be read, and no row broke the contract."""
        return not (self.unreadable or self.rejected)

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """See `StageReport`."""
        return ("parts",) if self.parts else ()
