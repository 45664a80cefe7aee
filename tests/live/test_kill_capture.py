"""Killing capture and seal, cutting the power, filling the disk: what was acknowledged is there, once, and the rest is
known to be missing, asked for, and filled."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from living import BINANCE, DERIV, KRAKEN, Living, Venue, living, promised

from fulltape.contract.events import ConnectionEvent
from fulltape.lake import capture_state, journal, messages
from fulltape.lake.journal import Journal, JournalDamage, RecordKind
from fulltape.lake.messages import Block
from fulltape.market.time import SECOND

SECONDS = float(os.environ.get("FULLTAPE_KILL_SECONDS", "6"))
SHORT = 'rotate_every = "1s"\n'


def _whole(node: Living) -> None:
    """Seal, ask, seal: what a user reads is what happened."""
    node.stream.pause()
    node.seal()
    node.heal()
    states = {state for _, state, _ in node.intervals()}
    assert states <= {"verified"}, node.intervals()
    found = node.curated()
    promised(found, node.truth(), node.venue)


def _last(node: Living) -> None:
    """Let capture run once more to a clean end, so that the last interval has an end too."""
    connections = node.stream.connections
    with node.capturing():
        node.until(lambda: node.stream.connections > connections and bool(node.stream.sessions))
        node.until(node.ticks(60))


@pytest.mark.parametrize("venue", [BINANCE, KRAKEN, DERIV], ids=lambda venue: venue.vendor)
@pytest.mark.timeout(60 + 4 * SECONDS)
def test_capture_killed_at_any_moment_loses_nothing_for_good(tmp_path: Path, venue: Venue) -> None:
    dice = random.Random(7)
    kills = 0
    with living(tmp_path, venue, rate=60, extra=SHORT) as node:
        # Nothing is promised of a stream before it was live for the first time.
        with node.started() as process:
            node.until(node.all_live)
            process.send_signal(signal.SIGKILL)
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            with node.started() as process:
                time.sleep(dice.uniform(0.15, 1.2))
                process.send_signal(signal.SIGKILL)
            kills += 1
        _last(node)
        assert kills >= 3
        _whole(node)


@pytest.mark.timeout(60 + 4 * SECONDS)
def test_seal_killed_at_any_moment_doubles_nothing(tmp_path: Path) -> None:
    dice = random.Random(11)
    command = [sys.executable, "-m", "fulltape", "seal", "--quiet"]
    with living(tmp_path, BINANCE, rate=100, extra=SHORT) as node:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            with node.capturing():
                node.until(node.ticks(60))
            for _ in range(4):
                process = subprocess.Popen([*command, "--node", str(node.folder)])
                time.sleep(dice.uniform(0.2, 1.4))
                process.send_signal(signal.SIGKILL)
                process.wait()
        _last(node)
        _whole(node)
        assert node.curated().height > 60


def test_what_was_acknowledged_survives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything behind the last fdatasync of each file is gone, as after a power cut."""
    durable: dict[Path, int] = {}
    acknowledged: list[bytes] = []
    genuine = Journal.sync

    def sync(self: Journal) -> None:
        genuine(self)
        durable[self.path] = self.size

    def synced(items: Sequence[Block | ConnectionEvent], _: int) -> None:
        acknowledged.extend(
            message for item in items if isinstance(item, Block) for message in item.messages()
        )

    monkeypatch.setattr(Journal, "sync", sync)
    with living(tmp_path, BINANCE, rate=200) as node:
        for _ in range(3):
            with node.capturing(synced=synced):
                node.until(node.ticks(200))
                cut = {path: size for path, size in durable.items() if path.exists()}
                known = list(acknowledged)
                copies = {path: path.read_bytes() for path in cut}
            for path, size in cut.items():
                path.write_bytes(copies[path][:size])  # the process never got to its end, nor the disk
            for path in node.journals():
                if path not in cut:
                    path.unlink()
            acknowledged[:] = known
        _last(node)
        kept = {
            message
            for path in node.journals()
            for item in journal.read(path)
            if not isinstance(item, JournalDamage) and item.kind is RecordKind.MESSAGES
            for message in messages.decode_block(item.payload).messages()
        }
        assert set(acknowledged) <= kept
        _whole(node)


@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_journal_costs_what_lay_there_and_history_gives_it_back(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    with living(tmp_path, BINANCE, rate=200, flush="50ms") as node:
        with node.capturing():
            node.until(node.ticks(300))
        (path,) = [path for path in node.journals() if path.stat().st_size > 10_000]
        content = bytearray(path.read_bytes())
        if seed % 2:
            del content[dice.randrange(len(content) // 3, len(content)) :]
        for _ in range(3):
            content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        path.write_bytes(bytes(content))
        _last(node)
        _whole(node)
        assert any(kind in ("damage", "not captured", "sequence break") for kind, _, _ in node.intervals())


def test_a_signal_during_a_burst_keeps_all_of_it(tmp_path: Path) -> None:
    burst = '[[fault]]\nvendor = "binance"\ndo = "burst"\nafter = 1.0\ncount = 100000\n'
    with living(tmp_path, BINANCE, burst) as node:
        with node.started() as process:
            node.until(lambda: node.sent > 50_000)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        state = capture_state.read(node.folder / "lake" / "journal" / "node.capture" / "state.json")
        assert state is not None
        (source,) = state.sources
        assert source.messages == source.durable > 0
        assert source.dropped == 0
        _last(node)
        _whole(node)


def test_a_process_whose_parent_is_gone_ends_in_order(tmp_path: Path) -> None:
    with living(tmp_path, BINANCE) as node, node.started() as process:
        node.until(lambda: bool(node.stream.sessions))
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0


def test_a_clock_that_jumps_an_hour_loses_nothing(tmp_path: Path) -> None:
    closed = '[[fault]]\nvendor = "binance"\ndo = "close"\nafter = 1.5\ntimes = 3\nevery = 1.0\n'
    began = time.monotonic()

    def jumping() -> int:
        passed = time.monotonic() - began
        hour = 3_600 * 10**9
        return time.time_ns() + (hour if 1 < passed < 2 else -hour if 2 <= passed < 3 else 0)

    with living(tmp_path, BINANCE, closed) as node:
        with node.capturing(timestamp=jumping):
            node.until(lambda: time.monotonic() - began > 4 and bool(node.stream.sessions))
            node.until(node.ticks(60))
        node.stream.pause()
        node.seal()
        node.heal()
        found = node.curated()
        promised(found, node.truth(), node.venue)
        assert found.height > 60


def test_a_clock_that_is_put_forward_makes_doubtful_what_it_stamped(tmp_path: Path) -> None:
    """As on a machine without a battery, an hour after its last shutdown."""
    behind = 3_600 * 10**9

    def put_right() -> int:
        return time.time_ns() - behind

    with living(tmp_path, BINANCE) as node:
        with node.capturing(timestamp=put_right):
            node.until(node.all_live)
            node.until(node.ticks(60))
            behind = 0
            node.until(node.ticks(120))
            node.stream.pause()
        node.seal()
        told = {kind for kind, _, _ in node.intervals()}
        assert told == {"clock"}
        node.heal()
        promised(node.curated(), node.truth(), node.venue)


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_set_between_two_processes_is_noticed(tmp_path: Path, hours: int) -> None:
    """The first process stamps by a wrong clock and ends; the clock is put right, and another one begins."""
    with living(tmp_path, BINANCE) as node:
        with node.capturing(timestamp=lambda: time.time_ns() + hours * 3_600 * 10**9):
            node.until(node.all_live)
            node.until(node.ticks(60))
        with node.capturing():
            node.until(node.all_live)
            node.until(node.ticks(60))
            node.stream.pause()
        now = node.clock.now()
        node.seal()
        assert "clock" in {kind for kind, _, _ in node.intervals()}
        with node.opened() as context:
            days = context.ledger.streams.days()
        assert all(one.end <= now + SECOND for one in days)
        node.heal()
        promised(node.curated(), node.truth(), node.venue)


def _small_disk(folder: Path, size: str) -> None:
    folder.mkdir(parents=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("this machine lets nobody mount a small disk")


def test_a_full_disk_is_told_and_loses_only_what_is_recorded(tmp_path: Path) -> None:
    with living(tmp_path, BINANCE, rate=300, extra='queue_bytes = "200kB"\n') as node:
        disk = node.folder / "lake" / "journal"
        _small_disk(disk, "400k")
        try:
            with node.capturing():
                node.until(node.ticks(100))
                filler = disk / "filler"
                filler.write_bytes(b"x" * 200_000)
                state = disk / "node.capture" / "state.json"
                node.until(node.ticks(3_000), 60)
                filler.unlink()
                subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
                node.until(lambda: _no_trouble(state) and _dropped(state) > 0)
                node.until(node.ticks(100))
            _whole(node)
            assert {"dropped"} <= {kind for kind, _, _ in node.intervals()}
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=False)


def test_a_read_only_disk_is_waited_for(tmp_path: Path) -> None:
    with living(tmp_path, BINANCE, rate=100) as node:
        disk = node.folder / "lake" / "journal"
        _small_disk(disk, "20m")
        try:
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
            with node.capturing():
                node.until(node.ticks(200))
                assert not node.journals()
                subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
                node.until(lambda: _no_trouble(disk / "node.capture" / "state.json"))
                node.until(node.ticks(100))
            _whole(node)
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=False)


def _no_trouble(path: Path) -> bool:
    state = capture_state.read(path)
    return state is not None and all(source.durable and not source.trouble for source in state.sources)


def _dropped(path: Path) -> int:
    state = capture_state.read(path)
    return sum(source.dropped for source in state.sources) if state else 0
