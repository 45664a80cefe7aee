"""One fetch as a worker is given it, and how it went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fulltape import errors
from fulltape.contract.vendor import Cursor, FetchRequest, Outcome
from fulltape.ledger.allowance import Refused


class StoppedError(errors.FulltapeError):
    """The user asked us to stop; the fetch stays open in the journal and goes on with the next run."""


class NoRoomError(errors.FulltapeError):
    """The source has no room for longer than we may wait."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(f"no room ({refused.limit or refused.dimension.replace('_', ' ')})")
        self.refused = refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What to fetch: a new fetch, or one to go on with from a cursor after `pages` pages."""

    fetch_id: str
    fetch: FetchRequest
    kind: str
    tasks: Mapping[int, int]
    """Task ids and their attempts."""
    instruments: Mapping[str, str]
    """Instrument by symbol."""
    resume: Cursor | None = None
    pages: int = 0


@dataclass(slots=True, kw_only=True)
class Result:
    """How a fetch went: its last outcome, its durable pages, and what was learned on the way."""

    outcome: Outcome = Outcome.EMPTY
    pages: int = 0
    requests: int = 0
    reason: str = ""
    refused: dict[str, tuple[Outcome, str]] = field(default_factory=dict)
    confirmed: list[str] = field(default_factory=list)
    no_room: Refused | None = None
    unreachable: bool = False
    """Whether the last tries got no answer at all: a fact about the source, not about the tasks."""
