"""kill -9 on supervisor, workers and capture, in any order: it heals by itself, nothing acknowledged is lost, nothing is fetched twice
but what was in flight."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from living import BINANCE, Living, living, promised
from serving import NO_WAIT, Service, begin, lives, runs, serving, until
from test_night import different

from fulltape.demo import proof
from fulltape.simulator import market as markets
from nodes import DAYS_2012, MINUTES_2012, simulated

KILLS = max(4, int(float(os.environ.get("FULLTAPE_KILL_SECONDS", "6")) / 60 * 200))
"""Two hundred with sixty seconds."""


def struck(service: Service, dice: random.Random) -> Service:
    """Kill one process of a service, and start it again where it was the supervisor."""
    children = sorted(service.children())
    victim = dice.choice([service.process.pid, *children])
    if victim != service.process.pid:
        os.kill(victim, signal.SIGKILL)
        until(lambda: not lives(victim), 10)
        return service
    service.kill()
    # What it has started ends by itself.
    until(lambda: not any(map(lives, children)), 60)
    return begin(service.folder, service.log)


def doubtful(node: Living) -> list[object]:
    """Intervals that are not verified, and the tasks that are open."""
    with node.opened() as context:
        open_tasks = context.ledger.tasks.open()
        about = [(task, context.ledger.tasks.waits(task.task_id)) for task in open_tasks]
    return [*(interval for interval in node.intervals() if interval[1] != "verified"), *about]


def verified(node: Living) -> bool:
    """Whether history has answered for every interval."""
    return all(state == "verified" for _, state, _ in node.intervals())


@pytest.mark.timeout(240 + 5 * KILLS)
def test_history_is_whole_however_often_and_whatever_is_killed(tmp_path: Path) -> None:
    market, dice = markets.sample(), random.Random(5)
    allowed: list[object] = []
    with simulated(
        tmp_path,
        market,
        [DAYS_2012, MINUTES_2012],
        universe=markets.sample_universe(),
        extra=f'[backfill]\nseal_after = "1s"\nretry_wait = "1ms"\n{NO_WAIT}',
    ) as (folder, vendors):
        service = begin(folder, tmp_path / "service.log")
        try:
            for _ in range(KILLS):
                time.sleep(dice.uniform(0.1, 2.0))
                # A worker that is killed, and one whose supervisor is, may have something on its way.
                service = struck(service, dice)
                allowed += [line for server in vendors.servers.values() for line in server.latest()]
        finally:
            service.kill()
        with serving(folder) as service:
            service.until(lambda: service.last("curate").ended and service.idle(), 200)
            service.until(lambda: service.last("check").succeeded and service.idle(), 200)
            assert service.ran("export").outcome == "done"
        assert different(folder, market, "equities_bars_day", DAYS_2012).is_empty()
        assert different(folder, market, "equities_bars_minute", MINUTES_2012).is_empty()
        assert not proof.asked_twice(vendors.log(), allowed)  # type: ignore[arg-type]
        assert not list((folder / "lake" / "journal").rglob("*.journal"))
        assert not [name for name in proof.snapshot(folder / "lake") if ".tmp-" in name]
        assert runs(folder, "export")


@pytest.mark.timeout(240 + 5 * KILLS)
def test_what_is_captured_is_whole_however_often_and_whatever_is_killed(tmp_path: Path) -> None:
    dice = random.Random(6)
    with living(tmp_path, BINANCE, rate=60, extra=f'rotate_every = "1s"\n{NO_WAIT}') as node:
        service = begin(node.folder, tmp_path / "service.log")
        try:
            service.ready()
            node.until(node.all_live, 60)
            for _ in range(KILLS):
                time.sleep(dice.uniform(0.1, 2.0))
                service = struck(service, dice)
            service.ready()
        finally:
            service.kill()
        with serving(node.folder) as service:
            connections = node.stream.connections
            node.until(lambda: node.stream.connections > connections and bool(node.stream.sessions), 60)
            node.until(node.all_live, 60)
            node.until(node.ticks(100), 60)
            # It heals by itself, as far as its journals are closed.
            service.until(lambda: verified(node), 120)
        node.stream.pause()
        node.seal()
        node.heal()
        assert verified(node), doubtful(node)
        promised(node.curated(), node.truth(), node.venue)
