"""What was known at any place of the log is what was told then: on both engines, after any changes, out of any checkpoint."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import Opener
from fulltape import errors
from fulltape.checks import contradiction
from fulltape.coverage.cell import Verdict
from fulltape.coverage.facts import CoverageFact
from fulltape.coverage.verdict_ranges import VerdictRange
from fulltape.ledger import changes
from fulltape.ledger.changes import Knowledge
from fulltape.ledger.ledger import Ledger
from fulltape.ledger.sqlite import Sqlite
from fulltape.market.time import DAY, HOUR

NAME = "equities_bars_day"
NAMES = ["A", "B", "C"]
SOURCES = ["a.sip", "b.sip"]
FIRST = dt.date(2024, 11, 4)
Change = Callable[[Ledger, int], None]


def following(day: dt.date) -> dt.date:
    """The next weekday."""
    day += dt.timedelta(days=1)
    while day.weekday() > 4:
        day += dt.timedelta(days=1)
    return day


def spans() -> st.SearchStrategy[tuple[dt.date, dt.date]]:
    one = st.integers(0, 18)
    return st.tuples(one, one).map(
        lambda ends: (FIRST + dt.timedelta(days=min(ends)), FIRST + dt.timedelta(days=max(ends)))
    )


def fact(name: str, source: str, span: tuple[dt.date, dt.date], kind: str, now: int) -> CoverageFact:
    return CoverageFact(
        dataset=NAME,
        instrument=name,
        source=source,
        first=span[0],
        last=span[1],
        fact=kind,  # type: ignore[arg-type]
        sound=kind != "refused",
        final=True,
        since=now,
        evidence=f"fetch {now % 3}",
        asked=f"{now % 2}",
    )


def lay(cells: list[tuple[str, str, tuple[dt.date, dt.date], str]]) -> Change:
    def change(ledger: Ledger, now: int) -> None:
        ledger.coverage.record([fact(*cell, now) for cell in cells], following)

    return change


def forget(name: str, source: str, span: tuple[dt.date, dt.date]) -> Change:
    return lambda ledger, now: ledger.coverage.forget(NAME, name, source, *span)


def contradict(name: str, source: str, span: tuple[dt.date, dt.date]) -> Change:
    def change(ledger: Ledger, now: int) -> None:
        said = fact(name, source, span, "present", now)
        noted = CoverageFact(
            **{**{key: getattr(said, key) for key in said.__slots__}, "reason": contradiction.SENTENCE}
        )
        ledger.coverage.contradict(noted)

    return change


def judge(cells: list[tuple[str, str, tuple[dt.date, dt.date], Verdict, str]]) -> Change:
    def change(ledger: Ledger, now: int) -> None:
        ledger.verdicts.record(
            [
                VerdictRange(
                    dataset=NAME, instrument=name, source=source, first=span[0], last=span[1], verdict=verdict,
                    codes=codes, since=now,
                )
                for name, source, span, verdict, codes in cells
            ],
            following,
        )  # fmt: skip

    return change


def drop(codes: str) -> Change:
    return lambda ledger, now: ledger.verdicts.forget(NAME, codes)


names, sources = st.sampled_from(NAMES), st.sampled_from(SOURCES)
CHANGES = st.one_of(
    st.lists(
        st.tuples(names, sources, spans(), st.sampled_from(["present", "empty", "refused", "partial"])),
        min_size=1,
        max_size=4,
    ).map(lay),
    st.builds(forget, names, sources, spans()),
    st.builds(contradict, names, sources, spans()),
    st.lists(
        st.tuples(
            names,
            st.sampled_from(["", "a.sip"]),
            spans(),
            st.sampled_from(list(Verdict)),
            st.sampled_from(["", "x"]),
        ),
        min_size=1,
        max_size=3,
    ).map(judge),
    st.sampled_from(["", "x"]).map(drop),
)


def told(ledger: Ledger) -> Knowledge:
    """What the tables say now."""
    verdicts = [one for source in ("", *SOURCES) for one in ledger.verdicts.of_dataset(NAME, source)]
    return Knowledge(
        facts=ledger.coverage.of_dataset(NAME),
        verdicts=sorted(verdicts, key=lambda one: (one.instrument, one.source, one.first)),
    )


@settings(deadline=None, max_examples=60)
@given(steps=st.lists(st.tuples(CHANGES, st.integers(0, 40), st.booleans()), min_size=1, max_size=14))
def test_what_was_known_is_what_follows_from_the_log(
    open_ledger: Opener, steps: list[tuple[Change, int, bool]]
) -> None:
    ledger = open_ledger(uuid.uuid4().hex)
    now = 10 * DAY
    before: dict[int, Knowledge] = {ledger.changes.position: told(ledger)}
    most, changes._MOST_REPLAYED = changes._MOST_REPLAYED, 0
    try:
        for change, hours, kept in steps:
            now += hours * HOUR
            with ledger.write():
                change(ledger, now)
            before[ledger.changes.position] = told(ledger)
            if kept:
                with ledger.write():
                    ledger.changes.checkpoint(now=now)
        for seq, knowledge in before.items():
            assert ledger.changes.known(NAME, seq, following) == knowledge
        with ledger.write():
            ledger.changes.forget(now)
        for seq, knowledge in before.items():
            if seq >= ledger.changes.horizon:
                assert ledger.changes.known(NAME, seq, following) == knowledge
    finally:
        changes._MOST_REPLAYED = most


def test_reads_from_before_the_horizon_are_refused(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_MOST_REPLAYED", 0)
    span = (FIRST, FIRST)
    for at, name in enumerate(NAMES):
        with ledger.write():
            ledger.coverage.record([fact(name, "a.sip", span, "present", at)], following)
        with ledger.write():
            assert ledger.changes.checkpoint(now=at * DAY) == 1
    assert (ledger.changes.horizon, ledger.changes.position) == (0, 3)
    with ledger.write():
        assert ledger.changes.forget(before=1 * DAY + 1) == 2
    assert ledger.changes.horizon == 2
    with pytest.raises(errors.UsageError, match="what was known at 1 cannot be told"):
        ledger.changes.known(NAME, 1, following)
    with pytest.raises(errors.UsageError):
        ledger.changes.known(NAME, 4, following)
    assert [one.instrument for one in ledger.changes.known(NAME, 2, following).facts] == ["A", "B"]
    assert ledger.changes.known(NAME, 3, following) == told(ledger)
    assert ledger.changes.known("options_bars_day", 3, following) == Knowledge(facts=[], verdicts=[])


def test_what_is_said_alike_of_many_is_one_change(ledger: Ledger) -> None:
    names = [f"S{number:04d}" for number in range(500)]
    for day in range(3):
        span = (FIRST + dt.timedelta(days=day),) * 2
        with ledger.write():
            ledger.coverage.record([fact(name, "a.sip", span, "present", 1) for name in names], following)
    (row,) = ledger.database.statement(
        "SELECT COUNT(*) AS changes, COUNT(DISTINCT set_id) AS sets FROM coverage_changes"
    )
    assert (row["changes"], row["sets"]) == (3, 1)
    assert len(ledger.changes.known(NAME, 2, following).facts) == 500


def test_a_ledger_that_was_another_one_tells_nothing_of_before(ledger: Ledger) -> None:
    with ledger.write():
        ledger.coverage.record([fact("A", "a.sip", (FIRST, FIRST), "present", 1)], following)
    with ledger.write():
        ledger.changes.restart(1)
    assert ledger.changes.known(NAME, 1, following) == told(ledger)
    with ledger.write():
        ledger.coverage.record([fact("B", "a.sip", (FIRST, FIRST), "present", 2)], following)
        ledger.changes.restart(1)
    with pytest.raises(errors.UsageError, match="reaches from 2 to 2"):
        ledger.changes.known(NAME, 1, following)


def test_a_ledger_that_is_only_read_tells_it_too(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    writer = Ledger(Sqlite(path))
    with writer.write():
        writer.coverage.record([fact("A", "a.sip", (FIRST, FIRST), "present", 1)], following)
    reader = Ledger(Sqlite(path, read_only=True))
    assert reader.changes.known(NAME, 1, following) == told(writer)
    reader.close()
    writer.close()


def test_what_was_contradicted_was_known_to_be_there(ledger: Ledger) -> None:
    week = (FIRST, FIRST + dt.timedelta(days=4))
    tuesday = (FIRST + dt.timedelta(days=1),) * 2
    for now, change in enumerate((lay([("A", "a.sip", week, "present")]), contradict("A", "a.sip", tuesday))):
        with ledger.write():
            change(ledger, now)
    then, seq = ledger.coverage.of_dataset(NAME), ledger.changes.position
    with ledger.write():
        forget("A", "a.sip", week)(ledger, 3)
    known = ledger.changes.known(NAME, seq, following)
    assert known.facts == then
    assert [(said.fact, said.reason) for said in known.facts] == [
        ("present", ""),
        ("present", contradiction.SENTENCE),
        ("present", ""),
    ]
