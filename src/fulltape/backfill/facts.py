"""Reads from the ledger what the dispatcher decides by."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from fulltape.backfill.batching import MOST_PAGES, Candidate, Capacity
from fulltape.context import ConfiguredDataset, ConfiguredSource, NodeContext
from fulltape.ledger.task import AGAIN, Claimable
from fulltape.ledger.tasks import CANDIDATES
from fulltape.market import ranges
from fulltape.market.ranges import Range, Ranges
from fulltape.market.time import Instant

_WIDER = 3
"""So many sessions more on either side does a fetch have that is asked again."""


class Planner:
    """What one source may be asked of one dataset, remembered while it claims."""

    def __init__(self, feed: ConfiguredSource, wanted: ConfiguredDataset, now: Instant) -> None:
        capability = feed.capability(wanted.dataset.name)
        assert capability is not None
        self.capacity = Capacity(
            symbols_per_request=capability.symbols_per_request,
            rows_per_page=capability.rows_per_page,
            grouped=capability.symbols_per_grouped_day,
            look_ups=capability.look_ups,
            per_session=capability.requests_per_session,
            per_page=capability.requests_per_page,
        )
        self.first_day = feed.first_day(wanted.dataset.name, now)
        self.wanted = wanted
        calendar = wanted.calendar
        start, _ = calendar.between(max(wanted.first, self.first_day), calendar.known_to)
        stop = wanted.final_until(now)
        if wanted.until:
            stop = min(stop, calendar.between(wanted.first, wanted.until)[1])
        self._whole: Range = (start, max(start, stop))
        self._since = calendar.label(start) if start < len(calendar) else calendar.known_to
        self._lives: dict[tuple[str, str], Ranges] = {}

    def candidate(self, task: Claimable) -> Candidate:
        """A claimable task as the planner sees it."""
        span = self.wanted.calendar.span_of(task.first, task.last)
        life = self._life(task.instrument, task.symbol, span)
        return Candidate(
            task_id=task.task_id,
            symbol=task.symbol,
            span=span,
            life=(min(life[0], span[0]), max(life[1], span[1])),
            rows=task.expected_rows or self.wanted.rows(span),
            # Another span than the first time: the same answer to the same question would be no second one.
            beside=_WIDER if task.purpose == AGAIN else 1 if task.kind == "GAP" else 0,
        )

    def enough(self, rows: float) -> int:
        """How many candidates of so many rows it takes to fill a request: those that fit, and some to choose from."""
        if self.capacity.grouped:
            return CANDIDATES
        fit = MOST_PAGES * self.capacity.rows_per_page / max(1.0, rows)
        return min(CANDIDATES, 20 + int(1.2 * min(self.capacity.symbols_per_request, fit)))

    def knows(self, task: Claimable) -> bool:
        """Whether its instrument is still wanted."""
        return task.instrument in self.wanted.instruments

    def _life(self, instrument: str, symbol: str, span: Range) -> Range:
        """The positions around a span for which a symbol is the right spelling and may be asked."""
        (only, *more) = self.wanted.instruments[instrument].symbols
        if (
            not more
            and only.symbol == symbol
            and only.last is None
            and (only.first or self._since) <= self._since
        ):
            return self._whole
        stretches = self._lives.get((instrument, symbol))
        if stretches is None:
            spelled = self.wanted.spelled(instrument, symbol)
            stretches = self._lives[instrument, symbol] = ranges.clip(spelled, *self._whole)
        # A symbol may come back to its instrument; between, it is another instrument's.
        return next((stretch for stretch in stretches if stretch[0] <= span[0] < stretch[1]), span)

    def asked(self, taken: Sequence[Candidate]) -> tuple[dt.date, dt.date]:
        """The sessions to ask for: all those of the tasks, and for a gap one more on either side.

        Silence about a session proves something only if the same answer carries rows beside it; the neighbours cost
        no further request. They lie inside the life of every symbol asked for and inside the source's history.
        """
        first, stop = (
            min(candidate.span[0] for candidate in taken),
            max(candidate.span[1] for candidate in taken),
        )
        beside = max(candidate.beside for candidate in taken)
        earlier = max(first - beside, *(candidate.life[0] for candidate in taken))
        later = min(stop + beside, *(candidate.life[1] for candidate in taken))
        calendar = self.wanted.calendar
        return calendar.label(min(first, earlier)), calendar.label(max(stop, later) - 1)


def preferences(context: NodeContext, dataset: str, sources: Iterable[str]) -> dict[str, float]:
    """The weight of each source for a dataset: its vendor's, less the further down the dataset's list it stands."""
    order = list(context.wanted[dataset].every_source)
    return {source: context.feeds[source].preference / (1 + order.index(source)) for source in sources}


def known_symbols(
    context: NodeContext, source: str, dataset: str, tasks: Sequence[Claimable]
) -> frozenset[str]:
    """Symbols of these tasks that this source has shown to exist: by a reference answer, or by rows."""
    instruments = {task.symbol: task.instrument for task in tasks}

    def shown(symbol: str) -> bool:
        known = context.ledger.eligibility.of(source, dataset, symbol)
        if known is not None and known.state == "ok":
            return True
        return context.ledger.coverage.has_rows(dataset, instruments[symbol], source)

    return frozenset(symbol for symbol in instruments if shown(symbol))
