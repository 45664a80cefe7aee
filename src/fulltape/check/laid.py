"""Findings about cells that no rows show, laid as AMBER over what the checks of rows have said, where that is no worse."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from fulltape.context import ConfiguredDataset, NodeContext, damage
from fulltape.coverage.cell import Verdict
from fulltape.coverage.verdict_ranges import VerdictRange
from fulltape.lake import parquet
from fulltape.market import ranges
from fulltape.market.time import Instant

_Cell = tuple[str, dt.date]
_WORSE = (Verdict.RED, Verdict.AMBER)
"""What a finding of this kind is not laid over: bad rows stay out of exports whatever else is said of their cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the checks have said of a cell's rows, and whose they are."""

    verdict: Verdict
    codes: str
    source: str


def lay(
    context: NodeContext,
    wanted: ConfiguredDataset,
    code: str,
    verdicts: Sequence[VerdictRange],
    now: Instant,
    *,
    held: bool = True,
) -> None:
    """Lay verdicts of one code, if they are others than before, and give back what was said of cells that no longer have it; inside a
    transaction. `held`: whether they are about sessions with rows; of others the checks have said nothing."""
    name, ledger = wanted.dataset.name, context.ledger
    before = ledger.verdicts.with_codes(name, code)
    if not (before or verdicts):
        return
    said = said_of_rows(context, wanted, [*before, *verdicts], now) if held else {}
    left = [
        replace(verdict, first=first, last=last)
        for verdict in verdicts
        for span in _where_better(wanted, verdict, said)
        for first, last in [wanted.days(span)]
    ]
    if _keys(before) == _keys(left):
        return
    ledger.verdicts.forget(name, code)
    ledger.verdicts.record(_restored(wanted, before, said, now), wanted.next_session)
    ledger.verdicts.record(left, wanted.next_session)


def _keys(verdicts: Sequence[VerdictRange]) -> set[tuple[str, dt.date, dt.date]]:
    return {(verdict.instrument, verdict.first, verdict.last) for verdict in verdicts}


def said_of_rows(
    context: NodeContext, wanted: ConfiguredDataset, about: Sequence[VerdictRange], now: Instant
) -> Mapping[_Cell, Said]:
    """What the checks of rows have said of cells, by instrument and session."""
    if not about:
        return {}
    first, last = min(each.first for each in about), max(each.last for each in about)
    current = context.ledger.catalogue.current("qc", wanted.dataset.name, first=first, last=last)
    parts = damage.sound(context, current, now)
    if not parts:
        return {}
    names = sorted({each.instrument for each in about})
    cells = (
        parquet.scan([context.layout.root / part.path for part in parts])
        .filter(pl.col("instrument").is_in(names), pl.col("session").is_between(first, last))
        .select("instrument", "session", "verdict", "codes", "source")
        .collect()
    )
    return {
        (instrument, session): Said(verdict=Verdict(verdict), codes=codes, source=source)
        for instrument, session, verdict, codes, source in cells.iter_rows()
    }


def _where_better(
    wanted: ConfiguredDataset, verdict: VerdictRange, said: Mapping[_Cell, Said]
) -> ranges.Ranges:
    """The positions of a verdict's sessions of which nothing as bad is said."""
    calendar = wanted.calendar
    return ranges.from_points(
        position
        for position in range(*calendar.between(verdict.first, verdict.last))
        if (known := said.get((verdict.instrument, calendar.label(position)))) is None
        or known.verdict not in _WORSE
    )


def _restored(
    wanted: ConfiguredDataset,
    before: Sequence[VerdictRange],
    said: Mapping[_Cell, Said],
    now: Instant,
) -> Iterator[VerdictRange]:
    """What was said of cells before a finding was laid over them."""
    calendar = wanted.calendar
    for verdict in before:
        alike: dict[Said, list[int]] = defaultdict(list)
        for position in range(*calendar.between(verdict.first, verdict.last)):
            known = said.get((verdict.instrument, calendar.label(position)))
            if known is not None:
                alike[known].append(position)
        for known, positions in alike.items():
            for start, stop in ranges.from_points(positions):
                first, last = wanted.days((start, stop))
                yield replace(
                    verdict, first=first, last=last, verdict=known.verdict, codes=known.codes, since=now
                )
