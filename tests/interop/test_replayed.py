"""Clients that others wrote for the live vendors, on a recording: they hear what was heard then, by another address alone."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recorded import START, channel, tape
from test_played import playing

from fulltape.replay.run import ReplaySettings
from fulltape.simulator import registry
from fulltape.simulator.protocol import Talk
from fulltape.simulator.ticks import Tick, iso

STREAMED = Path(__file__).parent / "streamed"
CLIENTS = Path(__file__).parents[2] / ".interop"
COUNT = 40


def ticks(*, plain: bool = False) -> list[Tick]:
    """One every 50 milliseconds; with `plain` one a second."""
    pause = 10**9 if plain else 50_000_000
    return [
        Tick(
            at=START + number * pause,
            price=100 + number / 100,
            size=float(1 + number % 7),
            aggressor="buy" if number % 2 else "sell",
            trade_id=1_000 + number,
        )
        for number in range(COUNT)
    ]


def messages(vendor: str, kinds: dict[str, tuple[str, ...]]) -> list[bytes]:
    """What the vendor sends who has subscribed to all of this, ticks of all symbols in turn."""
    protocol = registry.streams()[vendor]
    wire = protocol(frozenset(kinds))
    talk = Talk(subscribed={(kind, symbol) for symbol, named in kinds.items() for kind in named})
    talk.requests = {f"tick {symbol}": {"ticks": symbol, "subscribe": 1, "req_id": 77} for symbol in kinds}
    said = [wire.tick(talk, symbol, tick) for tick in ticks(plain=protocol.plain) for symbol in kinds]
    return [message for message in said if message is not None]


def mixed(said: list[bytes]) -> list[bytes]:
    """Arrays of two symbols in one message, as vendors send them at busy times."""
    rows = [json.loads(message) for message in said]
    return [json.dumps([*one, *other]).encode() for one, other in zip(rows[::2], rows[1::2], strict=True)]


STOCKS: dict[str, tuple[str, ...]] = {"AAPL": ("trades", "quotes"), "MSFT": ("trades", "quotes")}
CASES: dict[str, tuple[str, str, dict[str, tuple[str, ...]], str, int]] = {
    "alpaca_stream": ("clients", "alpaca.iex", STOCKS, "alpaca", 2 * COUNT),
    "massive_stream": ("clients", "massive.sip", {"AAPL": ("T", "Q"), "MSFT": ("T",)}, "massive", COUNT),
    "deriv_stream": ("deriv", "deriv.synthetic", {"R_100": ("tick",), "R_50": ("tick",)}, "deriv", COUNT),
    "ccxt_stream": (
        "clients",
        "binance.spot",
        {"BTC/USDT": ("trade",), "ETH/USDT": ("trade",)},
        "binance",
        COUNT,
    ),
}


def expected(client: str) -> list[list[Any]]:
    """What each client makes of it."""
    if client == "alpaca_stream":
        rows: list[list[Any]] = []
        for tick in ticks():
            at = iso(tick.at)[:-1].rstrip("0").rstrip(".")
            rows += [["trade", "AAPL", at, tick.price, tick.size], ["quote", "MSFT", at]]
        return rows
    if client == "massive_stream":
        return [
            ["T", "AAPL", tick.at // 1_000_000, tick.price, tick.size, str(tick.trade_id)] for tick in ticks()
        ]
    if client == "deriv_stream":
        return [["R_100", tick.at // 10**9, tick.price] for tick in ticks(plain=True)]
    return [
        [str(tick.trade_id), tick.at // 1_000_000, tick.price, tick.size, tick.aggressor] for tick in ticks()
    ]


@pytest.mark.parametrize("client", CASES)
def test_a_client_hears_what_was_heard_then(tmp_path: Path, client: str) -> None:
    environment, source, kinds, vendor, count = CASES[client]
    python = CLIENTS / environment / "bin" / "python"
    if not python.exists():
        pytest.skip("the clients' environments are not there: run `make .interop/.clients .interop/.deriv`")
    said = messages(vendor, kinds)
    said = mixed(said) if vendor in ("alpaca", "massive") else said
    names = tuple(kinds)
    with tape(tmp_path, source, [channel(name, name) for name in names]) as made:
        made.event("confirmed", 1, channels=names)
        made.heard(*((10 + number, content) for number, content in enumerate(said)))
    ready = threading.Event()

    def everything() -> int:
        assert ready.wait(60)
        return 1 << 40

    with playing(ReplaySettings(root=tmp_path, step=everything)) as (urls, watching, done):
        with subprocess.Popen(
            [python, STREAMED / f"{client}.py", urls[source], str(count)], stdout=subprocess.PIPE, text=True
        ) as process:
            (server,) = watching.known
            until(lambda: server.subscribed >= (2 if client == "alpaca_stream" else 1))
            ready.set()
            heard = json.loads(process.communicate(timeout=60)[0])
        done()
    wanted_rows = expected(client)
    assert len(heard) == len(wanted_rows)
    for row, wished in zip(heard, wanted_rows, strict=True):
        assert [cut(value, other) for value, other in zip(row, wished, strict=False)] == wished


def cut(value: Any, like: Any) -> Any:
    """Moments as text may have more digits and a zone."""
    return value[: len(like)] if isinstance(value, str) and isinstance(like, str) and "T" in like else value


def until(happened: Callable[[], bool]) -> None:
    """Wait for something; fail where it does not come."""
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
