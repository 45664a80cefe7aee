"""The service end to end: real processes, sockets and files; only the vendors' bytes are simulated."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from living import BINANCE, living, promised
from serving import NO_WAIT, Service, begin, hearing, lives, runs, serving, until

import fulltape
from fulltape.lake import capture_state
from fulltape.service import control
from fulltape.simulator import market as markets
from nodes import CANARY, DAYS_2012, MINUTES_2012, opened, simulated

SHORT = 'rotate_every = "1s"\n' + NO_WAIT
# Real processes, on a machine that may be busy: each wait has an end of its own.
pytestmark = pytest.mark.timeout(400)


def settled(service: Service) -> None:
    """Wait until everything that was to be fetched is checked, and nothing more is to be done."""
    service.until(
        lambda: any("cells" in run.numbers for run in runs(service.folder, "check")) and service.idle()
    )


def rows(folder: Path, dataset: str) -> pl.DataFrame:
    return fulltape.open(folder).scan(dataset).collect()


def test_a_node_that_is_run_fetches_curates_checks_and_exports_by_itself(tmp_path: Path) -> None:
    with simulated(tmp_path, markets.sample(), [DAYS_2012, MINUTES_2012], extra=NO_WAIT) as (folder, _):
        with serving(folder) as service:
            settled(service)
            assert service.ran("export").outcome == "done"
        assert rows(folder, "equities_bars_day").height > 1_000
        assert rows(folder, "equities_bars_minute").height > 10_000
        bundles = list((folder / "lake" / "exports" / "nightly").iterdir())
        assert len(bundles) == 1
        assert "ended" in service.said()
        assert not service.children()
        with opened(folder) as context:
            assert not context.ledger.tasks.open()


def test_what_it_sent_it_sends_once_and_a_second_start_has_nothing_to_do(tmp_path: Path) -> None:
    with simulated(tmp_path, markets.sample(), [DAYS_2012], extra=NO_WAIT) as (folder, vendors):
        with serving(folder) as service:
            settled(service)
        sent = sum(len(server.log) for server in vendors.servers.values())
        files = sorted((path, path.stat().st_mtime_ns) for path in (folder / "lake").rglob("*.parquet"))
        with serving(folder) as service:
            service.until(
                lambda: service.last("audit").succeeded and service.last("curate").ended and service.idle()
            )
        assert sum(len(server.log) for server in vendors.servers.values()) == sent
        assert files == sorted(
            (path, path.stat().st_mtime_ns) for path in (folder / "lake").rglob("*.parquet")
        )


def test_workers_go_when_there_is_nothing_to_do(tmp_path: Path) -> None:
    with (
        simulated(tmp_path, markets.sample(), [DAYS_2012], extra=NO_WAIT) as (folder, _),
        serving(folder) as service,
    ):
        settled(service)
        service.until(lambda: not service.children())
        state = service.state
        assert state is not None
        assert state.workers == {}


def test_only_one_service_runs_and_the_other_says_which(tmp_path: Path) -> None:
    with (
        simulated(tmp_path, markets.sample(), [DAYS_2012], extra=NO_WAIT) as (folder, _),
        serving(folder) as service,
    ):
        other = subprocess.run(
            [sys.executable, "-m", "fulltape", "run", "--node", str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert other.returncode == 75
        assert f"process {service.process.pid}" in other.stderr


def test_control_is_for_the_owner_only_and_ends_with_the_service(tmp_path: Path) -> None:
    with simulated(tmp_path, markets.sample(), [DAYS_2012], extra=NO_WAIT) as (folder, _):
        with serving(folder) as service:
            assert control.path(folder).stat().st_mode & 0o777 == 0o600
            unknown = service.ask(do="run", name="nix")
            assert (unknown.ok, "export" in unknown.hint) == (False, True)
        with pytest.raises(fulltape.errors.UsageError, match="no service runs"):
            service.ask(do="reload")


def test_settings_are_read_again_whole_or_not_at_all(tmp_path: Path) -> None:
    with (
        simulated(tmp_path, markets.sample(), [DAYS_2012], extra=NO_WAIT) as (folder, _),
        serving(folder) as service,
    ):
        settled(service)
        settings = folder / "fulltape.toml"
        good = settings.read_text()
        settings.write_text(good + '\n[schedule.export]\ncron = "61 2 * * *"\n')
        refused = service.ask(do="reload")
        assert not refused.ok
        assert "schedule.export.cron" in refused.message
        service.until(lambda: service.state and "schedule.export.cron" in service.state.message)
        # The old settings go on, whatever the file says.
        assert service.ran("audit").outcome == "done"
        settings.write_text(
            good + '\n[schedule.export]\ncron = "0 0 * * *"\n[schedule.mine]\njob = "sweep"\nevery = "1d"\n'
        )
        assert service.ask(do="reload").ok
        service.until(lambda: service.state and not service.state.message)
        assert service.ran("mine").outcome == "done"
        service.until(service.idle)
        assert not runs(folder, "export"), "editing a schedule starts nothing"
        assert len(runs(folder, "mine")) == 1


def test_a_new_symbol_is_fetched_after_a_reload(tmp_path: Path) -> None:
    first = "symbol,listed_from,listed_to,instrument\nAAPL,1980-01-02,,\n"
    with (
        simulated(tmp_path, markets.sample(), [DAYS_2012], extra=NO_WAIT, universe=first) as (folder, _),
        serving(folder) as service,
    ):
        settled(service)
        assert set(rows(folder, "equities_bars_day")["symbol"].unique()) == {"AAPL"}
        (folder / "universe.csv").write_text(first + "MSFT,1980-01-02,,\n")
        before = service.last("check").succeeded
        service.process.send_signal(signal.SIGHUP)
        service.until(lambda: "read again" in service.said())
        assert service.ran("audit").outcome == "done"
        service.until(lambda: service.last("check").succeeded > before and service.idle())
        assert set(rows(folder, "equities_bars_day")["symbol"].unique()) == {"AAPL", "MSFT"}


def test_a_key_that_is_refused_is_told_once_and_so_is_its_end(tmp_path: Path) -> None:
    faults = '[[fault]]\nvendor = "alpaca"\ndo = "error"\nstatus = 401\ntimes = 1000000\n'
    wish = [type(DAYS_2012)("equities_bars_day", "2012-01-03", "2012-03-30", ("alpaca.sip",))]
    with (
        hearing() as heard,
        simulated(
            tmp_path,
            markets.sample(),
            wish,
            faults=faults,
            extra=f'{NO_WAIT}\n[notify]\nwebhook = "{heard.url}/{CANARY}"\nheartbeat_url = "{heard.url}/alive"\n',
        ) as (folder, vendors),
    ):
        with serving(folder) as service:
            service.until(lambda: ("credentials alpaca.sip", "begun") in heard.told())
            sent = len(vendors.servers["alpaca"].log)
            assert service.ran("backfill").outcome == "done"
            assert len(vendors.servers["alpaca"].log) == sent, "a refused key is not tried again and again"
            service.until(lambda: service.ask(do="test_message").ok)
        with serving(folder) as service:
            service.until(lambda: service.last("backfill").ended and service.idle())
            assert heard.told().count(("credentials alpaca.sip", "begun")) == 1, "also not after a restart"
        assert heard.messages[0]["node"] == "node"
        assert "fulltape reload" in heard.messages[0]["text"]
        everything = service.said() + json.dumps(heard.messages)
        everything += "".join(path.read_text() for path in (folder / "service").iterdir() if path.is_file())
        assert CANARY not in everything


def test_messages_that_do_not_come_through_are_told_and_a_test_says_so(tmp_path: Path) -> None:
    with (
        hearing() as heard,
        simulated(
            tmp_path,
            markets.sample(),
            [DAYS_2012],
            extra=f'{NO_WAIT}\n[notify]\nwebhook = "{heard.url}/{CANARY}"\n',
        ) as (folder, _),
        serving(folder) as service,
    ):
        heard.status = 503
        reply = service.ask(do="test_message")
        assert (reply.ok, reply.message) == (False, "the webhook: status 503")
        heard.status = 200
        assert service.ask(do="test_message").ok
        assert heard.messages[-1]["state"] == "test"


def test_live_capture_is_sealed_and_its_holes_are_filled(tmp_path: Path) -> None:
    with living(tmp_path, BINANCE, rate=60, extra=SHORT) as node:
        with serving(node.folder) as service:
            node.until(node.all_live, 60)
            node.until(node.ticks(100), 60)
            node.break_all()
            node.until(node.ticks(100), 60)
            service.until(lambda: any(state == "verified" for _, state, _ in node.intervals()))
            assert service.state is not None
            assert service.state.capture == "running"
        node.stream.pause()
        node.seal()
        node.heal()
        promised(node.curated(), node.truth(), node.venue)


def test_a_reload_changes_only_the_streams_that_differ(tmp_path: Path) -> None:
    with living(tmp_path, BINANCE, rate=60, extra=SHORT) as node, serving(node.folder) as service:
        node.until(node.all_live, 60)
        connections = node.stream.connections
        settings = node.folder / "fulltape.toml"
        settings.write_text(settings.read_text() + '[schedule.check]\nevery = "2h"\n')
        assert service.ask(do="reload").ok
        node.until(node.ticks(100), 60)
        assert node.stream.connections == connections, "what is captured has not changed"
        settings.write_text(settings.read_text().replace('"BTC/USDT", ', ""))
        assert service.ask(do="reload").ok
        node.until(lambda: len(node.told().channels) == 1 and node.all_live(), 60)
        state = service.state
        assert state is not None
        assert lives(state.capture_process)


def test_capture_that_dies_is_started_again_and_ends_with_a_killed_supervisor(tmp_path: Path) -> None:
    with living(tmp_path, BINANCE, rate=60, extra=SHORT) as node:
        service = begin(node.folder, tmp_path / "service.log")
        try:
            service.ready()
            node.until(node.all_live, 60)
            state = service.state
            assert state is not None
            first = state.capture_process
            os.kill(first, signal.SIGKILL)
            service.until(lambda: service.state and service.state.capture_process not in (0, first))
            node.until(node.all_live, 60)
            children = service.children()
            assert len(children) >= 1
            service.kill()
            until(lambda: not any(map(lives, children)), 30)
        finally:
            service.kill()
        path = node.folder / "lake" / "journal" / "node.capture" / "state.json"
        told = capture_state.read(path)
        assert told is not None
        assert not told.running, "it has made everything durable and said so"


def test_a_second_signal_ends_at_once_and_loses_nothing(tmp_path: Path) -> None:
    faults = '[[fault]]\nvendor = "alpaca"\ndo = "hang"\nwait = 20\ntimes = 1000000\n'
    wish = [type(DAYS_2012)("equities_bars_day", "2012-01-03", "2012-12-31", ("alpaca.sip",))]
    with simulated(tmp_path, markets.sample(), wish, faults=faults, extra=NO_WAIT) as (folder, _):
        service = begin(folder, tmp_path / "service.log")
        try:
            service.until(
                lambda: service.state and any(run.job == "backfill" for run in service.state.running)
            )
            began = time.monotonic()
            service.process.send_signal(signal.SIGTERM)
            until(lambda: "stopping, once" in service.said())
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(10) == 0
            assert time.monotonic() - began < 15, "the vendor answers after 20 s, and node.stop_within is 30"
        finally:
            service.process.kill()
            service.process.wait()
