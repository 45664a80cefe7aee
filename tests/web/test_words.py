"""The sentence of the overview: nothing is said to be well that is not known to be."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulltape.lake.capture_state import CapturedChannel, CapturedSource, CaptureState
from fulltape.market.time import MINUTE, SECOND, from_datetime
from fulltape.service.memory import LastRun, NightRecord
from fulltape.service.shown import ServiceState, ShownCondition, ShownEntry
from fulltape.web import words
from fulltape.web.snapshot import DatasetCounts, NodeCounts, Snapshot

NOW = from_datetime(dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC))
STATES = ("held", "empty", "missing", "partial", "unobtainable", "unknown_listing")
VERDICTS = ("GREEN", "AMBER", "RED", "UNCHECKED")


def service(**about: Any) -> ServiceState:
    forward = ShownEntry(
        name="forward", job="audit_changes", lane="fetch", when="after final", enabled=True, next=NOW + MINUTE, waiting="",
        last=LastRun(),
    )  # fmt: skip
    base = ServiceState(
        at=NOW,
        since=NOW,
        process=1,
        stopping=False,
        running=(),
        entries=(forward,),
        conditions=(),
        capture="none",
    )
    return msgspec.structs.replace(base, **about)


def counts(cells: dict[str, int], verdicts: dict[str, int], **about: Any) -> NodeCounts:
    wanted = sum(cells.values())
    dataset = DatasetCounts(
        dataset="equities_bars_day", cells={"wanted": wanted, **cells}, verdicts=verdicts, newest="2026-11-27"
    )
    base = NodeCounts(
        at=NOW,
        took=0.1,
        datasets=(dataset,),
        sources=(),
        tasks={},
        damaged=0,
        rejected=0,
        disk={},
        disk_sentence="",
        bundle="",
    )
    return msgspec.structs.replace(base, **about)


GOOD = counts({"held": 10, "empty": 2}, {"GREEN": 9, "AMBER": 1})


def shown(**about: Any) -> Snapshot:
    base = Snapshot(
        node="node", at=NOW, service=service(), capture=None, counts=GOOD, problem="", runs=(), nights={}
    )
    return msgspec.structs.replace(base, **about)


def test_a_node_that_is_well_says_so_and_what_comes_next() -> None:
    said = words.headline(shown())
    assert said.tone == "well"
    assert said.text == "Everything is held and checked to Friday, 27 November 2026. 1 cells are AMBER."
    assert said.more == "Next: new sessions, Mon 30 Nov 12:01 UTC."


CAPTURED = CapturedSource(
    source="a.x", state="connecting", reason="403", reconnects=0, messages=0, bytes=0, durable=0, lag=0.0, dropped=0,
    trouble="", journal="", channels=(CapturedChannel(dataset="d", symbol="S", live=False, last=0),),
)  # fmt: skip


@pytest.mark.parametrize(
    ("about", "tone", "piece"),
    [
        ({"service": None}, "attention", "No service runs."),
        ({"counts": None}, "unknown", "has not been read"),
        ({"counts": GOOD, "at": NOW + 6 * MINUTE}, "unknown", "was last read at"),
        ({"problem": "the ledger is locked"}, "unknown", "was last read at"),
        ({"service": service(message="the settings were not taken: why")}, "attention", "settings were not taken"),
        ({"service": service(held={"backfill": "the disk is full"})}, "attention", "Work waits"),
        (
            {"service": service(conditions=(ShownCondition(key="k", title="Key refused", text="Mend it.", since=NOW),))},
            "attention",
            "Key refused.",
        ),
        ({"service": service(capture="running")}, "attention", "Live capture is not running"),
        (
            {
                "service": service(capture="running", capture_process=2),
                "capture": CaptureState(at=NOW, running=True, process=2, sources=(CAPTURED,)),
            },
            "attention",
            "1 live streams are down (a.x is connecting)",
        ),
        (
            {
                "service": service(capture="running", capture_process=2),
                "capture": CaptureState(at=NOW - 60 * SECOND, running=True, process=2, sources=()),
            },
            "attention",
            "Live capture is not running",
        ),
        ({"counts": counts({"held": 9, "missing": 1}, {"GREEN": 9})}, "attention", "Of 10 cells 1 are missing."),
        ({"counts": counts({"held": 9, "missing": 1}, {"GREEN": 9}, tasks={"queued": 1})}, "working", "Of 10 cells 1 are missing."),
        ({"counts": counts({"held": 9, "missing": 1}, {"GREEN": 9}, tasks={"done": 1})}, "attention", "Of 10 cells 1 are missing."),
        ({"counts": counts({"held": 10}, {"GREEN": 9, "RED": 1})}, "attention", "1 cells are RED"),
        ({"counts": counts({"held": 10}, {"GREEN": 9})}, "attention", "1 cells are not checked"),
        ({"counts": counts({"held": 10}, {"GREEN": 9, "UNCHECKED": 1})}, "attention", "1 cells are not checked"),
        ({"counts": counts({"held": 10}, {"GREEN": 10}, damaged=1)}, "attention", "not what was written"),
        ({"counts": counts({}, {})}, "unknown", "Nothing is wanted yet"),
        (
            {
                "counts": msgspec.structs.replace(
                    GOOD,
                    datasets=(*GOOD.datasets, DatasetCounts(dataset="empty", cells={"wanted": 0}, verdicts={}, newest="")),
                )
            },
            "unknown",
            "of empty nothing is wanted",
        ),
    ],
)  # fmt: skip
def test_what_keeps_a_node_from_being_well_is_said(about: dict[str, Any], tone: str, piece: str) -> None:
    said = words.headline(shown(**about))
    assert said.tone == tone, said
    assert piece in said.text


@given(
    st.dictionaries(st.sampled_from(STATES), st.integers(0, 3)),
    st.dictionaries(st.sampled_from(VERDICTS), st.integers(0, 3)),
    st.integers(0, 1),
)
def test_well_means_everything(cells: dict[str, int], verdicts: dict[str, int], damaged: int) -> None:
    said = words.headline(shown(counts=counts(cells, verdicts, damaged=damaged)))
    if said.tone == "well":
        assert not damaged
        assert not any(cells.get(name) for name in ("missing", "partial", "unobtainable", "unknown_listing"))
        assert not verdicts.get("RED")
        assert verdicts.get("GREEN", 0) + verdicts.get("AMBER", 0) >= cells.get("held", 0)
        assert sum(cells.values())


def test_the_ribbon_has_a_square_a_night_and_none_is_green_without_a_record() -> None:
    nights = {
        "2026-11-28": NightRecord(outcome="done", complete=True),
        "2026-11-29": NightRecord(outcome="done", complete=False),
        "2026-11-30": NightRecord(outcome="failed", complete=True),
    }
    squares = words.ribbon(nights, dt.date(2026, 11, 30))
    assert len(squares) == words.NIGHTS
    assert [square.tone for square in squares[-4:]] == ["unknown", "well", "working", "attention"]


def test_ages_and_moments() -> None:
    assert [words.ago(NOW - length, NOW) for length in (5 * SECOND, 5 * MINUTE, 26 * 60 * MINUTE)] == [
        "5 s ago",
        "5 min ago",
        "1 d ago",
    ]
    assert words.ago(0, NOW) == "never"
    entries = service().entries
    late = msgspec.structs.replace(entries[0], name="late", next=NOW + MINUTE + SECOND)
    assert words.upcoming(service(entries=(*entries, late))) == [(NOW + MINUTE, "forward, late")]


def test_what_one_dataset_has_too_many_of_hides_nothing_of_another() -> None:
    days = DatasetCounts(
        dataset="days", cells={"wanted": 100, "held": 100}, verdicts={"GREEN": 1_155}, newest="2012-12-31"
    )
    minutes = DatasetCounts(
        dataset="minutes", cells={"wanted": 205, "held": 205}, verdicts={}, newest="2012-12-31"
    )
    said = words.headline(shown(counts=msgspec.structs.replace(GOOD, datasets=(days, minutes))))
    assert (said.tone, said.text) == ("attention", "Everything is held; 205 cells are not checked yet.")


def test_a_node_that_could_not_be_looked_at_is_unknown_whatever_was_seen() -> None:
    said = words.headline(shown(stale=True, problem="the server does not answer"))
    assert (said.tone, said.more) == ("unknown", "the server does not answer")
    assert not words.fresh(shown(stale=True))
