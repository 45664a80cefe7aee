"""Facts of single sources, as ranges of sessions: what is known now of each series."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from fulltape.coverage import facts as algebra
from fulltape.coverage import ranged
from fulltape.coverage.cell import FactKind
from fulltape.coverage.facts import PATIENCE, CoverageFact
from fulltape.coverage.ranged import Ranged
from fulltape.ledger.changes import Changes
from fulltape.ledger.database import Database
from fulltape.ledger.rows import fact_of, fact_row
from fulltape.ledger.touched import Touched
from fulltape.market.time import Instant

_FEW = 50


class Coverage:
    """Facts by (dataset, instrument, source)."""

    def __init__(self, database: Database, changes: Changes, touched: Touched) -> None:
        self._database = database
        self._changes = changes
        self._touched = touched

    def of_dataset(self, dataset: str) -> list[CoverageFact]:
        """All facts about a dataset, by instrument, source and session."""
        return [fact_of(row) for row in self._database.run("coverage_of_dataset", dataset=dataset)]

    def of_kind(self, dataset: str, kind: FactKind, first: dt.date, last: dt.date) -> list[CoverageFact]:
        """Facts of one kind about any of the sessions from `first` to `last`, both inclusive."""
        rows = self._database.run(
            "coverage_of_kind",
            dataset=dataset,
            fact=kind,
            first_session=first.isoformat(),
            last_session=last.isoformat(),
        )
        return [fact_of(row) for row in rows]

    def of_series(self, dataset: str, instrument: str) -> list[CoverageFact]:
        """All facts about one series, by source and session."""
        rows = self._database.run("coverage_of_series", dataset=dataset, instrument=instrument)
        return [fact_of(row) for row in rows]

    def spans(self, dataset: str) -> list[tuple[str, str, FactKind, int, str, str]]:
        """All facts about a dataset as (instrument, source, fact, proof, first, last), dates as ISO text; `proof` has the
        bits of `coverage.silence`."""
        return cast(
            "list[tuple[str, str, FactKind, int, str, str]]",
            self._database.tuples("coverage_spans", dataset=dataset),
        )

    def knows(self, dataset: str) -> bool:
        """Whether anything is known of a dataset."""
        return bool(self._database.tuples("coverage_knows", dataset=dataset))

    def has_rows(self, dataset: str, instrument: str, source: str) -> bool:
        """Whether a source has shown any rows of a series."""
        return bool(self._database.tuples("has_rows", dataset=dataset, instrument=instrument, source=source))

    def answered_by_others(self, dataset: str, instrument: str, source: str, session: dt.date) -> bool:
        """Whether another source has shown a session whole, when it was over."""
        rows = self._database.tuples(
            "answered_by_others",
            dataset=dataset,
            instrument=instrument,
            source=source,
            session=session.isoformat(),
        )
        return bool(rows)

    def spans_of(self, dataset: str, instrument: str) -> list[tuple[str, FactKind, int, str, str]]:
        """All facts about one series as (source, fact, proof, first, last)."""
        return cast(
            "list[tuple[str, FactKind, int, str, str]]",
            self._database.tuples("coverage_spans_of_series", dataset=dataset, instrument=instrument),
        )

    def packed(self, dataset: str, since: dt.date | None = None) -> list[tuple[str, str, str, str, str]]:
        """Facts about a dataset, of those that end before `since` none, as (instrument, source, fact, firsts, lasts):
        equally long lists in one text each, with commas between. An empty that is sound is called `sound`."""
        return cast(
            "list[tuple[str, str, str, str, str]]",
            self._database.tuples(
                "coverage_packed", dataset=dataset, first_session=since.isoformat() if since else ""
            ),
        )

    def held(self, dataset: str) -> list[tuple[str, str, str]]:
        """(instrument, firsts, lasts) of all that some source holds of a dataset: equally long lists of dates, inclusive, in one
        text each, with commas between."""
        return cast("list[tuple[str, str, str]]", self._database.tuples("coverage_held", dataset=dataset))

    def contradicted(self, dataset: str) -> list[CoverageFact]:
        """Sessions of which a source has shown rows, and later none."""
        rows = self._database.run(
            "coverage_of_reason", dataset=dataset, fact="present", reason=algebra.CONTRADICTED
        )
        return [fact_of(row) for row in rows]

    def contradict(self, said: CoverageFact) -> None:
        """Note again that rows were contradicted, as far as they are known to be there, inside a transaction."""
        self._changes.contradicted(said)
        before = self._near(said.dataset, said.source, [said])
        known = before.get(said.instrument, [])
        after = {said.instrument: algebra.contradicted(known, said)}
        self._replace(said.dataset, said.source, before, after)

    def expired(self, dataset: str, *, now: Instant) -> list[tuple[str, str, str, str, int]]:
        """(instrument, source, first, last, settled) of emptiness and refusals that may be asked again, the oldest first:
        see `PATIENCE`. What was shown four times is `settled`: it is asked again only where it is not believed, or
        believed by a user's decision."""
        before = {f"before_{at}": now - wait for at, wait in enumerate(PATIENCE, start=1)}
        return cast(
            "list[tuple[str, str, str, str, int]]",
            self._database.tuples("expired_evidence", dataset=dataset, **before),
        )

    def record(self, facts: Iterable[CoverageFact], next_session: ranged.NextSession) -> None:
        """Lay facts over what was known, inside a transaction."""
        by_source: dict[tuple[str, str], list[CoverageFact]] = {}
        for fact in facts:
            by_source.setdefault((fact.dataset, fact.source), []).append(fact)
        # Before any lock: the log's position is what all writers wait for in the same order.
        for of_source in by_source.values():
            self._changes.facts(of_source)
        for (dataset, source), of_source in sorted(by_source.items()):
            self._database.lock(f"coverage {dataset} {source}")
            before = self._near(dataset, source, of_source)
            after = {instrument: list(known) for instrument, known in before.items()}
            for fact in of_source:
                known = after.setdefault(fact.instrument, [])
                after[fact.instrument] = algebra.laid(fact, known, next_session)
            self._replace(dataset, source, before, after)

    def put(self, facts: Sequence[CoverageFact]) -> None:
        """Take up facts as they were once stored, in place of nothing, inside a transaction."""
        self._changes.rows(facts)
        rows = [fact_row(Ranged(first=fact.first, last=fact.last, label=fact)) for fact in facts]
        self._database.run_many("add_coverage", rows)

    def forget(self, dataset: str, instrument: str, source: str, first: dt.date, last: dt.date) -> None:
        """Nothing is known of these sessions any more, inside a transaction: they are asked for again."""
        self._changes.forgotten(dataset, instrument, source, first, last)
        self._database.lock(f"coverage {dataset} {source}")
        rows = self._database.run(
            "coverage_touching",
            dataset=dataset,
            instrument=instrument,
            source=source,
            first_session=first.isoformat(),
            last_session=last.isoformat(),
        )
        known = [Ranged(first=fact.first, last=fact.last, label=fact) for fact in map(fact_of, rows)]
        after = {instrument: algebra.without(known, first, last)}
        self._replace(dataset, source, {instrument: known}, after)

    def _near(
        self, dataset: str, source: str, facts: Sequence[CoverageFact]
    ) -> dict[str, list[Ranged[CoverageFact]]]:
        """What is stored around these facts, by instrument: with many facts read at once, with few one by one."""
        series = {"dataset": dataset, "source": source}
        spans: dict[str, tuple[dt.date, dt.date]] = {}
        for fact in facts:
            first, last = spans.get(fact.instrument, (fact.first, fact.last))
            spans[fact.instrument] = min(first, fact.first), max(last, fact.last)
        if len(facts) > _FEW:
            firsts, lasts = zip(*spans.values(), strict=True)
            rows = self._database.run("coverage_near", **series, **_around(min(firsts), max(lasts)))
        else:
            rows = [
                row
                for name, span in spans.items()
                for row in self._database.run(
                    "coverage_touching", **series, instrument=name, **_around(*span)
                )
            ]
        near: dict[str, list[Ranged[CoverageFact]]] = {}
        for row in rows:
            if row["instrument"] in spans:
                fact = fact_of(row)
                near.setdefault(fact.instrument, []).append(
                    Ranged(first=fact.first, last=fact.last, label=fact)
                )
        return near

    def _replace(
        self,
        dataset: str,
        source: str,
        before: Mapping[str, Sequence[Ranged[CoverageFact]]],
        after: Mapping[str, Sequence[Ranged[CoverageFact]]],
    ) -> None:
        """Store what changed, and note which instruments it concerns."""
        series = {"dataset": dataset, "source": source}
        drop: list[Mapping[str, object]] = []
        add: list[Mapping[str, object]] = []
        for instrument, known in after.items():
            kept = {id(fact_range) for fact_range in known}
            stored = {id(fact_range) for fact_range in before.get(instrument, ())}
            drop += [
                {**series, "instrument": instrument, "first_session": fact_range.first.isoformat()}
                for fact_range in before.get(instrument, ())
                if id(fact_range) not in kept
            ]
            add += [fact_row(fact_range) for fact_range in known if id(fact_range) not in stored]
        self._database.run_many("drop_coverage", drop)
        self._database.run_many("add_coverage", add)
        self._touched.add(dataset, after)


def _around(first: dt.date, last: dt.date) -> dict[str, str]:
    return {
        "first_session": (first - ranged.REACH).isoformat(),
        "last_session": (last + ranged.REACH).isoformat(),
    }
