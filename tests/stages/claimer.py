"""A worker process for the tests that kill: claims, works, ends tasks, and writes down what it ended."""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

from many import DATASET, FIRST, LAST, SOURCES, calendar, instruments

from fulltape import context as opening
from fulltape.backfill.dispatch import Dispatcher
from fulltape.backfill.throughput import Throughput
from fulltape.clock import SystemClock
from fulltape.context import ConfiguredDataset, ConfiguredSource, NodeContext
from fulltape.contract.plans import Limits
from fulltape.contract.vendor import Capability, Source
from fulltape.lake.layout import Layout
from fulltape.ledger.ledger import Ledger
from fulltape.market.time import SECOND
from fulltape.settings.rules import Rules

LEASE = SECOND


def context(folder: Path, ledger: Ledger, worker: str) -> NodeContext:
    """A node with two sources, as large as the test needs."""
    return NodeContext(
        folder=folder,
        ledger=ledger,
        layout=Layout(root=folder / "lake"),
        wanted={
            DATASET.name: ConfiguredDataset(
                dataset=DATASET,
                calendar=calendar(),
                instruments=instruments(),
                sources=SOURCES,
                first=FIRST,
                until=LAST,
                final_after=0,
            )
        },
        feeds={
            name: ConfiguredSource(
                source=Source(
                    name=name,
                    feed="x",
                    scope="consolidated",
                    capabilities=(
                        Capability(
                            dataset=DATASET.name,
                            history_from=FIRST,
                            symbols_per_request=5,
                            rows_per_page=1_000,
                        ),
                    ),
                ),
                vendor=name.partition(".")[0],
                limits=Limits(),
                history_from=None,
            )
            for name in SOURCES
        },
        vendors={},
        accounts={},
        rules=Rules(worker=worker, lease=LEASE),
    )


def main(folder: Path, address: str, worker: str) -> None:
    """Work until nothing is left; some tasks fail, some are refused, a few are held until their lease is over."""
    ledger = opening.open_ledger(folder, address)
    own = context(folder, ledger, worker)
    clock = SystemClock(ledger.boots.anchor)
    dispatcher = Dispatcher(own, clock, Throughput(own, clock), out=lambda _: False)
    log = os.open(folder / f"ended-{worker}-{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    dice = random.Random(os.getpid())
    while True:
        source = dice.choice(SOURCES)
        claim = dispatcher.claim(source)
        if claim is None:
            if not ledger.tasks.open():
                return
            time.sleep(0.05)
            continue
        time.sleep(dice.random() * 0.004)
        if dice.random() < 0.01:
            time.sleep(1.5 * LEASE / SECOND)
        for task_id, attempt in claim.attempts.items():
            luck = dice.random()
            with ledger.write():
                if luck < 0.1:
                    task = ledger.tasks.get(task_id)
                    if task and task.failures >= 4:
                        state = (
                            "stalled"
                            if ledger.queue.finish(task_id, attempt, "stalled", now=clock.now())
                            else ""
                        )
                    else:
                        ledger.queue.release(task_id, attempt, error="bad luck", failed=True)
                        state = ""
                elif luck < 0.12:
                    over = ledger.queue.finish(task_id, attempt, "unobtainable", now=clock.now())
                    state = "unobtainable" if over else ""
                else:
                    ledger.queue.fetched(task_id, attempt)
                    state = "done" if ledger.queue.finish(task_id, attempt, "done", now=clock.now()) else ""
            if state:
                os.write(log, f"{task_id} {attempt} {state}\n".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
