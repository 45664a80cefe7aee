"""A stream whose vendor's library holds the socket: interruptions of many channels are one change of the journal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from fulltape.capture import plan, sdk_stream
from fulltape.capture.connection import VendorAddress
from fulltape.capture.queue import MessageQueue
from fulltape.capture.sdk_stream import SdkStream
from fulltape.contract.streams import Channel, SdkMessage, Stream

CHANNELS = [f"S{number}/USDT" for number in range(200)]
STREAM = Stream(
    source="ccxt.some",
    host="some",
    path="",
    channels=tuple(
        Channel(name=name, dataset="crypto_trades", symbol=name, wire=name, detail="trades")
        for name in CHANNELS
    ),
    control=b"",
    route=b"(.*)",
    converse=lambda channels: iter(()),  # type: ignore[arg-type, return-value]
    pulled=True,
)


def changes(connections: Sequence[Sequence[str]], *, refused: Sequence[str] = ()) -> list[int]:
    """On which connection, counted from 1, each change was told, where these channels speak once on each of them."""
    told: list[int] = []
    begun = 0
    over = asyncio.Event()

    async def feed(stream: Stream, url: str, secrets: Mapping[str, str]) -> AsyncIterator[SdkMessage]:
        nonlocal begun
        begun += 1
        if begun > len(connections):
            over.set()
            await asyncio.Event().wait()
        for name in connections[begun - 1]:
            yield SdkMessage(channel=name, message=b"{}")
        if begun > 1:
            for name in refused:
                yield SdkMessage(channel=name, refused="delisted")
        yield SdkMessage(channel=connections[begun - 1][0], message=b"{}")

    async def run() -> None:
        stream = SdkStream(
            STREAM,
            feed,
            address=VendorAddress(url="", secrets={}, timeout=1.0),
            queue=MessageQueue(10**6),
            stale_after=60.0,
            timestamp=lambda: 1,
            gather=list,
            on_change=lambda: told.append(begun),
        )
        running = asyncio.create_task(stream.run())
        await over.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(run())
    return told


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "wait_before", lambda attempt, dice: 0.0)


def test_a_first_start_changes_nothing() -> None:
    assert changes([CHANNELS]) == []


def test_all_channels_of_a_reconnection_are_one_change() -> None:
    assert changes([CHANNELS, CHANNELS, CHANNELS]) == [2, 3]


def test_one_that_is_refused_holds_up_no_change() -> None:
    assert changes([CHANNELS, CHANNELS[1:]], refused=CHANNELS[:1]) == [2]


def test_one_that_stays_silent_holds_it_up_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert changes([CHANNELS, CHANNELS[1:]]) == [2], "until the connection ends"
    monkeypatch.setattr(sdk_stream, "_TOGETHER", 0.0)
    assert len(changes([CHANNELS, CHANNELS[1:]])) > 1
