"""A stage that another process is at is waited for, but not for ever."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from clocks import SkippingClock
from fulltape import errors
from fulltape.clock import SystemClock
from fulltape.node import nightly
from fulltape.seal import run as seal
from fulltape.simulator import market as markets
from nodes import Wish, opened, simulated

WISH = Wish("equities_bars_day", "2012-12-03", "2012-12-14", ("alpaca.sip",))
UNIVERSE = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\n"


def test_a_stage_is_waited_for(tmp_path: Path) -> None:
    with (
        simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, _),
        opened(folder) as context,
        opened(folder) as other,
    ):
        begun, done = threading.Event(), threading.Event()

        def holding() -> None:
            with other.stage("seal", SystemClock()):
                begun.set()
                done.wait(30)

        thread = threading.Thread(target=holding)
        thread.start()
        begun.wait(30)
        looked: list[float] = []

        class Patient(SystemClock):
            def sleep(self, seconds: float) -> None:
                looked.append(seconds)
                if len(looked) == 3:
                    done.set()
                super().sleep(seconds)

        seal.run_once(context, Patient())
        assert len(looked) >= 3
        thread.join()


def test_what_takes_too_long_is_busy(tmp_path: Path) -> None:
    with (
        simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, _),
        opened(folder) as context,
        opened(folder) as other,
        other.stage("curate", SystemClock()),
    ):
        clock = SkippingClock()
        before = clock.steady()
        with pytest.raises(errors.BusyError, match="running curate"):
            nightly.run(context, clock)
        assert clock.steady() - before >= 60_000_000
        impatient = replace(context, rules=replace(context.rules, lock_wait=0.0))
        before = clock.steady()
        with pytest.raises(errors.BusyError), impatient.stage("curate", clock):
            pass
        assert clock.steady() - before < 1_000_000
