"""What goes wrong between the stages is put right by running again: damage, changed settings, stubborn vendors."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import fulltape
from clocks import SkippingClock
from fulltape.audit import run as audit
from fulltape.backfill import run as backfill
from fulltape.cli import app
from fulltape.context import ConfiguredSource
from fulltape.lake.journal import Journal, RecordKind
from fulltape.node import nightly
from fulltape.seal import run as seal
from fulltape.simulator import market as markets
from fulltape.simulator.run import Running
from fulltape.simulator.server import Call, Reply
from fulltape.vendors import alpaca
from nodes import Wish, opened, simulated

WISH = Wish("equities_bars_day", "2012-12-03", "2012-12-14", ("alpaca.sip",))
UNIVERSE = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\nIBM,1915-11-11,,\n"
Change = Callable[[Call, Reply], Reply]


def through(twins: Running, change: Change) -> None:
    """Let a vendor's answers pass through `change`."""
    server = twins.servers["alpaca"]
    genuine = server._handle
    server._handle = lambda call: change(call, genuine(call))


def rows(folder: Path) -> int:
    return fulltape.open(folder).scan("equities_bars_day").collect().height


def fetch_only(folder: Path) -> list[Path]:
    """Audit and fetch, without sealing; returns the journal files."""
    with opened(folder) as context:
        audit.run_once(context, SkippingClock())
        backfill.run_once(context, SkippingClock())
        return context.layout.journal_files()


@pytest.mark.parametrize("at", [20, -20], ids=["the fetch", "the end"])
def test_damage_in_the_journal_is_found_kept_and_fetched_again(tmp_path: Path, at: int) -> None:
    with simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, _):
        (path,) = fetch_only(folder)
        spoiled = bytearray(path.read_bytes())
        spoiled[at] ^= 1
        path.write_bytes(spoiled)
        with opened(folder) as context:
            done = nightly.run(context, SkippingClock())
            reasons = {row["reason"] for row in context.ledger.rejections()}
        assert done.complete
        assert done.filled.damaged == 1
        assert rows(folder) == 20
        assert "damaged journal" in reasons or "torn end of a journal" in reasons
        kept = list((folder / "lake" / "rejected" / "journal").glob("*.body"))
        assert kept[0].read_bytes() in bytes(spoiled)


def test_a_journal_that_is_gone_leaves_no_task_waiting(tmp_path: Path) -> None:
    with simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, _):
        for path in fetch_only(folder):
            path.unlink()
        with opened(folder) as context:
            assert nightly.run(context, SkippingClock()).complete
        assert rows(folder) == 20


def test_answers_for_a_dataset_that_is_not_wanted_now_wait_in_the_journal(tmp_path: Path) -> None:
    minutes = Wish("equities_bars_minute", "2012-12-03", "2012-12-04", ("alpaca.sip",))
    with simulated(tmp_path, markets.sample(), [WISH, minutes], universe=UNIVERSE) as (folder, twins):
        fetch_only(folder)
        asked = len(twins.log())
        settings = folder / "fulltape.toml"
        both = settings.read_text()
        days, minute_part = (
            both.index("[dataset.equities_bars_day]"),
            both.index("[dataset.equities_bars_minute]"),
        )
        settings.write_text(both[:days] + both[minute_part:])
        with opened(folder) as context:
            assert list(context.wanted) == ["equities_bars_minute"]
            report = seal.run_once(context, SkippingClock())
            assert (report.fetches, report.left_open) == (1, 1)
        settings.write_text(both)
        with opened(folder) as context:
            assert nightly.run(context, SkippingClock()).complete
        assert len(twins.log()) == asked
        assert rows(folder) == 20


def test_a_row_with_an_impossible_time_costs_its_page_nothing_more(tmp_path: Path) -> None:
    def zero_time(_: Call, reply: Reply) -> Reply:
        page = json.loads(reply.body)
        page["bars"]["AAPL"][0]["t"] = "0001-01-01T00:00:00Z"
        return replace(reply, body=json.dumps(page).encode())

    with simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, twins):
        through(twins, zero_time)
        for _ in range(2):
            with opened(folder) as context:
                done = nightly.run(context, SkippingClock())
        assert rows(folder) == 19
        assert done.audit.empty == 0


def test_a_defect_in_decoding_costs_one_ask_and_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Any) -> Any:
        raise KeyError("a defect")

    with simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, _):
        monkeypatch.setattr(alpaca, "decode", broken)
        with opened(folder) as context:
            done = nightly.run(context, SkippingClock())
            assert any("KeyError" in row["reason"] for row in context.ledger.rejections())
            stalled = context.ledger.tasks.stalled()
        assert not done.complete
        assert stalled or done.audit.missing
        monkeypatch.undo()
        CliRunner().invoke(app, ["tasks", "retry", "--node", str(folder)])
        with opened(folder) as context:
            assert nightly.run(context, SkippingClock()).complete
        assert rows(folder) == 20


def test_a_defect_between_two_pages_costs_one_ask_and_keeps_what_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = alpaca.history

    def broken(asked: Any, resume: Any) -> Any:
        conversation = genuine(asked, resume)
        response = yield next(conversation)
        yield conversation.send(response)
        raise KeyError("a defect")

    with simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, _):
        monkeypatch.setattr(alpaca, "history", broken)
        with opened(folder) as context:
            assert nightly.run(context, SkippingClock()).complete
        assert rows(folder) == 20


def test_a_vendor_that_always_says_too_many_is_left_alone_after_a_while(tmp_path: Path) -> None:
    with simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, twins):
        past = {"X-RateLimit-Reset": "1"}
        through(twins, lambda _, __: Reply(status=429, body=b"too many requests", headers=past))
        with opened(folder) as context:
            done = nightly.run(context, SkippingClock())
            assert [task.failures for task in context.ledger.tasks.open()] == [0, 0]
        ((source, dimension, _),) = done.filled.waiting
        assert (source, dimension) == ("alpaca.sip", "vendor_says_wait")
        assert len(twins.log()) < 20


@pytest.mark.parametrize("status", [204, 302, 404, 407, 413, 418])
def test_an_undocumented_status_proves_nothing(tmp_path: Path, status: int) -> None:
    with simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, twins):
        through(twins, lambda _, __: Reply(status=status, body=b""))
        with opened(folder) as context:
            done = nightly.run(context, SkippingClock())
        assert done.audit.missing == 20
        assert done.audit.unobtainable == 0


def test_a_vendor_that_cannot_be_reached_is_left_alone_and_its_tasks_are_not_blamed(tmp_path: Path) -> None:
    with simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, twins):
        settings = folder / "fulltape.toml"
        good = settings.read_text()
        settings.write_text(good.replace(twins.servers["alpaca"].url, "http://127.0.0.1:9"))
        with opened(folder) as context:
            done = nightly.run(context, SkippingClock())
            assert [source for source, _ in done.filled.unreachable] == ["alpaca.sip"]
            assert done.filled.requests == 4
            assert [task.failures for task in context.ledger.tasks.open()] == [0, 0]
        failed = CliRunner().invoke(app, ["nightly", "--quiet", "--node", str(folder)])
        assert "cannot be reached" in str(failed.exception)
        settings.write_text(good)
        with opened(folder) as context:
            assert nightly.run(context, SkippingClock()).complete


def test_bodies_that_are_always_cut_stall_their_task_and_starve_nobody(tmp_path: Path) -> None:
    """A cut body is a failure of the task, not of the source: the others get theirs."""
    universe = "symbol,listed_from,listed_to,instrument\nAAPL,2012-12-04,,\nIBM,1915-11-11,,\n"
    faults = '[[fault]]\nvendor = "alpaca"\ndo = "truncate"\nsymbols = ["AAPL"]\ntimes = 99\n'
    extra = '[backfill]\nretry_wait = "1ms"\nmax_failures = 2\n'
    with simulated(tmp_path, markets.sample(), [WISH], universe=universe, faults=faults, extra=extra) as (
        folder,
        _,
    ):
        for _night in range(2):
            with opened(folder) as context:
                done = nightly.run(context, SkippingClock())
                stalled = [task.symbol for task in context.ledger.tasks.stalled()]
        assert stalled == ["AAPL"]
        assert done.filled.unreachable == ()
        assert fulltape.open(folder).scan("equities_bars_day", symbols="IBM").collect().height == 10


def test_a_stalled_task_is_not_asked_again_before_somebody_retries_it(tmp_path: Path) -> None:
    with simulated(
        tmp_path,
        markets.sample(),
        [WISH],
        universe=UNIVERSE,
        extra='[backfill]\nretry_wait = "1ms"\nmax_failures = 1\n',
    ) as (folder, twins):
        genuine = twins.servers["alpaca"]._handle
        twins.servers["alpaca"]._handle = lambda _: Reply(status=500, body=b"")
        with opened(folder) as context:
            nightly.run(context, SkippingClock())
            asked = len(twins.log())
            nightly.run(context, SkippingClock())
            assert len(twins.log()) == asked
        twins.servers["alpaca"]._handle = genuine
        listed = CliRunner().invoke(app, ["tasks", "--state", "stalled", "--node", str(folder)])
        assert "HTTP 500" in listed.output
        retried = CliRunner().invoke(app, ["tasks", "retry", "--node", str(folder)])
        assert "2 tasks queued again" in retried.output
        with opened(folder) as context:
            assert nightly.run(context, SkippingClock()).complete


def test_an_unknown_old_spelling_bars_only_its_own_time(tmp_path: Path) -> None:
    universe = (
        "symbol,listed_from,listed_to,instrument\nOLDX,2012-12-03,2012-12-07,IBM\nIBM,2012-12-10,,IBM\n"
    )
    with simulated(tmp_path, markets.sample(), [WISH], universe=universe) as (folder, _):
        with opened(folder) as context:
            done = nightly.run(context, SkippingClock())
        assert (done.audit.held, done.audit.unobtainable) == (5, 5)
        symbols = fulltape.open(folder).scan("equities_bars_day").collect()["symbol"].unique().to_list()
        assert symbols == ["IBM"]


def test_an_interrupted_ask_goes_on_even_after_its_leases_ran_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart long after the lease: nobody else takes the tasks, and no page is fetched twice."""
    wish = Wish("equities_bars_minute", "2012-12-03", "2012-12-14", ("alpaca.sip", "massive.sip"))
    with simulated(tmp_path, markets.sample(), [wish], universe=UNIVERSE) as (folder, twins):
        with opened(folder) as context:
            alone = replace(context, feeds={"alpaca.sip": _small_pages(context.feeds["alpaca.sip"])})
            die_after(monkeypatch, pages=3)
            audit.run_once(context, SkippingClock())
            with pytest.raises(Died):
                backfill.run_once(alone, SkippingClock())
            monkeypatch.undo()
        pages = sum(line.rows > 0 for line in twins.log())
        assert pages == 4  # three durable, and one in flight
        late = SkippingClock()
        late.sleep(3_600)
        with opened(folder) as context:
            done = nightly.run(context, late)
        assert done.complete
        later = [line for line in twins.log() if line.rows][pages:]
        assert later
        assert all("page_token" in line.params for line in later)
        assert fulltape.open(folder).scan("equities_bars_minute").collect().is_duplicated().sum() == 0


class Died(BaseException):
    """Stands for a process that is gone in the middle of a page."""


def die_after(monkeypatch: pytest.MonkeyPatch, *, pages: int) -> None:
    """Let nothing reach the journal any more once that many pages lie in it."""
    genuine = Journal.append
    written = [0]

    def append(self: Journal, kind: RecordKind, payload: bytes) -> int:
        written[0] += kind is RecordKind.PAGE
        if written[0] > pages:
            raise Died
        return genuine(self, kind, payload)

    monkeypatch.setattr(Journal, "append", append)


def _small_pages(feed: ConfiguredSource) -> ConfiguredSource:
    capability = tuple(replace(one, rows_per_page=1_000) for one in feed.source.capabilities)
    return replace(feed, source=replace(feed.source, capabilities=capability))


@pytest.mark.parametrize("where", ["join", "truncate"], ids=["facts are noted", "rows go into folders"])
def test_an_ask_that_fails_while_it_is_sealed_takes_nothing_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    genuine = pl.DataFrame.join if where == "join" else pl.DataFrame.partition_by
    failed: list[str] = []

    def failing(self: pl.DataFrame, *args: Any, **given: Any) -> Any:
        if not failed and "symbol" in self.columns and (where == "truncate" or given.get("how") == "semi"):
            failed.append(where)
            raise MemoryError
        return genuine(self, *args, **given)

    with simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, _):
        fetch_only(folder)
        with monkeypatch.context() as patch:
            patch.setattr(pl.DataFrame, "join" if where == "join" else "partition_by", failing)
            with opened(folder) as context:
                seal.run_once(context, SkippingClock())
                assert failed
                assert context.ledger.coverage.of_dataset("equities_bars_day") == []
                assert audit.run_once(context, SkippingClock()).held == 0
        with opened(folder) as context:
            assert nightly.run(context, SkippingClock()).complete
        assert rows(folder) == 20


def test_a_full_disk_while_a_part_is_written_is_the_disks_fault(tmp_path: Path) -> None:
    """polars tells it by an error of its own, which is not one of the system's."""
    with simulated(tmp_path, markets.sample(), [WISH], universe=UNIVERSE) as (folder, _):
        fetch_only(folder)
        command = (
            "import resource, signal, sys\n"
            "from fulltape.cli import main\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            f"sys.argv = ['fulltape', 'seal', '--node', {str(folder)!r}]\n"
            "from fulltape.ledger import sqlite\n"
            "from fulltape.lake import parquet\n"
            "genuine = parquet.write\n"
            "def write(*args, **given):\n"
            "    resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))\n"
            "    try:\n"
            "        genuine(*args, **given)\n"
            "    finally:\n"
            "        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
            "parquet.write = write\n"
            "main()\n"
        )
        done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=False)
        assert done.returncode == 4, done.stderr
        assert "takes no more" in done.stderr
        assert "space" in done.stderr
        with opened(folder) as context:
            assert nightly.run(context, SkippingClock()).complete
        assert rows(folder) == 20
