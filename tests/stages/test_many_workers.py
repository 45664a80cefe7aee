"""Sixteen workers on one ledger, killed at random: no task is lost, none is finished twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from many import DATASET, FIRST, LAST, calendar, instruments

from fulltape import context as opening
from fulltape.ledger.task import NewTask

WORKERS = 16
SECONDS = float(os.environ.get("FULLTAPE_KILL_SECONDS", "6"))
"""How long they are killed; `make test-crash` gives them a minute."""


def enqueue(folder: Path, address: str) -> int:
    ledger = opening.open_ledger(folder, address)
    start, stop = calendar().between(FIRST, LAST)
    labels = [calendar().label(position) for position in range(start, stop)]
    most = int(min(len(labels), 12 * SECONDS))
    tasks = [
        NewTask(
            dataset=DATASET.name,
            instrument=name,
            symbol=name,
            first=day,
            last=day,
            kind="GAP",
            expected_rows=1,
        )
        for day in labels[:most]
        for name in instruments()
    ]
    with ledger.write():
        ledger.queue.enqueue(tasks, now=1)
    ledger.close()
    return len(tasks)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_sixteen_workers_killed_at_random_lose_nothing(
    tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    address = request.getfixturevalue("database") if engine == "postgres" else ""
    tasks = enqueue(tmp_path, address)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def start(number: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "claimer", str(tmp_path), address, f"w{number}"]
        return subprocess.Popen(command, env=environment)

    dice = random.Random(7)
    children = [start(number) for number in range(WORKERS)]
    kills, until = 0, time.monotonic() + SECONDS
    while time.monotonic() < until:
        time.sleep(dice.random() * 0.2)
        number = dice.randrange(WORKERS)
        children[number].kill()
        children[number].wait()
        kills += 1
        children[number] = start(number)
    for child in children:
        assert child.wait(timeout=300) == 0
    assert kills > SECONDS
    ended = Counter(
        line.split()[0]
        for path in tmp_path.glob("ended-*")
        for line in path.read_text().splitlines()
        if line.count(" ") == 2
    )
    assert not [task for task, times in ended.items() if times > 1]
    ledger = opening.open_ledger(tmp_path, address)
    try:
        states = {row["state"] for row in ledger.tasks.counts()}
        assert states <= {"done", "stalled", "unobtainable", "cancelled"}
        assert sum(row["tasks"] for row in ledger.tasks.counts()) == tasks
    finally:
        ledger.close()
