"""What a source has shown it can serve, and the log of requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fulltape.ledger.database import Database, Row
from fulltape.market.time import Instant

EligibilityState = Literal["ok", "cooling down", "not entitled", "not supported", "unknown symbol"]
ANY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligible:
    """What is known of (source, dataset, symbol or '*'): 'ok' means that the symbol was shown to exist."""

    source: str
    dataset: str
    symbol: str
    state: EligibilityState
    until: Instant
    reason: str
    since: Instant
    strikes: int = 0
    """How often in a row it was refused."""

    def forbids(self, now: Instant) -> bool:
        """Whether the source must not be asked at `now`."""
        return self.state != "ok" and now < self.until


class Eligibility:
    """Eligibility of all sources."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Eligible]:
        """Everything known."""
        return [Eligible(**row) for row in self._database.run("eligibility")]

    def record(self, eligibility: Eligible) -> None:
        """Replace what was known, inside a transaction."""
        self._database.run(
            "set_eligibility",
            source=eligibility.source,
            dataset=eligibility.dataset,
            symbol=eligibility.symbol,
            state=eligibility.state,
            until=eligibility.until,
            reason=eligibility.reason,
            since=eligibility.since,
            strikes=eligibility.strikes,
        )

    def of(self, source: str, dataset: str, symbol: str) -> Eligible | None:
        """What is known of one symbol, or of the whole dataset (`ANY`)."""
        rows = self._database.run("one_eligibility", source=source, dataset=dataset, symbol=symbol)
        return Eligible(**rows[0]) if rows else None

    def forget_refusals(self, source: str, symbols: Sequence[str], *, now: Instant) -> int:
        """Drop what a source refused, of these symbols or of all, inside a transaction; returns how much was in force."""
        refusals = [
            eligibility
            for eligibility in self.all()
            if eligibility.source == source
            and eligibility.state != "ok"
            and (not symbols or eligibility.symbol in symbols)
        ]
        for refusal in refusals:
            self._database.run(
                "drop_eligibility", source=source, dataset=refusal.dataset, symbol=refusal.symbol
            )
        return sum(refused.forbids(now) for refused in refusals)


class Requests:
    """Every request of the last 30 days, so that a cell can name the one it came from."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self,
        *,
        fetch_id: str,
        source: str,
        target: str,
        kind: str,
        sent_at: Instant,
        status: int,
        outcome: str,
        size: int,
        took: int,
    ) -> None:
        """Add one request; `took` in microseconds, `status` 0 where no answer came."""
        with self._database.write():
            self._database.run(
                "record_request",
                request_id=self._database.next("request"),
                fetch_id=fetch_id,
                source=source,
                target=target,
                kind=kind,
                sent_at=sent_at,
                status=status,
                outcome=outcome,
                byte_count=size,
                took_us=took,
            )

    def of_fetch(self, fetch_id: str) -> list[Row]:
        """The requests of one fetch, in order."""
        return self._database.run("requests_of_fetch", fetch_id=fetch_id)

    def by_outcome(self, since: Instant = 0) -> list[Row]:
        """Count, bytes and mean time per source and outcome."""
        return self._database.run("requests_by_outcome", since=since)

    def forget(self, before: Instant) -> None:
        """Drop requests older than `before`, inside a transaction."""
        self._database.run("forget_requests", before=before)
