"""Facts and verdicts as rows of the ledger."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from fulltape.coverage.cell import Verdict
from fulltape.coverage.facts import CoverageFact
from fulltape.coverage.ranged import Ranged
from fulltape.coverage.verdict_ranges import VerdictRange


def fact_of(row: Mapping[str, Any]) -> CoverageFact:
    """A fact from its row."""
    return CoverageFact(
        dataset=row["dataset"],
        instrument=row["instrument"],
        source=row["source"],
        first=dt.date.fromisoformat(row["first_session"]),
        last=dt.date.fromisoformat(row["last_session"]),
        fact=row["fact"],
        sound=bool(row["sound"]),
        final=bool(row["final"]),
        since=row["since"],
        evidence=row["evidence"],
        reason=row["reason"],
        shown=row["shown"],
        extent=row["extent"],
        asked=row["asked"],
        repeated=row["repeated"],
    )


def fact_row(fact_range: Ranged[CoverageFact]) -> dict[str, object]:
    """The row of a fact, on the sessions of its range."""
    fact = fact_range.label
    return {
        "dataset": fact.dataset,
        "instrument": fact.instrument,
        "source": fact.source,
        "first_session": fact_range.first.isoformat(),
        "last_session": fact_range.last.isoformat(),
        "fact": fact.fact,
        "sound": int(fact.sound),
        "final": int(fact.final),
        "since": fact.since,
        "evidence": fact.evidence,
        "reason": fact.reason,
        "shown": fact.shown,
        "extent": fact.extent,
        "asked": fact.asked,
        "repeated": fact.repeated,
    }


def verdict_of(row: Mapping[str, Any]) -> VerdictRange:
    """A verdict from its row."""
    return VerdictRange(
        dataset=row["dataset"],
        instrument=row["instrument"],
        source=row["source"],
        first=dt.date.fromisoformat(row["first_session"]),
        last=dt.date.fromisoformat(row["last_session"]),
        verdict=Verdict(row["verdict"]),
        codes=row["codes"],
        since=row["since"],
    )


def verdict_row(verdict_range: Ranged[VerdictRange]) -> dict[str, object]:
    """The row of a verdict, on the sessions of its range."""
    verdict = verdict_range.label
    return {
        "dataset": verdict.dataset,
        "instrument": verdict.instrument,
        "source": verdict.source,
        "first_session": verdict_range.first.isoformat(),
        "last_session": verdict_range.last.isoformat(),
        "verdict": verdict.verdict.value,
        "codes": verdict.codes,
        "since": verdict.since,
    }
