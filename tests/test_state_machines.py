"""Each picture of a state machine in a docstring is what the code does."""

from __future__ import annotations

import ast
import datetime as dt
import functools
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

import fulltape
from clocks import FakeClock
from conftest import Opener
from fulltape.capture import subscriptions
from fulltape.contract import breaker
from fulltape.contract.breaker import Breaker
from fulltape.coverage import live
from fulltape.lake import journal, layout
from fulltape.ledger import queue
from fulltape.ledger.ledger import Ledger
from fulltape.ledger.task import Claimable, NewTask
from fulltape.ledger.task_state import State

SOURCE = Path(fulltape.__file__).parent
ARROW = re.compile(r"^ +([\w-]+) --([\w -]+)--> ([\w-]+)", re.MULTILINE)


def picture(module: ModuleType) -> set[tuple[str, str, str]]:
    found = set(ARROW.findall(module.__doc__ or ""))
    assert found
    return found


def states(module: ModuleType) -> set[str]:
    return {state for before, _, after in picture(module) for state in (before, after)}


def test_breakers() -> None:
    steps: dict[str, Callable[[Breaker], Breaker | None]] = {
        "failed": lambda one: breaker.failed(one, now=100, reason="x"),
        "trial": lambda one: None if one.state == "closed" else breaker.trial(one, now=one.until),
        "served": breaker.served,
    }
    seen = set()
    todo = [Breaker(source="a.x")]
    known: set[Breaker] = set()
    while todo:
        one = todo.pop()
        if one in known or one.failures > breaker.TRIPS_AFTER + 2 or one.until > 10**10:
            continue
        known.add(one)
        for name, step in steps.items():
            after = step(one)
            if after is not None:
                seen.add((one.state, name, after.state))
                todo.append(after)
    assert seen == picture(breaker)


ENDS: tuple[State, ...] = ("done", "unobtainable", "stalled", "cancelled")


def finish(ledger: Ledger, end: State, task_id: int) -> bool:
    return ledger.queue.finish(task_id, 1, end, now=1)


def moves(ledger: Ledger) -> Iterator[tuple[str, str, str]]:
    """What each operation makes of a task in each state."""
    for before in get_args(State):
        operations: dict[str, Callable[[int], object]] = {
            "claim": lambda one: ledger.queue.claim(
                [Claimable._make([one, 1, *([None] * (len(Claimable._fields) - 2))])],
                source="a.x", worker="w", fetch_id="f", now=100, lease_until=200,
            ),
            "fetched": lambda one: ledger.queue.fetched(one, 1),
            "release": lambda one: ledger.queue.release(one, 1),
            "retry": ledger.queue.retry,
            "cancel": lambda one: ledger.queue.cancel(one, now=1, error=""),
            "requeue_expired": lambda _: ledger.queue.requeue_expired(now=100),
            **{f"finish {end}": functools.partial(finish, ledger, end) for end in ENDS},
        }  # fmt: skip
        for name, operate in operations.items():
            new = NewTask(
                dataset="d", instrument="A", symbol="A", first=FIRST, last=FIRST, kind="GAP",
                eligible_sources=(), expected_rows=1,
            )  # fmt: skip
            with ledger.write():
                ledger.database.statement("DELETE FROM tasks")
                ledger.queue.enqueue([new], now=1)
                (one,) = ledger.tasks.newest()
                ledger.database.statement(
                    f"UPDATE tasks SET state = '{before}', attempt = 1, lease_until = 50"
                )
                told = operate(one.task_id)
            after = ledger.tasks.get(one.task_id)
            assert after
            if told:
                yield before, name, after.state
            else:
                assert after.state == before, name


FIRST = dt.date(2024, 1, 2)


def test_tasks(open_ledger: Opener) -> None:
    seen = set(moves(open_ledger("states")))
    drawn = picture(queue)
    for before, name, after in drawn:
        assert (before, f"finish {after}" if name == "finish" else name, after) in seen
    open_states = {"queued", "leased", "fetched"}
    finished = {(before, f"finish {end}", end) for before in open_states for end in ENDS}
    assert seen == {one for one in drawn if one[1] != "finish"} | finished
    assert states(queue) == set(get_args(State))


def constants(room: str, attribute: str, at: int) -> set[str]:
    """Texts that are handed to calls of a method."""
    calls = [
        node.args
        for path in (SOURCE / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == attribute
    ]
    return {str(one[at].value) for one in calls if len(one) > at and isinstance(one[at], ast.Constant)}  # type: ignore[attr-defined]


def test_intervals() -> None:
    assert states(live) == set(get_args(live.IntervalState))
    targets = {after for _, _, after in picture(live)}
    assert constants("seal", "decide", 1) <= targets


def test_streams() -> None:
    text = "".join(path.read_text() for path in (SOURCE / "capture").glob("*.py"))
    told = set(re.findall(r"_status\.word(?:, self\._status\.reason)? = \(?\s*\"(\w+)\"", text))
    words = told | set(re.findall(r'\(\s*"(\w+)" if connection\.live else "(\w+)"', text)[0])
    assert words | {"connecting"} == states(subscriptions)


def test_journal_files() -> None:
    ends = {layout.JOURNAL, layout.SEALED, layout.PACKED, ".unborn"}
    assert {f".{state}" for state in states(journal)} == ends
    assert '.with_suffix(".unborn")' in inspect.getsource(journal.Journal)


def test_a_journal_is_born_under_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    genuine = Path.rename

    def renaming(self: Path, target: Path) -> Path:
        seen.extend((self.suffix, Path(target).suffix))
        return genuine(self, target)

    monkeypatch.setattr(Path, "rename", renaming)
    one = journal.Journal(layout.Layout(root=tmp_path), writer="w", source="a.x", clock=FakeClock())
    one.close()
    assert seen == [".unborn", layout.JOURNAL]
