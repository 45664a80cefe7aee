"""One worker process of the claim benchmarks. Prints JSON: tasks done, seconds, claim latencies."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from benchmarks.ledger import world
from fulltape import context as opening
from fulltape.backfill.dispatch import Dispatcher
from fulltape.backfill.throughput import Throughput
from fulltape.clock import SystemClock

Turn = Callable[[], tuple[int, float]]
"""Claims and finishes once; returns the tasks and the seconds of the claim."""
BATCH = 100


def ours(folder: Path, address: str, name: str) -> Turn:
    """Through the dispatcher and the queue."""
    ledger = opening.open_ledger(folder, address)
    context = world.context(folder, ledger, worker=name)
    clock = SystemClock()
    dispatcher = Dispatcher(context, clock, Throughput(context, clock), out=lambda _: False)
    dispatcher.has_left(world.SOURCE)

    def turn() -> tuple[int, float]:
        began = time.perf_counter()
        claim = dispatcher.claim(world.SOURCE)
        took = time.perf_counter() - began
        if claim is None:
            return 0, took
        with ledger.write():
            done = ledger.queue.finish_all(claim.attempts, "done", now=clock.now())
        return len(done), took

    return turn


_CLAIM = """UPDATE tasks SET state = 'leased', attempt = attempt + 1, worker = 'w', lease_until = 99
WHERE task_id IN (SELECT task_id FROM tasks WHERE state = 'queued' AND dataset = 'equities_bars_day'
                  AND eligible_sources = 'a.sip' ORDER BY priority, batch, task_id LIMIT 100 {skip})
  AND state = 'queued' RETURNING task_id, attempt"""
_FINISH = (
    "UPDATE tasks SET state = 'done', worker = '' WHERE task_id = {0} AND attempt = {0} AND state = 'leased'"
)


def bare_sqlite(folder: Path) -> Turn:
    """A loop of bare SQL in SQLite, with the same durability."""
    connection = sqlite3.connect(folder / opening.LEDGER, isolation_level=None, timeout=60)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")

    def turn() -> tuple[int, float]:
        began = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        found = connection.execute(_CLAIM.format(skip="")).fetchall()
        connection.execute("COMMIT")
        took = time.perf_counter() - began
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_FINISH.format("?"), found)
        connection.execute("COMMIT")
        return len(found), took

    return turn


def bare_postgres(address: str) -> Turn:
    """A loop of bare SQL in PostgreSQL."""
    connection = psycopg.connect(address, autocommit=True)

    def turn() -> tuple[int, float]:
        began = time.perf_counter()
        found = connection.execute(_CLAIM.format(skip="FOR UPDATE SKIP LOCKED")).fetchall()
        took = time.perf_counter() - began
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany(_FINISH.format("%s"), found)
        return len(found), took

    return turn


def huey(folder: Path) -> Turn:
    """huey on SQLite: it takes a task out of its table and runs it."""
    from huey import SqliteHuey

    queue = SqliteHuey(filename=str(folder / "huey.db"), fsync=True)

    @queue.task()  # type: ignore[untyped-decorator]
    def nothing(number: int) -> None:
        """Do nothing."""

    message = queue.serialize_task(nothing.s(1))
    if not queue.pending_count():
        connection = sqlite3.connect(folder / "huey.db")
        connection.executemany(
            "INSERT INTO task (queue, data, priority) VALUES (?, ?, 0)",
            ((queue.name, message) for _ in range(world.TASKS)),
        )
        connection.commit()
        connection.close()

    def turn() -> tuple[int, float]:
        began = time.perf_counter()
        task = queue.dequeue()
        took = time.perf_counter() - began
        queue.execute(task)
        return 1, took

    return turn


def main(kind: str, folder: Path, address: str, name: str, seconds: float, start: Path) -> None:
    """Get ready, say so, wait for the start, work for so many seconds."""
    turns: dict[str, Callable[[], Turn]] = {
        "ours": lambda: ours(folder, address, name),
        "bare": lambda: bare_postgres(address) if address else bare_sqlite(folder),
        "huey": lambda: huey(folder),
    }
    turn = turns[kind]()
    turn()
    (start.parent / f"ready-{name}").touch()
    while not start.exists():
        time.sleep(0.01)
    done, latencies = 0, []
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        tasks, took = turn()
        done += tasks
        latencies.append(took)
    print(json.dumps({"done": done, "seconds": time.perf_counter() - began, "latencies": latencies}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4], float(sys.argv[5]), Path(sys.argv[6]))
