"""The queue: nothing is claimed twice, nobody finishes with an old attempt, expired leases are free."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from conftest import Opener
from fulltape import errors
from fulltape.ledger.ledger import Ledger
from fulltape.ledger.task import Claimable, Kind, NewTask

NOW = 1_000
SERVED = dt.date(2000, 1, 3)


def new(instrument: str = "A", kind: Kind = "GAP", day: int = 2) -> NewTask:
    session = dt.date(2024, 1, day)
    return NewTask(
        dataset="d", instrument=instrument, symbol=instrument, first=session, last=session, kind=kind
    )


def enqueue(ledger: Ledger, *tasks: NewTask) -> list[Claimable]:
    with ledger.write():
        ledger.queue.enqueue(tasks, now=NOW)
    return candidates(ledger)


def candidates(
    ledger: Ledger, *, source: str = "a.sip", now: int = NOW, most: int = 1_000
) -> list[Claimable]:
    """All that a source may take, in the order of dispatch; expired leases are given back first."""
    with ledger.write():
        ledger.queue.requeue_expired(now=now)
    return [
        task
        for of in ledger.tasks.census()
        for task in ledger.tasks.candidates(source, of, first_day=SERVED, now=now, most=most)
    ]


def claim(
    ledger: Ledger, tasks: list[Claimable], *, now: int = NOW, worker: str = "w", until: int = NOW + 10
) -> dict[int, int]:
    with ledger.write():
        return ledger.queue.claim(
            tasks, source="a.sip", worker=worker, fetch_id="x", now=now, lease_until=until
        )


def test_order_is_by_kind_then_batch_then_id(ledger: Ledger) -> None:
    enqueue(ledger, new("A", "BOOTSTRAP"), new("B", "GAP"))
    found = enqueue(ledger, new("C", "GAP"), new("D", "FORWARD"))
    assert [task.instrument for task in found] == ["D", "B", "C", "A"]


def test_the_same_open_task_exists_once(ledger: Ledger) -> None:
    enqueue(ledger, new())
    with pytest.raises(errors.StorageError, match="failed"):
        enqueue(ledger, new())


def test_a_claimed_task_is_nobody_elses_until_its_lease_ends(ledger: Ledger) -> None:
    tasks = enqueue(ledger, new())
    assert claim(ledger, tasks) == {tasks[0].task_id: 1}
    assert claim(ledger, tasks) == {}
    assert candidates(ledger, source="a.sip", now=NOW + 9) == []
    again = candidates(ledger, source="a.sip", now=NOW + 10)
    assert claim(ledger, again, now=NOW + 10, worker="other", until=NOW + 20) == {tasks[0].task_id: 2}


def test_an_expired_lease_is_claimed_by_the_claim_itself(ledger: Ledger) -> None:
    (task,) = enqueue(ledger, new())
    claim(ledger, [task], worker="dead", until=NOW + 10)
    leased = task._replace(attempt=1)
    assert claim(ledger, [leased], now=NOW + 9, worker="other") == {}
    assert claim(ledger, [leased], now=NOW + 10, worker="other", until=NOW + 20) == {task.task_id: 2}
    (held,) = ledger.tasks.leased_by("other")
    assert (held.state, held.attempt) == ("leased", 2)
    assert ledger.tasks.leased_by("dead") == []


def test_nobody_renews_the_lease_of_another_worker(ledger: Ledger) -> None:
    (task,) = enqueue(ledger, new())
    attempts = claim(ledger, [task], worker="w", until=NOW + 10)
    with ledger.write():
        assert ledger.queue.renew(attempts, worker="other", lease_until=NOW + 99) == set()
    assert candidates(ledger, now=NOW + 10), "its lease ended when it was due"


def test_an_old_attempt_can_neither_renew_nor_finish_nor_release(ledger: Ledger) -> None:
    tasks = enqueue(ledger, new())
    claim(ledger, tasks)
    claim(
        ledger,
        candidates(ledger, source="a.sip", now=NOW + 10),
        now=NOW + 10,
        worker="fresh",
        until=NOW + 50,
    )
    (task_id,) = (task.task_id for task in tasks)
    with ledger.write():
        assert ledger.queue.renew({task_id: 1}, worker="w", lease_until=NOW + 99) == set()
        assert not ledger.queue.fetched(task_id, 1)
        assert not ledger.queue.release(task_id, 1)
        assert not ledger.queue.finish(task_id, 1, "done", now=NOW)
        assert ledger.queue.finish(task_id, 2, "done", now=NOW)


def test_a_fetched_task_is_not_claimable_and_needs_no_lease(ledger: Ledger) -> None:
    tasks = enqueue(ledger, new())
    ((task_id, attempt),) = claim(ledger, tasks).items()
    with ledger.write():
        assert ledger.queue.fetched(task_id, attempt)
    assert candidates(ledger, source="a.sip", now=NOW + 1_000) == []


def test_a_source_can_be_held_back_while_others_go_on(ledger: Ledger) -> None:
    tasks = enqueue(ledger, new("A"), new("B"))
    with ledger.write():
        ledger.queue.hold_back(tasks[0].task_id, "a.sip", not_before=NOW + 5)
        ledger.queue.hold_back(tasks[1].task_id, "a.sip", refusal="not in the plan")
    assert candidates(ledger, source="a.sip", now=NOW) == []
    assert [task.instrument for task in candidates(ledger, source="a.sip", now=NOW + 5)] == ["A"]
    assert len(candidates(ledger, source="b.sip", now=NOW)) == 2


def test_shrinking_onto_another_open_task_cancels_this_one(ledger: Ledger) -> None:
    wide = NewTask(
        dataset="d",
        instrument="A",
        symbol="A",
        first=dt.date(2024, 1, 2),
        last=dt.date(2024, 1, 9),
        kind="GAP",
    )
    narrow = NewTask(
        dataset="d",
        instrument="A",
        symbol="A",
        first=dt.date(2024, 1, 5),
        last=dt.date(2024, 1, 9),
        kind="GAP",
    )
    first, second = enqueue(ledger, wide, narrow)
    task = ledger.tasks.get(first.task_id)
    assert task is not None
    with ledger.write():
        ledger.queue.shrink(task, dt.date(2024, 1, 5), now=NOW)
    assert [task.task_id for task in ledger.tasks.open()] == [second.task_id]


def test_a_failed_transaction_leaves_nothing(ledger: Ledger) -> None:
    def broken() -> None:
        with ledger.write():
            ledger.queue.enqueue([new()], now=NOW)
            raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        broken()
    assert ledger.tasks.open() == []


def test_a_ledger_of_a_newer_fulltape_is_refused(open_ledger: Opener) -> None:
    first = open_ledger("ledger")
    with first.write():
        first.database._execute("INSERT INTO schema_version (version) VALUES (999)", {})
    with pytest.raises(errors.LedgerTooNewError, match="version 999"):
        open_ledger("ledger")


def test_two_processes_worth_of_connections_never_claim_the_same(open_ledger: Opener) -> None:
    one, other = open_ledger("ledger"), open_ledger("ledger")
    enqueue(one, *(new(f"S{number}") for number in range(40)))
    seen: list[int] = []
    while True:
        mine = candidates(one, source="a.sip", now=NOW, most=7)
        theirs = candidates(other, source="a.sip", now=NOW, most=5)
        if not mine and not theirs:
            break
        seen += claim(one, mine)
        seen += claim(other, theirs)
    assert sorted(seen) == sorted(set(seen))
    assert len(seen) == 40


def test_a_stage_runs_once_at_a_time(open_ledger: Opener) -> None:
    one, other = open_ledger("ledger"), open_ledger("ledger")
    with one.database.hold("seal"):
        with pytest.raises(errors.BusyError, match="running seal"), other.database.hold("seal"):
            pass
        with other.database.hold("audit"):
            pass
    with other.database.hold("seal"):
        pass


def test_what_is_cancelled_says_why(ledger: Ledger) -> None:
    (task,) = enqueue(ledger, new())
    with ledger.write():
        assert ledger.queue.cancel(task.task_id, now=NOW, error="not wanted any more")
        assert not ledger.queue.cancel(task.task_id, now=NOW, error="twice")
    ended = ledger.tasks.get(task.task_id)
    assert ended is not None
    assert (ended.state, ended.last_error) == ("cancelled", "not wanted any more")


def test_a_task_that_is_tried_again_waits_for_no_source(ledger: Ledger) -> None:
    first, second = enqueue(ledger, new("A"), new("B"))
    claimed = claim(ledger, [first, second])
    with ledger.write():
        for task in (first, second):
            ledger.queue.hold_back(task.task_id, "a.sip", not_before=NOW + 99)
            assert ledger.queue.finish(
                task.task_id, attempt=claimed[task.task_id], state="stalled", now=NOW, error="broken"
            )
        assert ledger.queue.retry(first.task_id)
    assert ledger.tasks.waits(first.task_id) == []
    assert len(ledger.tasks.waits(second.task_id)) == 1
    assert [task.instrument for task in candidates(ledger)] == ["A"]


def test_an_interval_without_a_task_has_none(ledger: Ledger) -> None:
    enqueue(ledger, replace(new(), purpose="interval 6", interval_id=6, start=5, end=9))
    known = ledger.tasks.for_interval(6)
    assert known is not None
    assert known.interval_id == 6
    assert ledger.tasks.for_interval(7) is None


def test_a_stage_that_did_not_end_is_known(ledger: Ledger) -> None:
    assert ledger.stage_started("seal", NOW), "it never ran"
    assert not ledger.stage_started("seal", NOW)
    assert ledger.stage_started("audit", NOW), "another one"
    ledger.stage_finished("seal", NOW)
    assert ledger.stage_started("seal", NOW)
