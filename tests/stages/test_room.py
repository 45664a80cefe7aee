"""Room on the disk: with little nothing more is fetched, with less a night writes nothing, and status says how long it will do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from clocks import SkippingClock
from fulltape import errors
from fulltape.cli import app
from fulltape.context import room
from fulltape.lake import disk
from fulltape.market.time import DAY
from fulltape.node import nightly
from fulltape.simulator import market as markets
from nodes import Wish, opened, simulated

WISH = Wish("equities_bars_day", "2012-12-03", "2012-12-14", ("alpaca.sip",))
UNIVERSE = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\n"
GB = 10**9


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let a disk of 100 GB have so many free."""

    def let(gb: float) -> None:
        usage = Usage(100 * GB, int((100 - gb) * GB), int(gb * GB))
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    return let


def test_with_little_room_nothing_is_fetched_and_the_rest_goes_on(
    tmp_path: Path, free: Callable[[float], None]
) -> None:
    with simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, twins):
        free(4.9)  # less than 5 %
        with opened(folder) as context:
            done = nightly.run(context, SkippingClock())
        assert not done.complete
        assert not twins.log()
        assert (
            done.filled.full
            == "4.9 of 100.0 GB free, less than node.min_free (5.0 GB): nothing more is fetched"
        )
        shown = CliRunner().invoke(app, ["backfill", "--node", str(folder)])
        assert shown.exit_code == 4
        assert "the disk: 4.9 of 100.0 GB free" in shown.output
        free(5.1)
        with opened(folder) as context:
            assert nightly.run(context, SkippingClock()).complete


def test_with_the_least_room_a_night_writes_nothing_and_says_so(
    tmp_path: Path, free: Callable[[float], None]
) -> None:
    with simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, twins):
        free(1.2)
        with (
            opened(folder) as context,
            pytest.raises(errors.StorageError, match="nights stop, live capture goes on"),
        ):
            nightly.run(context, SkippingClock())
        assert not twins.log()
        settings = folder / "fulltape.toml"
        settings.write_text(settings.read_text() + '\n[node]\nmin_free = "1GB"\n')
        with opened(folder) as context:
            assert nightly.run(context, SkippingClock()).complete, "the settings' word counts"


def test_status_says_for_how_long_there_is_room(tmp_path: Path, free: Callable[[float], None]) -> None:
    with simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, _):
        free(50)
        with opened(folder) as context:
            clock = SkippingClock()
            nightly.run(context, clock)
            begun, grown = context.ledger.catalogue.grown(0)
            assert begun is not None
            assert grown > 0
            assert room.forecast(context, begun + DAY // 2).days_left is None, "too early to tell"
            here = room.forecast(context, begun + 10 * DAY)
            assert here.days_left == pytest.approx((50 - 5) * GB / (grown / 10), rel=0.01)
            assert room.forecast(context, begun + 60 * DAY).days_left is None, "it has not grown for a month"
        free(3)
        shown = CliRunner().invoke(app, ["status", "--node", str(folder), "--json"])
        assert shown.exit_code == 0
        told = json.loads(shown.stdout)["disk"]
        assert (told["free"], told["wanted"], told["tier"]) == (3 * GB, 5 * GB, "low")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (disk.Room(free=50 * GB, total=100 * GB, wanted=5 * GB), "50.0 of 100.0 GB free"),
        (
            disk.Room(free=50 * GB, total=100 * GB, wanted=5 * GB, grown=3 * GB, days=30),
            "50.0 of 100.0 GB free; at 0.10 GB a day it is low in 450 days",
        ),
    ],
    ids=["unknown", "growing"],
)
def test_room_in_words(found: disk.Room, words: str) -> None:
    assert found.sentence == words
