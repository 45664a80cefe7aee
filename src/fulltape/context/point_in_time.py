"""A node's data as it was public, or known to the node, at a moment."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fulltape.coverage import silence
from fulltape.coverage.cell import FactKind
from fulltape.coverage.facts import CoverageFact
from fulltape.lake.layout import Layout
from fulltape.ledger.changes import Knowledge
from fulltape.ledger.ledger import Ledger
from fulltape.market.sessions import Calendar
from fulltape.market.time import Instant

Span = tuple[str, FactKind, int, str, str]
"""Source, fact, proof (bits of `coverage.silence`), and the first and the last session as ISO text."""


@dataclass(frozen=True, kw_only=True)
class PointInTime:
    """A node's data as it was public at `until`, as far as the node had it at `known` (UTC microseconds, both inclusive); None: all
    of it, as it is known now. `sources`: those of each dataset in order of preference."""

    ledger: Ledger
    layout: Layout
    calendar: Calendar
    until: Instant | None = None
    known: Instant | None = None
    sources: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def spans_of(self, dataset: str, instrument: str) -> Sequence[Span]:
        """What was known of a series. `UsageError` where that is not kept any more."""
        if self.known is None:
            return self.ledger.coverage.spans_of(dataset, instrument)
        return self._spans(dataset).get(instrument, ())

    def knowledge(self, dataset: str) -> Knowledge:
        """What was known of a dataset; `known` is given. `UsageError` where that is not kept any more."""
        assert self.known is not None
        if dataset not in self._replayed:
            self._replayed[dataset] = self.ledger.changes.known_at(dataset, self.known, _following)
        return self._replayed[dataset]

    def came(self, moment: Instant) -> bool:
        """Whether what came at a moment was there."""
        return all(limit is None or moment <= limit for limit in (self.until, self.known))

    @functools.cached_property
    def _replayed(self) -> dict[str, Knowledge]:
        return {}

    def _spans(self, dataset: str) -> dict[str, list[Span]]:
        by_instrument: dict[str, list[Span]] = {}
        for fact in self.knowledge(dataset).facts:
            span = (fact.source, fact.fact, _proof(fact), fact.first.isoformat(), fact.last.isoformat())
            by_instrument.setdefault(fact.instrument, []).append(span)
        return by_instrument


def _following(day: dt.date) -> dt.date:
    """The next day: where ranges are cut apart it does not matter whether it is a session."""
    return day + dt.timedelta(days=1)


def _proof(fact: CoverageFact) -> int:
    """The bits of `coverage.silence`, as the ledger tells them."""
    return (
        silence.SOUND * fact.sound
        + silence.POSITIONAL * (fact.extent == "positional")
        + silence.REPEATED * (fact.repeated > 0)
        + silence.SPOILED * (fact.fact == "refused" and fact.extent != "")
    )
