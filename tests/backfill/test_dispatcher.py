"""Claims on a real ledger: kinds first, datasets in turn, nobody blocks the line, races drop what was lost."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from clocks import FakeClock, at
from conftest import Opener
from fulltape import context as opening
from fulltape.backfill.dispatch import Claim, Dispatcher
from fulltape.backfill.partition import Partition
from fulltape.backfill.throughput import Throughput
from fulltape.context import ConfiguredDataset, ConfiguredSource, NodeContext
from fulltape.contract.plans import Limits
from fulltape.contract.vendor import Capability, Source
from fulltape.lake.layout import Layout
from fulltape.ledger.allowance import Granted, Want
from fulltape.ledger.ledger import Ledger
from fulltape.ledger.task import FIRST, Kind, NewTask
from fulltape.market import datasets
from fulltape.market.dataset import Dataset
from fulltape.market.instruments import DatedSymbol, Instrument
from fulltape.market.time import SECOND
from fulltape.settings.rules import Rules

DAYS, MINUTES = datasets.get("equities_bars_day"), datasets.get("equities_bars_minute")
SINCE = dt.date(2024, 1, 2)
SESSIONS = [dt.date(2024, 1, day) for day in (2, 3, 4, 5, 8, 9, 10, 11, 12)]


def node(
    folder: Path, ledger: Ledger, *, worker: str = "node", per_day: int = 0, symbols: int = 2
) -> NodeContext:
    def wanted(dataset: Dataset) -> ConfiguredDataset:
        return ConfiguredDataset(
            dataset=dataset,
            calendar=opening.calendar("XNYS"),
            instruments={
                name: Instrument(
                    instrument=name, symbols=(DatedSymbol(symbol=name, first=dt.date(2000, 1, 3), last=None),)
                )
                for name in "ABCDEFGH"
            },
            sources=("a.x", "b.x"),
            first=SINCE,
            until=dt.date(2024, 1, 31),
            final_after=0,
        )

    def feed(name: str) -> ConfiguredSource:
        capability = tuple(
            Capability(
                dataset=one.name, history_from=SINCE, symbols_per_request=symbols, rows_per_page=10_000
            )
            for one in (DAYS, MINUTES)
        )
        return ConfiguredSource(
            source=Source(name=name, feed="x", scope="consolidated", capabilities=capability),
            vendor=name[0],
            limits=Limits(per_minute=600, per_day=per_day),
            history_from=None,
        )

    return NodeContext(
        folder=folder,
        ledger=ledger,
        layout=Layout(root=folder / "lake"),
        wanted={one.name: wanted(one) for one in (DAYS, MINUTES)},
        feeds={name: feed(name) for name in ("a.x", "b.x")},
        vendors={},
        accounts={},
        rules=Rules(worker=worker, lease=60 * SECOND, shares={"FORWARD": 0.4, "GAP": 0.3}),
    )


def dispatcher(context: NodeContext, clock: FakeClock) -> Dispatcher:
    return Dispatcher(context, clock, Throughput(context, clock), out=lambda _: False)


def enqueue(
    ledger: Ledger,
    names: str,
    *,
    kind: Kind = "GAP",
    dataset: Dataset = DAYS,
    session: dt.date = SESSIONS[0],
    batch: int = 1,
    eligible_sources: tuple[str, ...] = ("a.x",),
) -> None:
    tasks = [
        NewTask(
            dataset=dataset.name, instrument=name, symbol=name, first=session, last=session, kind=kind,
            eligible_sources=eligible_sources, expected_rows=1 if dataset is DAYS else 390,
        )
        for name in names
    ]  # fmt: skip
    with ledger.write():
        ledger.queue.enqueue(tasks, now=1, batch=batch)


def claimed(found: Claim | None) -> tuple[str, str, str]:
    assert found is not None
    return found.dataset, found.kind, "".join(sorted(task.symbol for task in found.tasks))


def test_the_newest_sessions_come_first_whatever_waits(ledger: Ledger, tmp_path: Path) -> None:
    enqueue(ledger, "ABCD", kind="BOOTSTRAP")
    enqueue(ledger, "EF", kind="GAP", batch=2)
    enqueue(ledger, "GH", kind="FORWARD", batch=3)
    one = dispatcher(node(tmp_path, ledger), FakeClock())
    kinds = [claimed(one.claim("a.x"))[1] for _ in range(4)]
    assert kinds == ["FORWARD", "GAP", "BOOTSTRAP", "BOOTSTRAP"]
    assert one.claim("a.x") is None


def test_what_somebody_wants_first_comes_before_all_kinds(ledger: Ledger, tmp_path: Path) -> None:
    enqueue(ledger, "AB", kind="FORWARD")
    enqueue(ledger, "CD", kind="BOOTSTRAP", batch=2)
    with ledger.write():
        assert ledger.queue.reprioritise(4, FIRST)
    one = dispatcher(node(tmp_path, ledger), FakeClock())
    assert claimed(one.claim("a.x")) == (DAYS.name, "BOOTSTRAP", "D")


def test_datasets_take_turns(ledger: Ledger, tmp_path: Path) -> None:
    """The first dataset's long queue does not keep the second waiting."""
    for session in SESSIONS:
        enqueue(ledger, "ABCDEFGH", session=session)
    enqueue(ledger, "ABCDEFGH", dataset=MINUTES)
    one = dispatcher(node(tmp_path, ledger), FakeClock())
    taken = [claimed(one.claim("a.x"))[0] for _ in range(6)]
    assert taken.count(DAYS.name) == taken.count(MINUTES.name) == 3


def test_tasks_that_must_wait_do_not_block_the_line(ledger: Ledger, tmp_path: Path) -> None:
    enqueue(ledger, "ABCD")
    with ledger.write():
        ledger.queue.hold_back(1, "a.x", not_before=2**60)
        ledger.queue.hold_back(2, "a.x", refusal="not in the plan")
    one = dispatcher(node(tmp_path, ledger), FakeClock())
    assert claimed(one.claim("a.x"))[2] == "CD"
    assert one.claim("a.x") is None


def test_an_expired_lease_is_taken_by_the_next(ledger: Ledger, tmp_path: Path) -> None:
    enqueue(ledger, "AB")
    clock = FakeClock()
    first = dispatcher(node(tmp_path, ledger), clock).claim("a.x")
    other = dispatcher(node(tmp_path, ledger, worker="other"), clock)
    assert other.claim("a.x") is None
    clock.sleep(61)
    second = other.claim("a.x")
    assert first is not None
    assert second is not None
    assert set(first.attempts) == set(second.attempts)
    with ledger.write():
        assert ledger.queue.finish_all(first.attempts, "done", now=1) == set()
        assert ledger.queue.finish_all(second.attempts, "done", now=1) == set(second.attempts)


def test_two_processes_never_hold_the_same_task(open_ledger: Opener, tmp_path: Path) -> None:
    ledgers = [open_ledger("ledger"), open_ledger("ledger")]
    for session in SESSIONS:
        enqueue(ledgers[0], "ABCDEFGH", session=session)
    clock = FakeClock()
    both = [dispatcher(node(tmp_path, ledger, worker=f"w{at}"), clock) for at, ledger in enumerate(ledgers)]
    seen: list[int] = []
    for turn in range(200):
        found = both[turn % 2].claim("a.x")
        seen += list(found.attempts) if found else []
        clock.sleep(0.05)
    assert len(seen) == len(set(seen)) == 8 * len(SESSIONS)


def test_a_kind_without_share_of_the_day_leaves_the_source_to_others(ledger: Ledger, tmp_path: Path) -> None:
    """Four of ten requests are kept for the newest sessions, which need them; six are for the old ones."""
    for session in SESSIONS:
        enqueue(ledger, "AB", kind="BOOTSTRAP", session=session)
    enqueue(ledger, "ABCDEFGH", kind="FORWARD", session=dt.date(2024, 1, 16), batch=2)
    context = node(tmp_path, ledger, per_day=10)
    clock = FakeClock()
    one = dispatcher(context, clock)
    kinds = []
    while found := one.claim("a.x"):
        kinds.append(found.kind)
        feed = context.feeds["a.x"]
        want = Want(kind=found.kind, shares=context.rules.shares, demand=one.demand("a"))
        answer = ledger.budgets.reserve("a", feed.limits, want, steady=at(clock.steady()))
        assert isinstance(answer, Granted)
    assert kinds[:4] == ["FORWARD"] * 4
    assert set(kinds[4:]) == {"BOOTSTRAP"}


def test_equal_ledgers_and_clocks_make_equal_claims(open_ledger: Opener, tmp_path: Path) -> None:
    def plan(name: str) -> list[tuple[str, tuple[str, str, str]]]:
        ledger = open_ledger(name)
        for session in SESSIONS:
            enqueue(ledger, "ABCDEFGH", session=session, eligible_sources=("a.x", "b.x"))
            enqueue(ledger, "ABCD", session=session, dataset=MINUTES, eligible_sources=("b.x",))
        one = dispatcher(node(tmp_path, ledger), FakeClock())
        made = []
        for turn in range(40):
            source = ("a.x", "b.x")[turn % 2]
            if found := one.claim(source):
                made.append((source, claimed(found)))
        return made

    assert plan("one") == plan("other")


@pytest.mark.parametrize("symbols", [1, 2])
def test_what_others_hold_back_from_is_left_to_who_can(ledger: Ledger, tmp_path: Path, symbols: int) -> None:
    """Tasks that only one source may take are never offered to the other."""
    enqueue(ledger, "AB", eligible_sources=("b.x",))
    enqueue(ledger, "CD", eligible_sources=("a.x", "b.x"))
    one = dispatcher(node(tmp_path, ledger, symbols=symbols), FakeClock())
    first = [claimed(found)[2] for _ in range(4) if (found := one.claim("a.x"))]
    assert set("".join(first)) <= set("CD")


def test_a_partition_with_thousands_of_empty_blocks_is_passed(ledger: Ledger, tmp_path: Path) -> None:
    enqueue(ledger, "H")
    one = dispatcher(node(tmp_path, ledger), FakeClock())
    assert one.has_left("a.x")
    (of,) = ledger.tasks.census()
    one._finder._partitions[of] = Partition(
        names=[f"A{number:05}" for number in range(3_000)], stop=2_999, reach=1, block=1
    )
    assert claimed(one.claim("a.x"))[2] == "H"
