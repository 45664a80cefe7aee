"""What networks and venues do to a connection, and what the node makes of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest
from living import BINANCE, COINBASE, DERIV, KRAKEN, Living, Venue, living, promised

from fulltape.contract.streams import Stream, Subscription
from fulltape.lake import journal, messages
from fulltape.lake.journal import JournalDamage, RecordKind
from fulltape.vendors.binance import live as binance


def _fault(do: str, vendor: str = "binance", /, **more: float) -> str:
    lines = "".join(f"{name} = {value}\n" for name, value in more.items())
    return f'[[fault]]\nvendor = "{vendor}"\ndo = "{do}"\n{lines}'


def _whole(node: Living) -> None:
    node.seal()
    node.heal()
    found = node.curated()
    promised(found, node.truth(), node.venue)
    assert {state for _, state, _ in node.intervals()} <= {"verified"}


@pytest.mark.parametrize("venue", [BINANCE, KRAKEN], ids=lambda venue: venue.vendor)
def test_a_mute_socket_is_noticed_by_its_own_cadence(tmp_path: Path, venue: Venue) -> None:
    with living(tmp_path, venue, _fault("mute", venue.vendor, after=1.5)) as node:
        with node.capturing():
            node.until(lambda: node.stream.connections == 2 and bool(node.stream.sessions), 40)
            node.until(node.ticks(60))
            node.stream.pause()
        node.seal()
        assert "stale" in {kind for kind, _, _ in node.intervals()}
        _whole(node)


@pytest.mark.parametrize(
    ("do", "more"),
    [
        ("cut_frame", {"times": 2}),
        ("kick", {"times": 2}),
        ("hole", {"count": 7, "times": 2}),
        ("disorder", {"times": 10, "every": 0.05}),
        ("unknown", {"times": 3, "every": 0.2}),
    ],
    ids=str,
)
def test_what_goes_wrong_on_the_way_is_put_right(tmp_path: Path, do: str, more: dict[str, float]) -> None:
    with living(tmp_path, BINANCE, _fault(do, after=1.0, **more)) as node:
        with node.capturing():
            node.until(node.ticks(250))
            node.until(lambda: bool(node.stream.sessions) and bool(node.stream.sessions[0].talk.subscribed))
            node.until(node.ticks(60))
            node.stream.pause()
        report = node.seal()
        assert report.captured.unknown == (3 if do == "unknown" else 0)
        if do == "hole":
            assert {"sequence break"} == {kind for kind, _, _ in node.intervals()}
        _whole(node)


@pytest.mark.parametrize("venue", [BINANCE, COINBASE, DERIV], ids=lambda venue: venue.vendor)
def test_what_is_told_again_after_a_reconnect_counts_once(tmp_path: Path, venue: Venue) -> None:
    with living(tmp_path, venue, _fault("repeat", venue.vendor, after=0.5, count=30)) as node:
        with node.capturing():
            for _ in range(2):
                node.until(node.ticks(60))
                node.break_all()
            node.until(node.ticks(60))
            node.stream.pause()
        _whole(node)
        assert node.intervals()


def test_compressed_messages_are_messages(tmp_path: Path) -> None:
    with living(tmp_path, BINANCE, extra="compress = true\n", compress=True) as node:
        with node.capturing():
            node.until(node.ticks(120))
            assert all(session.compressed for session in node.stream.sessions)
            node.stream.pause()
        assert node.stream.sent > 0
        _whole(node)


def test_too_many_connections_keep_us_away(tmp_path: Path) -> None:
    with living(tmp_path, COINBASE, _fault("too_many", "coinbase", times=1)) as node, node.capturing():
        node.until(lambda: node.stream.connections == 1)
        node.until(node.ticks(100))
        assert node.stream.connections == 1, "there was a storm"
        assert "429" in node.told().reason


def test_a_connection_is_renewed_before_it_is_cut_and_nothing_is_doubtful(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = binance.streams

    def short(source: str, subscriptions: Sequence[Subscription]) -> list[Stream]:
        return [dataclasses.replace(one, lifetime=2.0) for one in genuine(source, subscriptions)]

    monkeypatch.setattr("fulltape.vendors.binance.streams", short)
    with living(tmp_path, BINANCE, rate=200) as node:
        with node.capturing():
            node.until(lambda: node.stream.connections >= 3)
            node.until(lambda: len(node.stream.sessions) == 1)
            node.until(lambda: (node.told().state, node.told().reason) == ("live", ""))
            node.until(node.ticks(60))
            node.stream.pause()
        node.seal()
        assert not node.intervals()
        found = node.curated()
        promised(found, node.truth(), node.venue)


def test_a_library_that_holds_the_socket_is_one_more_source(tmp_path: Path) -> None:
    """ccxt.pro against the simulated vendor of one of its exchanges; nobody has a history to ask, and the interval says so."""
    venue = Venue(
        "ccxt",
        "ccxt.binance",
        "crypto_trades",
        ("BTC/USDT", "ETH/USDT"),
        twin="binance",
        history="kraken.spot",
    )
    with living(tmp_path, venue, rate=60, extra="[vendor.kraken]\n") as node:
        with node.capturing():
            node.until(node.all_live, 90)
            # Not at some second: loading the library takes as long as the machine likes.
            node.break_all()
            node.until(node.ticks(100))
            node.stream.pause()
        report = node.seal()
        assert report.captured.rows > 100
        assert report.captured.unknown == report.captured.broken == 0
        assert {state for _, state, _ in node.intervals()} == {"unverifiable"}
        found = node.curated().select("symbol", "trade_id", "price", "size", "aggressor")
        truth = node.truth().select("symbol", "trade_id", "price", "size")
        assert found.height > 100
        assert found.drop("aggressor").join(truth, on=truth.columns, how="anti").is_empty()
        assert not found["aggressor"].null_count()


def test_a_quiet_symbol_is_no_alarm(tmp_path: Path) -> None:
    """One symbol trades all the time, the other one never."""
    with living(tmp_path, BINANCE, rate=60) as node:
        node.tape.prices.pop("ETH/USDT")
        with node.capturing():
            node.until(node.ticks(300))
            node.stream.pause()
        assert node.stream.connections == 1
        events = [
            messages.decode_event(item.payload).what
            for path in node.journals()
            for item in journal.read(path)
            if not isinstance(item, JournalDamage) and item.kind is RecordKind.MARK
        ]
        assert "stale" not in events


def test_a_stream_is_live_also_where_a_refusal_comes_last(tmp_path: Path) -> None:
    with living(tmp_path, KRAKEN) as node:
        settings = node.folder / "fulltape.toml"
        settings.write_text(
            settings.read_text().replace("symbols = [", 'symbols = ["BTC/USD", "NONE/USD"] # [', 1)
        )
        with node.capturing():
            node.until(lambda: node.told().state == "live")
            assert "NONE/USD" in node.told().reason
            assert {channel.symbol: channel.live for channel in node.told().channels} == {
                "BTC/USD": True,
                "NONE/USD": False,
            }
