"""Packing: what a request carries, and never a page more than the tasks themselves would take."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fulltape.backfill.batching import MOST_PAGES, Candidate, Capacity, grouped, pack, requests

MANY = Capacity(symbols_per_request=100, rows_per_page=10_000)
ONE = Capacity(symbols_per_request=1, rows_per_page=50_000)


def task(number: int, symbol: str, first: int, stop: int, *, rate: int = 1, beside: int = 0) -> Candidate:
    return Candidate(
        task_id=number,
        symbol=symbol,
        span=(first, stop),
        life=(0, 5_000),
        rows=(stop - first) * rate,
        beside=beside,
    )


def test_pages_are_filled_best_not_most() -> None:
    """252 sessions of 100 symbols would fill 2.52 pages; 79 symbols fill two to the brim."""
    tasks = [task(at, f"S{at:03}", 0, 252) for at in range(100)]
    assert len(pack(tasks, MANY)) == 79


def test_small_tasks_fill_the_request_with_symbols() -> None:
    tasks = [task(at, f"S{at:03}", 0, 1) for at in range(150)]
    assert len(pack(tasks, MANY)) == 100


def test_the_sessions_of_one_symbol_that_follow_each_other_go_together() -> None:
    """Minutes by month: six months fit a page of fifty thousand rows."""
    tasks = [task(at, "A", 21 * at, 21 * at + 21, rate=390) for at in range(12)]
    taken = pack(tasks, ONE, most_pages=1)
    assert [one.task_id for one in taken] == [0, 1, 2, 3, 4, 5]


def test_other_sessions_join_only_while_they_cost_no_page_more() -> None:
    tasks = [task(1, "A", 0, 5), task(2, "B", 3, 9), task(3, "C", 4_000, 4_005)]
    assert [one.task_id for one in pack(tasks, MANY)] == [1, 2]
    dense = [task(1, "A", 0, 5, rate=390), task(2, "B", 20, 25, rate=390)]
    assert len(pack(dense, MANY)) == 1


def test_nobody_is_asked_for_sessions_outside_its_life() -> None:
    young = Candidate(task_id=2, symbol="B", span=(5, 9), life=(5, 5_000), rows=4)
    assert [one.task_id for one in pack([task(1, "A", 0, 5), young], MANY)] == [1]


def test_a_task_too_large_for_the_pages_allowed_is_still_taken() -> None:
    assert pack([task(1, "A", 0, 252, rate=390)], MANY, most_pages=1)[0].task_id == 1


TASKS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 60), st.integers(1, 40), st.booleans()),
    min_size=1,
    max_size=60,
).map(
    lambda rows: [
        task(at, f"S{symbol}", first, first + length, rate=390 if dense else 1, beside=1)
        for at, (symbol, first, length, dense) in enumerate(rows)
    ]
)
CAPACITY = st.builds(
    Capacity, symbols_per_request=st.integers(1, 50), rows_per_page=st.sampled_from([1_000, 10_000, 50_000])
)


def test_nothing_is_grouped_where_there_is_nothing() -> None:
    capacity = Capacity(symbols_per_request=1, rows_per_page=100, grouped=20_000)
    assert grouped([], capacity, MOST_PAGES) == ()


@given(TASKS, CAPACITY)
def test_an_ask_fits_the_request_and_wastes_no_page(tasks: list[Candidate], capacity: Capacity) -> None:
    taken = pack(tasks, capacity)
    assert taken[0] is tasks[0]
    symbols = {one.symbol for one in taken}
    assert len(symbols) <= capacity.symbols_per_request
    if len({one.span for one in taken}) == 1:
        return
    sessions = max(one.span[1] for one in taken) - min(one.span[0] for one in taken) + 2
    box = max(one.rate for one in taken) * len(symbols) * sessions
    needed = capacity.pages(sum(one.asked for one in taken))
    assert box <= needed * capacity.rows_per_page
    assert needed <= MOST_PAGES


@given(TASKS, CAPACITY, st.integers(1, 40))
def test_all_of_them_are_asked_for_in_the_end(
    tasks: list[Candidate], capacity: Capacity, window: int
) -> None:
    assert requests(tasks, capacity, window=window) >= 1
    alone = sum(requests([one], capacity, window=1) for one in tasks)
    assert requests(tasks, capacity, window=window) <= alone
