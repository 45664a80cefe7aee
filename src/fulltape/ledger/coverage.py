"""Facts of single sources, as ranges of sessions."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

from fulltape.checks import contradiction
from fulltape.coverage.cell import FactKind
from fulltape.ledger import ranged
from fulltape.ledger.database import Database, Row
from fulltape.ledger.ranged import Ranged
from fulltape.market.time import DAY, HOUR, Instant

_FEW = 50
LATER = 20 * HOUR
"""An answer so much later is another one. Less than a day, so that a nightly run counts although it began earlier."""
PATIENCE = (LATER, 7 * DAY, 30 * DAY, 90 * DAY)
"""So long after emptiness or a refusal was shown it may be asked again: the first time, the second, the third, later."""
_SETTLED = len(PATIENCE)
Extent = Literal["", "span", "positional"]
"""How far an empty answer reached: over a window or a file, or over a single venue's page that is limited by count and
has rows on both sides; '' unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageFact:
    """What a source showed for sessions `first` to `last` of an instrument; `evidence` names the fetch."""

    dataset: str
    instrument: str
    source: str
    first: dt.date
    last: dt.date
    fact: FactKind
    sound: bool
    final: bool
    since: Instant
    evidence: str
    reason: str = ""
    shown: int = 1
    """How often the source said the same again after its evidence had expired."""
    extent: Extent = ""
    asked: str = ""
    """The first and last session of the fetch that showed it, as first/last; '' unknown."""
    repeated: int = 0
    """How often the same emptiness was shown again, at least `LATER` afterwards over another span."""

    @property
    def again_at(self) -> Instant:
        """From when on the source may be asked again."""
        return self.since + PATIENCE[min(self.shown, _SETTLED) - 1]

    @property
    def settled(self) -> bool:
        """Whether it was shown so often that only doubt lets it be asked again."""
        return self.shown >= _SETTLED


class Coverage:
    """Facts by (dataset, instrument, source)."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
        found = self._database.tuples(
            "answered_by_others",
            dataset=dataset,
            instrument=instrument,
            source=source,
            session=session.isoformat(),
        )
        return bool(found)

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
            "coverage_of_reason", dataset=dataset, fact="present", reason=contradiction.SENTENCE
        )
        return [fact_of(row) for row in rows]

    def contradict(self, said: CoverageFact) -> None:
        """Note again that rows were contradicted, as far as they are known to be there, inside a transaction."""
        for one in self.of_series(said.dataset, said.instrument):
            first, last = max(one.first, said.first), min(one.last, said.last)
            if one.source == said.source and one.fact == "present" and first <= last:
                self.forget(one.dataset, one.instrument, one.source, first, last)
                row = _fact_row(Ranged(first=first, last=last, label=replace(one, reason=said.reason)))
                self._database.run_many("add_coverage", [row])

    def expired(self, dataset: str, *, now: Instant) -> list[tuple[str, str, str, str, int]]:
        """(instrument, source, first, last, settled) of emptiness and refusals that may be asked again, the oldest first:
        see `PATIENCE`. What was shown four times is `settled`: it is asked again only where it is not believed, or
        believed by a user's decision."""
        before = {f"before_{at}": now - wait for at, wait in enumerate(PATIENCE, start=1)}
        return cast(
            "list[tuple[str, str, str, str, int]]",
            self._database.tuples("expired_evidence", dataset=dataset, **before),
        )

    def touched(self, dataset: str) -> list[str]:
        """Instruments about which something was recorded since `forget_touched`."""
        return [row[0] for row in self._database.tuples("touched", dataset=dataset)]

    def touch(self, dataset: str, instruments: Iterable[str]) -> None:
        """Something changed that concerns these: the next incremental audit looks at them. Inside a transaction."""
        self._database.run_many("touch", [{"dataset": dataset, "instrument": one} for one in instruments])

    def forget_touched(self, dataset: str) -> None:
        """Everything touched has been looked at, inside a transaction."""
        self._database.run("forget_touched", dataset=dataset)

    def record(self, facts: Iterable[CoverageFact], next_session: ranged.NextSession) -> None:
        """Lay facts over what was known, inside a transaction."""
        by_source: dict[tuple[str, str], list[CoverageFact]] = {}
        for fact in facts:
            by_source.setdefault((fact.dataset, fact.source), []).append(fact)
        for (dataset, source), found in sorted(by_source.items()):
            self._database.lock(f"coverage {dataset} {source}")
            before = self._near(dataset, source, found)
            after = {instrument: list(known) for instrument, known in before.items()}
            for fact in found:
                known = after.setdefault(fact.instrument, [])
                after[fact.instrument] = _laid(fact, known, next_session)
            self._replace(dataset, source, before, after)

    def forget(self, dataset: str, instrument: str, source: str, first: dt.date, last: dt.date) -> None:
        """Nothing is known of these sessions any more, inside a transaction: they are asked for again."""
        self._database.lock(f"coverage {dataset} {source}")
        series = {"dataset": dataset, "instrument": instrument, "source": source}
        span = {"first_session": first.isoformat(), "last_session": last.isoformat()}
        for fact in [fact_of(row) for row in self._database.run("coverage_touching", **series, **span)]:
            self._database.run("drop_coverage", **series, first_session=fact.first.isoformat())
            kept = [(fact.first, first - ranged.ONE_DAY), (last + ranged.ONE_DAY, fact.last)]
            rows = [
                _fact_row(Ranged(first=start, last=end, label=fact)) for start, end in kept if start <= end
            ]
            self._database.run_many("add_coverage", rows)
        self.touch(dataset, [instrument])

    def _near(
        self, dataset: str, source: str, facts: Sequence[CoverageFact]
    ) -> dict[str, list[Ranged[CoverageFact]]]:
        """What is stored around these facts, by instrument: with many facts read at once, with few one by one."""
        series = {"dataset": dataset, "source": source}
        if len(facts) > _FEW:
            rows = self._database.run(
                "coverage_near",
                **series,
                first_session=(min(fact.first for fact in facts) - ranged.REACH).isoformat(),
                last_session=(max(fact.last for fact in facts) + ranged.REACH).isoformat(),
            )
        else:
            rows = [
                row
                for instrument in dict.fromkeys(fact.instrument for fact in facts)
                for row in self._database.run(
                    "coverage_touching",
                    **series,
                    instrument=instrument,
                    first_session=(
                        min(fact.first for fact in facts if fact.instrument == instrument) - ranged.REACH
                    ).isoformat(),
                    last_session=(
                        max(fact.last for fact in facts if fact.instrument == instrument) + ranged.REACH
                    ).isoformat(),
                )
            ]
        wanted = {fact.instrument for fact in facts}
        near: dict[str, list[Ranged[CoverageFact]]] = {}
        for row in rows:
            if row["instrument"] in wanted:
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
        """Store what changed, and note whom it concerns."""
        series = {"dataset": dataset, "source": source}
        drop: list[Mapping[str, object]] = []
        add: list[Mapping[str, object]] = []
        for instrument, known in after.items():
            kept = {id(one) for one in known}
            stored = {id(one) for one in before.get(instrument, ())}
            drop += [
                {**series, "instrument": instrument, "first_session": one.first.isoformat()}
                for one in before.get(instrument, ())
                if id(one) not in kept
            ]
            add += [_fact_row(one) for one in known if id(one) not in stored]
        self._database.run_many("drop_coverage", drop)
        self._database.run_many("add_coverage", add)
        self.touch(dataset, after)


def _laid(
    fact: CoverageFact, known: list[Ranged[CoverageFact]], next_session: ranged.NextSession
) -> list[Ranged[CoverageFact]]:
    """`known` with a fact laid over it. Emptiness that is shown again later weighs more, just where it is; over rows it
    weighs nothing."""
    if fact.fact in ("empty", "refused"):
        shown = next((one for one in known if _shows_rows(one, fact)), None)
        if shown is not None:
            return _beside(fact, shown, known, next_session)
        before = [
            one
            for one in known
            if one.label.fact == fact.fact and one.first <= fact.last and fact.first <= one.last
        ]
        if before:
            for piece in _pieces(fact, before):
                if next_session(piece.first - ranged.ONE_DAY) <= piece.last:
                    known = _over(piece, known, next_session)
            return known
    return _over(fact, known, next_session)


def _shows_rows(one: Ranged[CoverageFact], fact: CoverageFact) -> bool:
    return one.label.fact in ("present", "partial") and one.first <= fact.last and fact.first <= one.last


def _beside(
    fact: CoverageFact,
    shown: Ranged[CoverageFact],
    known: list[Ranged[CoverageFact]],
    next_session: ranged.NextSession,
) -> list[Ranged[CoverageFact]]:
    """A source that has shown rows is silent now, or its rows were refused: those that it has shown stay. That they are
    contradicted is noted, and what lies around them is laid as it is."""
    first, last = max(shown.first, fact.first), min(shown.last, fact.last)
    for start, end in ((fact.first, first - ranged.ONE_DAY), (last + ranged.ONE_DAY, fact.last)):
        if start <= end and next_session(start - ranged.ONE_DAY) <= end:
            known = _laid(replace(fact, first=start, last=end), known, next_session)
    if fact.fact == "empty" and shown.label.fact == "present":
        kept = replace(shown.label, first=first, last=last, reason=contradiction.SENTENCE)
        known = _over(kept, known, next_session)
    return known


def _pieces(fact: CoverageFact, before: Sequence[Ranged[CoverageFact]]) -> list[CoverageFact]:
    """A fact cut where what the same source showed before begins and ends, each piece with what it adds to that."""
    edges = {fact.first, fact.last + ranged.ONE_DAY}
    edges |= {max(one.first, fact.first) for one in before}
    edges |= {min(one.last, fact.last) + ranged.ONE_DAY for one in before}
    pieces = []
    for first, stop in itertools.pairwise(sorted(edges)):
        was = next((one.label for one in before if one.first <= first <= one.last), None)
        piece = replace(fact, first=first, last=stop - ranged.ONE_DAY)
        if was is not None:
            later = fact.since - was.since >= LATER
            elsewhere = bool(was.asked and fact.asked) and was.asked != fact.asked
            again = later and elsewhere and was.sound and fact.sound and fact.fact == "empty"
            piece = replace(piece, shown=was.shown + later, repeated=was.repeated + again)
        pieces.append(piece)
    return pieces


def _over(
    fact: CoverageFact, known: list[Ranged[CoverageFact]], next_session: ranged.NextSession
) -> list[Ranged[CoverageFact]]:
    near = [
        one
        for one in known
        if one.first <= fact.last + ranged.REACH and one.last >= fact.first - ranged.REACH
    ]
    new = Ranged(first=fact.first, last=fact.last, label=fact)
    removed, added = ranged.overlay(near, new, same=_same_fact, next_session=next_session)
    gone = {id(one) for one in removed}
    return [one for one in known if id(one) not in gone] + added


def _same_fact(left: CoverageFact, right: CoverageFact) -> bool:
    """Rows that are there are found again through their parts; emptiness and refusal keep the fetch that showed them."""
    if any(getattr(left, name) != getattr(right, name) for name in _SAID):
        return False
    return left.fact in ("present", "partial") or left.evidence == right.evidence


_SAID = ("fact", "sound", "final", "reason", "shown", "extent", "repeated")


def fact_of(row: Row) -> CoverageFact:
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


def _fact_row(one: Ranged[CoverageFact]) -> dict[str, object]:
    fact = one.label
    return {
        "dataset": fact.dataset,
        "instrument": fact.instrument,
        "source": fact.source,
        "first_session": one.first.isoformat(),
        "last_session": one.last.isoformat(),
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
