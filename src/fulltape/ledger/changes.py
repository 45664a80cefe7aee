"""What was learned of coverage and verdicts, in order: nothing here is ever changed, and any earlier moment can be asked for.

The tables `coverage` and `verdicts` say what is known now; they follow from these changes. A change has a place in the log
(`seq`). Instruments of which the same is said share one change. From time to time all that is known is kept as a checkpoint, from which later moments are replayed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import zlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from fulltape import errors
from fulltape.coverage.facts import CoverageFact
from fulltape.coverage.projection import Projection
from fulltape.coverage.ranged import NextSession, Ranged
from fulltape.coverage.verdict_ranges import VerdictRange
from fulltape.ledger.database import Database, Row
from fulltape.ledger.rows import fact_of, fact_row, verdict_of, verdict_row
from fulltape.market.time import Instant, iso

_LOG = "knowledge"
_HORIZON = "knowledge_horizon"
_HORIZON_AT = "knowledge_horizon_at"
_MOST_REPLAYED = 200_000
"""So many facts and verdicts of single instruments are replayed on top of a checkpoint, about: a few seconds."""
_BEFORE_ALL = -(2**62)
_NOTHING: Mapping[str, object] = {
    "fact": "", "sound": 0, "final": 0, "since": 0, "evidence": "", "reason": "", "shown": 0, "extent": "", "asked": "",
    "repeated": 0,
}  # fmt: skip
_T = TypeVar("_T", CoverageFact, VerdictRange)


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What was known of one dataset at a moment of the log: as `Coverage.of_dataset` and `Verdicts` told it then."""

    facts: Sequence[CoverageFact]
    verdicts: Sequence[VerdictRange]


class Changes:
    """The log of what was learned."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def position(self) -> int:
        """The newest place in the log; 0 where nothing was learned since the log began."""
        return int(self._database.value("counter", name=_LOG) or 0)

    @property
    def horizon(self) -> int:
        """The first place in the log whose knowledge can be asked for."""
        return int(self._database.value("counter", name=_HORIZON) or 0)

    def begin(self) -> int:
        """Hold the log until the end of a transaction, and return its newest place. A transaction that changes rows which
        others change after they have learned something calls this first, else each may wait for the other."""
        return self._database.next(_LOG, 0)

    def restart(self, now: Instant) -> None:
        """What was known before this moment cannot be asked for any more, since the ledger was another one, or has learned something
        that it had once known; inside a transaction."""
        self._raise_horizon(self.begin(), now)

    def _raise_horizon(self, seq: int, moment: Instant) -> None:
        self._database.run("raise_counter", name=_HORIZON, value=seq)
        self._database.run("raise_counter", name=_HORIZON_AT, value=moment)

    def facts(self, facts: Sequence[CoverageFact]) -> None:
        """Facts of one source were laid over what was known, inside a transaction."""
        self._add_facts("laid", facts)

    def rows(self, facts: Sequence[CoverageFact]) -> None:
        """Facts were taken up as they stand, inside a transaction."""
        self._add_facts("row", facts)

    def contradicted(self, said: CoverageFact) -> None:
        """Rows were contradicted, inside a transaction."""
        self._add_facts("contradicted", [said])

    def forgotten(self, dataset: str, instrument: str, source: str, first: dt.date, last: dt.date) -> None:
        """Nothing is known of some sessions any more, inside a transaction."""
        span = {"first_session": first.isoformat(), "last_session": last.isoformat()}
        row = {**_NOTHING, **span, "kind": "forgotten", "dataset": dataset, "source": source}
        self._write("add_coverage_change", [(row, [instrument])])

    def verdicts(self, verdicts: Sequence[VerdictRange]) -> None:
        """Verdicts were laid over what was said, inside a transaction."""
        packed = [
            (
                {
                    **verdict_row(Ranged(first=verdict.first, last=verdict.last, label=verdict)),
                    "kind": "laid",
                },
                names,
            )
            for verdict, names in _packed(verdicts)
        ]
        self._write("add_verdict_change", packed)

    def verdicts_forgotten(self, dataset: str, codes: str) -> None:
        """All verdicts on curated series of a dataset with just these codes were dropped, inside a transaction."""
        row = {
            "kind": "forgotten", "dataset": dataset, "source": "", "first_session": "", "last_session": "",
            "verdict": "", "codes": codes, "since": 0,
        }  # fmt: skip
        self._write("add_verdict_change", [(row, [])])

    def known(self, dataset: str, seq: int, next_session: NextSession) -> Knowledge:
        """What was known of a dataset once everything up to a place in the log was, inclusive; `next_session` is its
        calendar's. `UsageError` before the horizon and beyond the newest place."""
        with self._database.snapshot():
            if not self.horizon <= seq <= self.position:
                raise errors.UsageError(
                    f"what was known at {seq} cannot be told.",
                    hint=f"The log reaches from {self.horizon} to {self.position}.",
                )
            return self._replayed(dataset, seq, next_session)

    def known_at(self, dataset: str, moment: Instant, next_session: NextSession) -> Knowledge:
        """What was known of a dataset at a moment (UTC microseconds, inclusive): all before the first change that came later, so that one
        which bears an earlier moment than it came at is told no earlier. `UsageError` before the horizon."""
        begin = int(self._database.value("counter", name=_HORIZON_AT) or 0)
        later = self._database.value("learned_after", dataset=dataset, moment=moment, horizon=self.horizon)
        if moment < begin or (later is not None and int(later) < 0):
            since = f" What was known is kept from {iso(begin)} on (retention.knowledge)." if begin else ""
            raise errors.UsageError(
                f"what this node knew at {iso(moment)} cannot be told.{since}",
                hint="Ask for a later moment, or for what was public, with as_of.",
            )
        return self.known(dataset, self.position if later is None else int(later) - 1, next_session)

    def _replayed(self, dataset: str, seq: int, next_session: NextSession) -> Knowledge:
        kept = self._database.run("newest_checkpoint", dataset=dataset, known=seq)
        projection = Projection(next_session)
        after = _BEFORE_ALL
        if kept:
            after = int(kept[0]["seq"])
            stored = msgspec.json.decode(zlib.decompress(kept[0]["content"]), type=_Stored)
            projection.put([fact_of(row) for row in stored.facts])
            projection.put_verdicts([verdict_of(row) for row in stored.verdicts])
        span = {"dataset": dataset, "after": after, "known": seq}
        for row in self._database.run("coverage_changes", **span):
            projection.fact(row["kind"], _facts_of(row))
        for row in self._database.run("verdict_changes", **span):
            if row["kind"] == "forgotten":
                projection.forget_verdicts(row["codes"])
            else:
                projection.verdict(row["kind"], _verdicts_of(row))
        return Knowledge(facts=projection.facts, verdicts=projection.verdicts)

    def checkpoint(self, *, now: Instant) -> int:
        """Keep all that is known at this moment, inside a transaction, if enough was learned since the last time; how many
        datasets that concerned."""
        position = self.begin()  # what others learn meanwhile comes after it
        names = self._names()
        due = False
        for name in names:
            kept = self._database.run("newest_checkpoint", dataset=name, known=position)
            after = int(kept[0]["seq"]) if kept else _BEFORE_ALL
            due |= int(self._database.value("learned_since", dataset=name, after=after)) > _MOST_REPLAYED
        for name in names if due else ():
            stored = _Stored(
                facts=_rows(self._database, "coverage_of_dataset", name),
                verdicts=_rows(self._database, "all_verdicts", name),
            )
            self._database.run(
                "add_checkpoint",
                dataset=name,
                seq=position,
                at=now,
                content=zlib.compress(msgspec.json.encode(stored)),
            )
        return len(names) if due else 0

    def forgettable(self, before: Instant) -> int:
        """How many changes lie before the newest checkpoint from before a moment."""
        names = self._names()
        horizon = self._checkpoint_before(names, before)
        return sum(self._count(name, until=horizon) for name in names)

    def forget(self, before: Instant) -> int:
        """Let the horizon move to the newest checkpoint from before a moment, inside a transaction; returns the changes that
        are gone."""
        self.begin()
        names = self._names()
        horizon = self._checkpoint_before(names, before)
        gone = sum(self._count(name, until=horizon) for name in names)
        for name in names:
            for statement in ("forget_coverage_changes", "forget_verdict_changes", "forget_checkpoints"):
                self._database.run(statement, dataset=name, seq=horizon)
        if gone:
            self._database.run("forget_instrument_sets")
            self._raise_horizon(horizon, before)
        return gone

    def _names(self) -> list[str]:
        return [str(row["dataset"]) for row in self._database.run("changed_datasets")]

    def _checkpoint_before(self, names: Sequence[str], before: Instant) -> int:
        """The newest checkpoint of all datasets from before a moment; before all changes where there is none."""
        checkpoints = [
            self._database.value("newest_checkpoint_before", dataset=name, before=before) for name in names
        ]
        return min((_BEFORE_ALL if seq is None else int(seq) for seq in checkpoints), default=_BEFORE_ALL)

    def _count(self, dataset: str, *, until: int) -> int:
        return int(self._database.value("count_changes", dataset=dataset, until=until))

    def _add_facts(self, kind: str, facts: Sequence[CoverageFact]) -> None:
        packed = [
            ({**fact_row(Ranged(first=fact.first, last=fact.last, label=fact)), "kind": kind}, names)
            for fact, names in _packed(facts)
        ]
        self._write("add_coverage_change", packed)

    def _write(self, statement: str, packed: Sequence[tuple[Mapping[str, object], Sequence[str]]]) -> None:
        if not packed:
            return
        seq = self._database.next(_LOG, len(packed)) - len(packed)
        rows = []
        for at, (row, names) in enumerate(packed, start=1):
            said = {name: value for name, value in row.items() if name != "instrument"}
            rows.append({**said, "seq": seq + at, "set_id": self._set(names) if names else 0})
        self._database.run_many(statement, rows)

    def _set(self, names: Sequence[str]) -> int:
        """The number of a set of instruments; the same ones share it."""
        text = "\n".join(names)
        digest = hashlib.sha256(text.encode()).hexdigest()
        known = self._database.value("instrument_set", digest=digest)
        if known is not None:
            return int(known)
        set_id = self._database.next("instrument_set")
        self._database.run(
            "add_instrument_set", set_id=set_id, digest=digest, members=len(names), instruments=text
        )
        return set_id


def _rows(database: Database, statement: str, dataset: str) -> list[dict[str, Any]]:
    return [dict(row) for row in database.run(statement, dataset=dataset)]


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    facts: list[dict[str, Any]]
    verdicts: list[dict[str, Any]]


def _packed(said: Iterable[_T]) -> list[tuple[_T, list[str]]]:
    """What is said alike of several instruments, once; what is said of one instrument stays in its order."""
    packed: list[tuple[_T, list[str]]] = []
    places: dict[Hashable, int] = {}
    newest: dict[str, int] = {}
    for statement in said:
        key = tuple(getattr(statement, name) for name in statement.__slots__ if name != "instrument")
        place = places.get(key, -1)
        if place <= newest.get(statement.instrument, -1):
            place = places[key] = len(packed)
            packed.append((statement, []))
        packed[place][1].append(statement.instrument)
        newest[statement.instrument] = place
    return packed


def _facts_of(row: Row) -> list[CoverageFact]:
    return [fact_of({**row, "instrument": name}) for name in row["instruments"].split("\n")]


def _verdicts_of(row: Row) -> list[VerdictRange]:
    return [verdict_of({**row, "instrument": name}) for name in row["instruments"].split("\n")]
