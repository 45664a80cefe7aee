"""Which of several answers counts: the newest fetched one, the whole one before the present one, and none of an old attempt."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest

from conftest import Opener
from fulltape import context as opening
from fulltape.context import NodeContext, choice, silent
from fulltape.curate.chunk import CurateReport
from fulltape.decoding import frames, versions
from fulltape.lake.fetches import StoredFetch
from fulltape.lake.layout import Layout
from fulltape.ledger.ledger import Ledger
from fulltape.ledger.task import NewTask, Task
from fulltape.market import datasets
from fulltape.seal.pages import batch
from fulltape.settings.rules import Rules

DAY = dt.date(2024, 1, 3)
NOW = 1_000
BARS = datasets.get("equities_bars_minute")


def rows(*told: tuple[str, str, int, float]) -> pl.DataFrame:
    """(source, origin, log_pos, close) of one cell."""
    shape = ["source", "origin", "log_pos", "close"]
    frame = pl.DataFrame(told, schema=shape, orient="row").with_columns(
        instrument=pl.lit("A"),
        session=pl.lit(DAY),
        ts=pl.lit(dt.datetime(2024, 1, 3, 15)),
        heard_at=pl.col("log_pos"),
    )
    return frames.conform(frame, BARS.schema.columns).with_columns(
        frame["source", "origin", "log_pos", "heard_at"]
    )


def test_the_newest_fetched_part_of_a_source_replaces_the_cell_as_a_whole() -> None:
    raw = rows(
        ("a", "fetched", 7, 3.0), ("a", "fetched", 5, 1.0), ("a", "fetched", 5, 2.0), ("b", "fetched", 4, 9.0)
    )
    kept = choice.newest(raw, BARS)
    assert sorted(kept.select("source", "close").rows()) == [("a", 3.0), ("b", 9.0)]


def test_what_was_fetched_replaces_what_was_captured_later() -> None:
    raw = rows(("a", "captured", 9, 1.0), ("a", "fetched", 5, 2.0))
    assert choice.newest(raw, BARS)["close"].to_list() == [2.0]


def cells(*told: tuple[str, str, int]) -> pl.DataFrame:
    """(source, verdict, rows) of one cell."""
    return pl.DataFrame(told, schema=["source", "verdict", "rows"], orient="row").with_columns(
        instrument=pl.lit("A"), session=pl.lit(DAY), provisional=pl.lit(value=False)
    )


def chosen(found: pl.DataFrame, present: str) -> str:
    now = found.filter(pl.col("source") == present).select("instrument", "session", "source")
    return str(choice.choose(found, now, ["a", "b", "c"])["source"].item())


def test_a_present_choice_stays_until_another_is_better() -> None:
    alike = cells(("a", "GREEN", 390), ("b", "GREEN", 390))
    assert chosen(alike, "") == "a"
    assert chosen(alike, "b") == "b"
    assert chosen(cells(("a", "GREEN", 390), ("b", "GREEN", 389)), "b") == "a", "the other has more"
    assert chosen(cells(("a", "GREEN", 389), ("b", "GREEN", 390)), "b") == "b"
    assert chosen(cells(("a", "AMBER", 391), ("b", "GREEN", 390)), "a") == "b", "the verdict counts first"


def test_the_later_answer_of_one_seal_replaces_the_earlier_one() -> None:
    def answer(order: int, close: float, day: int) -> pl.DataFrame:
        session = dt.date(2024, 1, day)
        told = {"instrument": ["A"], "session": [session], "ts": [day], "close": [close], "order": [order]}
        return pl.DataFrame(told)

    for first, second in ((0, 1), (1, 0)):
        found = [answer(1, 1.0, 3), answer(2, 2.0, 3)]
        merged = batch._merged([found[first], found[second], answer(1, 5.0, 2)])
        assert merged.select("session", "close").rows() == [(dt.date(2024, 1, 2), 5.0), (DAY, 2.0)]


def sealed(ledger: Ledger, tmp_path: Path, attempt: int) -> Task:
    """The task after an answer of one attempt, which settles its first two sessions, was sealed while another one runs."""
    calendar = opening.calendar("XNYS")
    days = [dt.date(2024, 1, day) for day in (2, 3, 4, 5)]
    task = NewTask(
        dataset="equities_bars_day", instrument="A", symbol="A", first=days[0], last=days[-1], kind="GAP"
    )
    with ledger.write():
        ledger.queue.enqueue([task], now=NOW)
    for worker, until in (("dead", NOW + 1), ("alive", NOW + 99)):
        with ledger.write():
            ledger.queue.requeue_expired(now=until - 1 if worker == "dead" else NOW + 1)
        of = next(iter(ledger.tasks.census()))
        found = ledger.tasks.candidates("a.sip", of, first_day=days[0], now=NOW + 1)
        with ledger.write():
            ledger.queue.claim(
                found, source="a.sip", worker=worker, fetch_id=worker, now=NOW + 1, lease_until=until
            )
    wanted = SimpleNamespace(calendar=calendar, dataset=datasets.get("equities_bars_day"))
    context = SimpleNamespace(
        ledger=ledger, layout=Layout(root=tmp_path), wanted={"equities_bars_day": wanted}, rules=Rules()
    )
    one = batch.Batch(cast("NodeContext", context), NOW + 2, silent)
    one._covered["ask", "A"] = (calendar.between(days[0], days[1]),)
    (held,) = ledger.tasks.leased_by("alive")
    stored: Any = SimpleNamespace(
        end=None, record=SimpleNamespace(fetch_id="ask", tasks={held.task_id: attempt})
    )
    with ledger.write():
        one._finish(cast("StoredFetch", stored))
    after = ledger.tasks.get(held.task_id)
    assert after is not None
    return after


def test_an_old_attempt_does_nothing_to_a_task_that_another_worker_holds(
    ledger: Ledger, tmp_path: Path
) -> None:
    after = sealed(ledger, tmp_path, attempt=1)
    assert (after.state, after.attempt, after.first) == ("leased", 2, dt.date(2024, 1, 2))


def test_what_an_answer_leaves_of_its_own_task_goes_back_to_the_queue(
    open_ledger: Opener, tmp_path: Path
) -> None:
    after = sealed(open_ledger("own"), tmp_path, attempt=2)
    assert (after.state, after.first) == ("queued", dt.date(2024, 1, 4))


@pytest.mark.parametrize(
    ("rule", "public"),
    [
        ("minute_end", dt.datetime(2024, 1, 3, 15, 1)),
        ("ts", dt.datetime(2024, 1, 3, 15)),
        ("session_end", dt.datetime(2024, 1, 4)),
        ("close", dt.datetime(2024, 1, 3, 21)),
        ("declared", dt.datetime(2024, 1, 2)),
    ],
)
def test_nobody_could_have_a_row_earlier_than_it_says(rule: Any, public: dt.datetime) -> None:
    dataset = replace(datasets.get("equities_bars_minute"), available=rule)
    frame = rows(("a", "fetched", 1, 1.0)).with_columns(
        pl.col("ts").dt.replace_time_zone("UTC").dt.cast_time_unit("us"),
        session_close=pl.lit(dt.datetime(2024, 1, 3, 21)).dt.replace_time_zone("UTC").dt.cast_time_unit("us"),
        declared_date=pl.lit(dt.date(2024, 1, 1)),
        ex_date=pl.lit(dt.date(2024, 1, 5)),
    )
    assert frame.select(versions.public_by_rule(dataset)).item() == public.replace(tzinfo=dt.UTC)


def test_a_declaration_after_the_ex_date_is_public_on_no_date() -> None:
    dataset = replace(datasets.get("equities_bars_minute"), available="declared")
    late = pl.DataFrame({"declared_date": [dt.date(2024, 1, 6)], "ex_date": [dt.date(2024, 1, 5)]})
    assert late.select(versions.public_by_rule(dataset)).item() is None


def test_what_was_curated_is_summed() -> None:
    one, other = (CurateReport(folders=at, written=2 * at, rows=3 * at, partial=4 * at) for at in (1, 10))
    assert one + other == CurateReport(folders=11, written=22, rows=33, partial=44)


def test_whatever_was_fetched_stands_before_what_was_captured_while_the_session_ran() -> None:
    fetched, captured = cells(("a", "RED", 3)), cells(("b", "UNCHECKED", 390), ("c", "GREEN", 390))
    both = pl.concat([fetched, captured.with_columns(provisional=pl.lit(value=True))])
    assert chosen(both, "b") == "a"
