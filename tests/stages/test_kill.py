"""kill -9 at random moments of a night: nothing is lost, nothing doubled, nothing fetched twice but what was in flight."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from test_night import different

from fulltape.demo import proof
from fulltape.simulator import market as markets
from nodes import DAYS_2012, MINUTES_2012, simulated

WORKERS = 4


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(3))
def test_killed_again_and_again_the_night_still_ends_whole(tmp_path: Path, seed: int) -> None:
    market = markets.sample()
    dice = random.Random(seed)
    kills = 0
    allowed: list[object] = []
    with simulated(
        tmp_path,
        market,
        [DAYS_2012, MINUTES_2012],
        universe=markets.sample_universe(),
        extra=f'[backfill]\nseal_after = "1s"\nworkers = {WORKERS}\n',
    ) as (folder, twins):
        command = [sys.executable, "-m", "fulltape", "nightly", "--quiet", "--node", str(folder)]
        while True:
            child = subprocess.Popen(command)
            try:
                # Nothing before a second is worth a kill: the interpreter is still importing.
                child.wait(timeout=0.6 + dice.random() * 1.6 if kills < 8 else 120)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
                kills += 1
                allowed += [line for server in twins.servers.values() for line in server.latest()]
                continue
            assert child.returncode == 0
            break
        assert kills
        assert different(folder, market, "equities_bars_day", DAYS_2012).is_empty()
        assert different(folder, market, "equities_bars_minute", MINUTES_2012).is_empty()
        assert not proof.asked_twice(twins.log(), allowed)  # type: ignore[arg-type]
        (bundle,) = (folder / "lake" / "exports" / "nightly").iterdir()
        count, wrong = proof.checksums(bundle)
        assert count > 40
        assert not wrong
        assert not list((folder / "lake" / "journal").rglob("*.journal"))
        unregistered = set(proof.snapshot(folder / "lake"))
        assert not [name for name in unregistered if ".tmp-" in name]
