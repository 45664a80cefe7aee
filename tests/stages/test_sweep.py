"""What grows has an end: each kind by its own rule, told before it goes, and never the only copy."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from clocks import FakeClock, SkippingClock
from fulltape.context import NodeContext
from fulltape.lake import files
from fulltape.ledger import changes
from fulltape.ledger.ledger import Rejection
from fulltape.market.time import DAY
from fulltape.node import nightly
from fulltape.simulator import market as markets
from fulltape.sweep import plan
from fulltape.sweep import run as sweep
from fulltape.verify import run as verify
from nodes import Wish, opened, simulated

WISH = Wish("equities_bars_day", "2012-12-03", "2012-12-14", ("alpaca.sip",))
UNIVERSE = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\nIBM,1915-11-11,,\n"


def grown(tmp_path: Path) -> Path:
    """A node that has curated the same folder twice, exported twice, and rejected something."""
    with simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, _):
        with opened(folder) as context:
            assert nightly.run(context, SkippingClock()).complete
        settings = folder / "fulltape.toml"
        settings.write_text(
            settings.read_text().replace("2012-12-03", "2012-11-01").replace("12-14", "12-21")
        )
        with opened(folder) as context:
            assert nightly.run(context, SkippingClock()).complete
            path = context.layout.rejected("alpaca.sip", "ask", 1, hashlib.sha256(b"broken").hexdigest())
            files.publish_bytes(path, b"broken")
            files.publish_bytes(path.with_suffix(".json"), b"[]")
            with context.ledger.write():
                rejection = Rejection(
                    fetch_id="ask",
                    page=1,
                    source="alpaca.sip",
                    reason="broken",
                    rows=1,
                    path=context.layout.relative(path),
                )
                context.ledger.reject(rejection, now=SkippingClock().now())
    return folder


def later(days: int) -> SkippingClock:
    clock = SkippingClock()
    clock.sleep(days * DAY / 1_000_000)
    return clock


def counts(report: plan.SweepReport) -> dict[str, int]:
    return {one.what: one.count for one in report.removals}


def state(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_ino for path in files.tree(folder / "lake") if path.name != "node.json"}


def test_nothing_young_goes(tmp_path: Path) -> None:
    folder = grown(tmp_path)
    before = state(folder)
    with opened(folder) as context:
        assert sweep.run_once(context, SkippingClock()).removals == ()
    assert state(folder) == before


def test_what_is_old_goes_and_what_counts_stays(tmp_path: Path) -> None:
    folder = grown(tmp_path)
    with opened(folder) as context:
        current = {
            part.path for layer in verify.LAYERS for part in context.ledger.catalogue.all_current(layer)
        }
        raw = {path for path in state(folder) if "/raw/" in path}
        clock = later(100)
        told = sweep.run_once(context, clock, dry_run=True)
        before = state(folder)
        assert counts(told).keys() == {"requests", "ended tasks", "rejections", "replaced files"}
        assert sweep.run_once(context, clock, dry_run=True) == told
        assert state(folder) == before
        done = sweep.run_once(context, clock)
        assert replace(done, dry_run=True) == told
        assert sweep.run_once(context, clock).removals == ()
        after = state(folder)
        assert raw <= after.keys()
        assert {
            part.path for layer in verify.LAYERS for part in context.ledger.catalogue.all_current(layer)
        } == current
        assert all((folder / "lake" / path).exists() for path in current)
        assert verify.run_once(context, clock, deep=True).findings == ()
        assert context.ledger.rejections() == []


def test_the_newest_bundles_stay(tmp_path: Path) -> None:
    folder = grown(tmp_path)
    with opened(folder) as context:
        days = [row["day"] for row in context.ledger.exports()]
        assert len(days) == 2
        few = replace(
            context, rules=replace(context.rules, retention=replace(context.rules.retention, bundles=1))
        )
        assert counts(sweep.run_once(few, SkippingClock())) == {"bundles": 1}
        assert [row["day"] for row in context.ledger.exports()] == days[1:]
        assert [path.name for path in context.layout.bundles()] == days[1:]
        assert verify.run_once(context, SkippingClock(), deep=True).findings == ()


def test_damaged_files_go_once_they_were_kept_long_enough(tmp_path: Path) -> None:
    folder = grown(tmp_path)
    path = folder / "lake" / "damaged" / "raw" / "x.parquet"
    files.publish_bytes(path, b"x")
    with opened(folder) as context:
        assert counts(sweep.run_once(context, later(29))).get("damaged files") is None
        assert counts(sweep.run_once(context, later(31)))["damaged files"] == 1
    assert not path.exists()


def test_a_ledger_full_of_holes_is_written_anew(tmp_path: Path) -> None:
    folder = grown(tmp_path)

    def fill(context: NodeContext) -> None:
        rows = [
            {"fetch_id": "a", "source": "b", "target": "c" * 2_000, "kind": "GAP", "sent_at": at, "status": 200,
             "outcome": "rows", "size": 1, "took": 1}
            for at in range(20_000)
        ]  # fmt: skip
        with context.ledger.write():
            for row in rows:
                context.ledger.requests.record(**row)  # type: ignore[arg-type]

    with opened(folder) as context:
        fill(context)
        size = (folder / "ledger.db").stat().st_size
        done = counts(sweep.run_once(context, SkippingClock()))
        assert done["requests"] == 20_000
        assert done["free pages of the ledger"] > 4_000
        assert verify.run_once(context, SkippingClock(), deep=True).findings == ()
    with opened(folder):
        pass
    assert (folder / "ledger.db").stat().st_size < size / 4


@pytest.mark.parametrize(("keep", "left"), [(0, 5), (1, 1), (3, 3), (9, 5)])
def test_bundles_by_number(keep: int, left: int) -> None:
    days = [f"{dt.date(2024, 1, day)}" for day in range(1, 6)]
    gone = plan.older_bundles(reversed(days), keep)
    assert sorted({*days} - {*gone}) == days[5 - left :]


def test_what_a_kill_left_of_a_file_goes_and_what_is_being_written_stays(tmp_path: Path) -> None:
    folder = grown(tmp_path)
    left = [folder / "lake" / place / f"{files.TEMPORARY}x" for place in ("", "rejected/alpaca.sip")]
    for path in left:
        path.write_bytes(b"half")

    def write(temporary: Path) -> None:
        temporary.write_bytes(b"whole")
        with opened(folder) as context:
            assert counts(sweep.run_once(context, SkippingClock(), dry_run=True))["unfinished files"] == 2
            assert counts(sweep.run_once(context, SkippingClock())) == {"unfinished files": 2}

    files.publish(folder / "lake" / "rejected" / "alpaca.sip" / "other", write)
    assert (folder / "lake" / "rejected" / "alpaca.sip" / "other").read_bytes() == b"whole"
    assert not any(path.exists() for path in left)


def test_what_was_learned_long_ago_is_known_by_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "_MOST_REPLAYED", 0)
    with (
        simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, _),
        opened(folder) as context,
    ):
        nightly.run(context, SkippingClock())
        log, (name,) = context.ledger.changes, context.wanted
        following = context.wanted[name].next_session
        newest = log.known(name, log.position, following)
        assert newest.facts
        assert log.horizon == 0
        later = FakeClock(SkippingClock().now() + 731 * DAY)
        told = {one.what: one.count for one in sweep.run_once(context, later, dry_run=True).removals}
        assert told["changes of knowledge"] > 0
        done = {one.what: one.count for one in sweep.run_once(context, later).removals}
        assert done["changes of knowledge"] == told["changes of knowledge"]
        assert 0 < log.horizon <= log.position
        assert log.known(name, log.position, following) == newest
