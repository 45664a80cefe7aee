"""Clients of a vendor, on what was recorded: its own words at the begin, the same bytes in the same order after it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import queue
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import websockets
from living import BINANCE, COINBASE, DERIV, KRAKEN, MASSIVE, Living, Venue, living
from recorded import START, channel, tape
from websockets.sync.client import ClientConnection, connect

from fulltape import errors
from fulltape.contract.streams import Channel
from fulltape.lake import files, journal, messages
from fulltape.lake.journal import Record, RecordKind
from fulltape.replay import reading, run
from fulltape.replay.plan import Heard, RecordedGap
from fulltape.replay.run import Replayed, ReplayObserver, ReplaySettings
from fulltape.replay.server import ReplayServer
from fulltape.simulator import registry
from nodes import needs_data

TRADES = ("btcusdt@trade", "ethusdt@trade")
CHANNELS = [channel(TRADES[0], "BTC/USDT"), channel(TRADES[1], "ETH/USDT")]


def trade(name: str, number: int) -> bytes:
    wire = name.partition("@")[0]
    return (
        f'{{"stream":"{name}","data":{{"e":"trade","s":"{wire.upper()}","t":{number}, "p":"1.50"}}}}'.encode()
    )


class Watching(ReplayObserver):
    """Hands on what happens."""

    def __init__(self) -> None:
        self.servers: queue.Queue[Sequence[ReplayServer]] = queue.Queue()
        self.known: Sequence[ReplayServer] = ()
        self.gaps: list[RecordedGap] = []

    def listening(self, servers: Sequence[ReplayServer]) -> None:
        self.known = servers
        self.servers.put(servers)

    def gap(self, source: str, gap: RecordedGap) -> None:
        self.gaps.append(gap)


@contextlib.contextmanager
def playing(settings: ReplaySettings) -> Iterator[tuple[dict[str, str], Watching, Callable[[], Replayed]]]:
    """Play in a thread: the addresses by source, what happens, and what it came to, for which one waits."""
    watching, done = Watching(), queue.Queue[Replayed]()
    thread = threading.Thread(target=lambda: done.put(asyncio.run(run.play(settings, watching))), daemon=True)
    thread.start()
    servers = watching.servers.get(timeout=20)
    yield {server.source: server.url for server in servers}, watching, lambda: done.get(timeout=60)
    thread.join(60)
    assert not thread.is_alive()


@contextlib.contextmanager
def subscribed(url: str, *names: str) -> Iterator[ClientConnection]:
    with connect(url) as client:
        client.send(json.dumps({"method": "SUBSCRIBE", "params": names, "id": 1}))
        assert json.loads(client.recv()) == {"result": None, "id": 1}
        yield client


def heard(client: ClientConnection) -> list[bytes]:
    """Everything until the connection ends."""
    got = []
    with contextlib.suppress(websockets.ConnectionClosed):
        while True:
            got.append(client.recv(decode=False))
    return got


def recording(root: Path, count: int = 200) -> list[bytes]:
    """Both streams, in turn."""
    said = [trade(TRADES[number % 2], number) for number in range(count)]
    with tape(root, "binance.spot", CHANNELS) as made:
        made.event("confirmed", 1, channels=TRADES)
        made.heard(*((10 + number, content) for number, content in enumerate(said)))
    return said


def test_a_client_gets_its_streams_byte_for_byte(tmp_path: Path) -> None:
    said = recording(tmp_path)
    with (
        playing(ReplaySettings(root=tmp_path, speed=1000)) as (urls, watching, done),
        subscribed(f"{urls['binance.spot']}/stream", TRADES[1]) as client,
    ):
        assert heard(client) == said[1::2]
        replayed = done()
    assert (replayed.messages, replayed.sent, replayed.gaps) == (200, 100, 0)
    assert (replayed.first, replayed.last) == ((START + 10 * 10**6) // 1_000, (START + 209 * 10**6) // 1_000)
    assert watching.gaps == []


def test_without_the_name_of_the_stream_the_rest_is_the_same(tmp_path: Path) -> None:
    said = recording(tmp_path)
    with (
        playing(ReplaySettings(root=tmp_path, speed=1000)) as (urls, _, done),
        connect(f"{urls['binance.spot']}/ws/{TRADES[0]}") as client,
    ):
        assert heard(client) == [content[content.index(b'"data":') + 7 : -1] for content in said[::2]]
        done()


def test_a_window_begins_and_ends_where_it_says(tmp_path: Path) -> None:
    said = recording(tmp_path)
    first, last = START + 60 * 10**6, START + 109 * 10**6
    settings = ReplaySettings(root=tmp_path, speed=1000, first=first, last=last)
    with playing(settings) as (urls, _, done), subscribed(urls["binance.spot"], *TRADES) as client:
        assert heard(client) == said[50:100]
        assert done().messages == 50


def test_two_sources_have_one_clock(tmp_path: Path) -> None:
    said = recording(tmp_path)
    match = [b'{"type":"match","trade_id":%d,"product_id":"BTC-USD"}' % number for number in range(100)]
    with tape(tmp_path, "coinbase.exchange", [channel("matches BTC-USD", "BTC/USD")]) as made:
        made.event("confirmed", 1, channels=("matches BTC-USD",))
        made.heard(*((10.5 + 2 * number, content) for number, content in enumerate(match)))
    steps: queue.Queue[int] = queue.Queue()
    with playing(ReplaySettings(root=tmp_path, step=lambda: steps.get(timeout=20))) as (urls, _, done):
        assert list(urls) == ["binance.spot", "coinbase.exchange"]
        with subscribed(urls["binance.spot"], *TRADES) as one, connect(urls["coinbase.exchange"]) as other:
            other.send(json.dumps({"type": "subscribe", "product_ids": ["BTC-USD"], "channels": ["matches"]}))
            assert json.loads(other.recv())["type"] == "subscriptions"
            for number in range(100):  # in the order of time: two of one, one of the other, in turn
                steps.put(3)
                ours = [one.recv(decode=False) for _ in range(2)]
                assert ours == said[2 * number : 2 * number + 2]
                assert other.recv(decode=False) == match[number]
        steps.put(0)
        assert done().messages == 300


def test_a_step_plays_as_many_as_are_named(tmp_path: Path) -> None:
    said = recording(tmp_path, 10)
    steps: queue.Queue[int] = queue.Queue()
    settings = ReplaySettings(root=tmp_path, step=lambda: steps.get(timeout=20))
    with playing(settings) as (urls, _, done), subscribed(urls["binance.spot"], *TRADES) as client:
        for count in (1, 1, 5, 3):
            steps.put(count)
            assert [client.recv(decode=False) for _ in range(count)] == said[:count]
            said = said[count:]
            if said:
                with pytest.raises(TimeoutError):
                    client.recv(timeout=0.05)
        steps.put(0)
        assert done().messages == 10


@pytest.mark.parametrize("gaps", ["cut", "log"])
def test_a_lost_connection_is_lost_to_its_clients(tmp_path: Path, gaps: Any) -> None:
    with tape(tmp_path, "binance.spot", CHANNELS) as made:
        made.event("confirmed", 1, 1, channels=TRADES[:1])
        made.event("confirmed", 1, 2, channels=TRADES[1:])
        made.heard((10, trade(TRADES[0], 1)))
        made.heard((11, trade(TRADES[1], 2)), connection=2)
        made.event("disconnected", 20, since=START + 15 * 10**6, reason="reset")
        made.event("confirmed", 400, 3, channels=TRADES[:1])
        made.heard((1_500, trade(TRADES[0], 3)), connection=3)
        made.heard((1_501, trade(TRADES[1], 4)), connection=2)
    with playing(ReplaySettings(root=tmp_path, gaps=gaps)) as (urls, watching, done):
        url = urls["binance.spot"]
        with subscribed(url, TRADES[0]) as lost, subscribed(url, TRADES[1]) as other:
            assert lost.recv(decode=False) == trade(TRADES[0], 1)
            if gaps == "log":
                assert heard(lost) == [trade(TRADES[0], 3)]
            else:
                with pytest.raises(websockets.ConnectionClosedError):
                    lost.recv()
                with subscribed(url, TRADES[0]) as again:
                    assert heard(again) == [trade(TRADES[0], 3)]
            assert heard(other) == [trade(TRADES[1], 2), trade(TRADES[1], 4)]
        assert done().gaps == 1
    assert [(gap.symbols, gap.why) for gap in watching.gaps] == [(("BTC/USDT",), "disconnected: reset")]


@pytest.mark.parametrize(
    ("source", "symbol", "wire", "name", "said", "hello"),
    [
        ("binance.spot", "XBT/USDT", "BTCUSDT", TRADES[0], trade(TRADES[0], 1), {"method": "SUBSCRIBE", "params": [TRADES[0]], "id": 1}),
        (
            "coinbase.exchange", "XBT/USD", "BTC-USD", "matches BTC-USD", b'{"type":"match","trade_id":1,"product_id":"BTC-USD"}',
            {"type": "subscribe", "product_ids": ["BTC-USD"], "channels": ["matches"]},
        ),
    ],
)  # fmt: skip
def test_a_symbol_that_the_node_spells_otherwise_is_played(
    tmp_path: Path, source: str, symbol: str, wire: str, name: str, said: bytes, hello: Any
) -> None:
    spelled = Channel(name=name, dataset="crypto_trades", symbol=symbol, wire=wire, detail="trades")
    with tape(tmp_path, source, [spelled]) as made:
        made.event("confirmed", 1, channels=(name,))
        made.heard((10, said))
    with playing(ReplaySettings(root=tmp_path)) as (urls, _, done), connect(urls[source]) as client:
        client.send(json.dumps(hello))
        client.recv()
        assert heard(client) == [said]
        done()


def test_what_no_client_understands_is_passed_over(tmp_path: Path) -> None:
    said = [trade(TRADES[0], 1), b"Bad Gateway", b'{"stream":"btcusdt@trade","da', b"", trade(TRADES[0], 2)]
    with tape(tmp_path, "binance.spot", CHANNELS) as made:
        made.event("confirmed", 1, channels=TRADES)
        made.heard(*((10 + number, content) for number, content in enumerate(said)))
    with (
        playing(ReplaySettings(root=tmp_path)) as (urls, _, done),
        subscribed(urls["binance.spot"], TRADES[0]) as client,
    ):
        assert heard(client) == [said[0], said[-1]]
        replayed = done()
    assert (replayed.messages, replayed.unreadable) == (2, 3)


def test_a_journal_may_be_sealed_while_it_is_played(tmp_path: Path) -> None:
    for number in (1, 2):
        with tape(tmp_path, "binance.spot", CHANNELS) as made:
            made.event("confirmed", 1, number, channels=TRADES)
            made.heard((10 + number, trade(TRADES[0], number)), connection=number)
    *_, last = sorted(path for path in files.tree(tmp_path) if path.suffix == ".journal")
    chosen = reading.sources(tmp_path, (), "", 0, 1 << 62)
    journal.pack(last, last.with_suffix(".sealed"))
    last.unlink()
    assert [item.content for item in reading.recorded(chosen[0]) if isinstance(item, Heard)] == [
        trade(TRADES[0], 1),
        trade(TRADES[0], 2),
    ]


def test_who_reads_nothing_does_not_keep_the_end_away(tmp_path: Path) -> None:
    big = [b'{"stream":"btcusdt@trade","data":"%b"}' % (b"x" * 200_000) for _ in range(60)]
    with tape(tmp_path, "binance.spot", CHANNELS) as made:
        made.event("confirmed", 1, channels=TRADES)
        for number, content in enumerate(big):
            made.heard((10 + number, content))
    with playing(ReplaySettings(root=tmp_path)) as (urls, _, done):
        port = int(urls["binance.spot"].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as deaf:
            deaf.sendall(
                b"GET /ws/btcusdt@trade HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            assert done().messages == 60


def test_what_is_no_command_ends_that_client_alone(tmp_path: Path) -> None:
    said = recording(tmp_path, 20)
    steps: queue.Queue[int] = queue.Queue()
    settings = ReplaySettings(root=tmp_path, step=lambda: steps.get(timeout=20))
    with (
        playing(settings) as (urls, _, done),
        subscribed(urls["binance.spot"], *TRADES) as client,
    ):
        for words in ("hello", '{"method":"SUBSCRIBE","params":null}', b"\x00\xff"):
            with connect(urls["binance.spot"]) as other:
                other.send(words)
                with contextlib.suppress(websockets.ConnectionClosed):
                    while True:
                        other.recv()
        with connect(urls["binance.spot"]) as split:  # a message in pieces is one
            split.send(iter(['{"method":"SUBSCRIBE",', '"params":[],"id":3}']))
            assert json.loads(split.recv()) == {"result": None, "id": 3}
        steps.put(1 << 40)
        assert heard(client) == said
        done()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"sources": ("kraken.spot",)}, "nothing was captured of kraken.spot"),
        ({"first": START - 10**15, "last": START - 10**14}, "nothing was captured in this time"),
        ({"speed": 0.0}, "a number above 0"),
        ({"sources": ("ccxt.okx",)}, "through the vendor's own library"),
        ({"sources": ("binance.spot",)}, "by several writers: node.capture, other.capture"),
    ],
)
def test_what_cannot_be_played_is_said_before_anything_listens(
    tmp_path: Path, more: dict[str, Any], words: str
) -> None:
    recording(tmp_path)
    with (
        tape(tmp_path, "ccxt.okx", CHANNELS, writer="other.capture"),
        tape(tmp_path, "binance.spot", CHANNELS, writer="other.capture"),
    ):
        settings = ReplaySettings(root=tmp_path, **{"writer": "" if "sources" in more else "node", **more})
        with pytest.raises(errors.UsageError, match=words):
            asyncio.run(run.play(settings, ReplayObserver()))


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    recording(tmp_path)
    with (
        playing(ReplaySettings(root=tmp_path, speed=1000)) as (urls, _, done),
        subscribed(urls["binance.spot"], *TRADES) as client,
    ):
        port = int(urls["binance.spot"].rpartition(":")[2])
        with pytest.raises(errors.UsageError, match=f"no server can be started at port {port}"):
            asyncio.run(run.play(ReplaySettings(root=tmp_path, port=port), ReplayObserver()))
        heard(client)
        done()


def data_of(folder: Path, venue: Venue) -> list[bytes]:
    """The data messages in the journals of a source, in the order in which they came."""
    wire = registry.streams()[venue.vendor](frozenset(venue.symbols))
    blocks = [
        messages.decode_block(record.payload)
        for path in files.tree(folder / "lake" / "journal")
        if path.suffix in (".journal", ".sealed")
        for record in journal.read(path)
        if isinstance(record, Record) and record.kind is RecordKind.MESSAGES
    ]
    stamped = [pair for block in blocks for pair in zip(block.received, block.messages(), strict=True)]
    return [
        content
        for _, content in sorted(stamped, key=lambda pair: pair[0])
        if any(piece.kinds for piece in wire.pieces(content))
    ]


def plain(content: bytes) -> Any:
    """Without what repeats the request."""
    told = json.loads(content)
    if isinstance(told, dict) and "echo_req" in told:
        for name in ("echo_req", "req_id", "subscription"):
            told.pop(name, None)
        told[told["msg_type"]].pop("id", None)
        return told
    return content


TICKS = dataclasses.replace(MASSIVE, dataset="equities_trades")


@needs_data
@pytest.mark.parametrize("venue", [BINANCE, COINBASE, KRAKEN, DERIV, TICKS], ids=lambda venue: venue.vendor)
def test_what_is_captured_of_a_replay_is_what_was_captured(tmp_path: Path, venue: Venue) -> None:
    with living(tmp_path / "first", venue, rate=100) as node:
        with node.capturing():
            node.until(node.all_live)
            node.until(node.ticks(100))
            node.stream.pause()
            node.until(lambda: node.told().durable >= node.stream.sent)
        first = data_of(node.folder, venue)
    ready = threading.Event()

    def everything() -> int:
        assert ready.wait(30)
        return 1 << 40

    settings = ReplaySettings(root=tmp_path / "first" / "node" / "lake" / "journal", step=everything)
    with (
        living(tmp_path / "second", venue, rate=0) as other,
        playing(settings) as (urls, watching, done),
    ):
        (server,) = watching.known
        pointed(other, urls[venue.source])
        with other.capturing():
            other.until(lambda: server.subscribed >= len(venue.symbols))
            ready.set()
            assert done().sent == len(first)
            other.until(lambda: len(data_of(other.folder, venue)) >= len(first))
        again = data_of(other.folder, venue)
    assert len(first) >= 100
    assert [plain(content) for content in again] == [plain(content) for content in first]


def pointed(node: Living, url: str) -> None:
    """Let a node capture from another address."""
    path = node.folder / "fulltape.toml"
    path.write_text(path.read_text().replace(node.stream.url, url))
