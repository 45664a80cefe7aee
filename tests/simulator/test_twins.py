"""The simulated vendors: faults strike when they should, limits hold, and synthetic minutes agree with the real days."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulltape import errors, vendors
from fulltape.calendars import tables
from fulltape.clock import SystemClock
from fulltape.contract.vendor import Request, Response
from fulltape.market.time import MINUTE
from fulltape.simulator import market as markets
from fulltape.simulator import registry, run, scenario
from fulltape.simulator.minutes import Bar, synthesise
from fulltape.simulator.run import Running
from fulltape.simulator.scenario import Scenario
from fulltape.transport.http import Account, HttpClient

BARS = Request(
    path="/v2/stocks/bars",
    params={
        "symbols": "AAPL,IBM",
        "timeframe": "1Day",
        "start": "2012-12-03",
        "end": "2012-12-31",
        "limit": "15",
    },
)
AUTH = {"APCA-API-KEY-ID": "{key}", "APCA-API-SECRET-KEY": "{key}", "Authorization": "Bearer {key}"}


@pytest.fixture
def clients() -> Iterator[list[HttpClient]]:
    opened: list[HttpClient] = []
    yield opened
    for client in opened:
        client.close()


def client(
    twins: Running, opened: list[HttpClient], *, vendor: str = "alpaca", key: str = "k", timeout: float = 5
) -> HttpClient:
    account = Account(
        hosts={"data": twins.servers[vendor].url},
        auth=AUTH if key else {},
        secrets={"key": key},
        timeout=timeout,
    )
    opened.append(HttpClient(account, SystemClock()))
    return opened[-1]


def faults(*lines: str, limits: str = "") -> Scenario:
    return scenario.parse(f"{limits}\n[[fault]]\n" + "\n".join(lines), where="test")


def page(response: Response) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = json.loads(response.body)["bars"]
    return found


def test_a_hang_is_a_transport_error_and_the_next_request_is_answered(clients: list[HttpClient]) -> None:
    with run.running(markets.sample(), faults('vendor = "alpaca"', 'do = "hang"', "wait = 3.0")) as twins:
        one = client(twins, clients, timeout=0.2)
        with pytest.raises(errors.TransportError, match="ReadTimeout"):
            one.send(BARS)
        assert one.send(BARS).status == 200


def test_a_truncated_body_is_a_transport_error_never_half_a_page(clients: list[HttpClient]) -> None:
    with run.running(
        markets.sample(), faults('vendor = "alpaca"', 'do = "truncate"', "requests = [2]")
    ) as twins:
        one = client(twins, clients)
        assert one.send(BARS).status == 200
        with pytest.raises(errors.TransportError, match="RemoteProtocolError"):
            one.send(BARS)
        assert [line.whole for line in twins.log()] == [True, False]


def test_a_rate_limit_carries_the_vendors_own_headers(clients: list[HttpClient]) -> None:
    limits = "[limits]\nalpaca = 3\nmassive = 2"
    with run.running(
        markets.sample(), faults('vendor = "alpaca"', 'do = "error"', "requests = [99]", limits=limits)
    ) as twins:
        one = client(twins, clients)
        answers = [one.send(BARS) for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
        assert 0 < int(answers[3].headers["x-ratelimit-reset"]) - time.time() <= 61
        other = client(twins, clients, vendor="massive")
        path = "/v2/aggs/ticker/AAPL/range/1/day/2012-12-03/2012-12-05"
        replies = [other.send(Request(path=path, params={"adjusted": "false"})) for _ in range(3)]
        assert [answer.status for answer in replies] == [200, 200, 429]
        assert b"exceeded the maximum requests per minute" in replies[2].body


def test_without_a_key_nothing_is_served(clients: list[HttpClient]) -> None:
    with run.running(markets.sample(), Scenario()) as twins:
        assert client(twins, clients, key="").send(BARS).status == 403
        massive = client(twins, clients, vendor="massive", key="")
        assert massive.send(Request(path="/v3/reference/tickers/AAPL")).status == 401


def test_pages_hold_limit_rows_over_all_symbols_and_the_single_endpoint_gives_an_array(
    clients: list[HttpClient],
) -> None:
    with run.running(markets.sample(), Scenario()) as twins:
        one = client(twins, clients)
        first = one.send(BARS)
        assert {symbol: len(rows) for symbol, rows in page(first).items()} == {"AAPL": 15}
        token = json.loads(first.body)["next_page_token"]
        second = one.send(Request(path=BARS.path, params={**BARS.params, "page_token": token}))
        assert {symbol: len(rows) for symbol, rows in page(second).items()} == {"AAPL": 5, "IBM": 10}
        single = one.send(Request(path="/v2/stocks/IBM/bars", params=BARS.params))
        assert len(json.loads(single.body)["bars"]) == 15


@pytest.mark.parametrize(
    "change",
    [{"symbols": ""}, {"timeframe": "1Fortnight"}, {"limit": "0"}, {"limit": "10001"}, {"start": "soon"}, {"end": "9999-12-31"}, {"page_token": "???"}, {"adjustment": "all"}, {"sort": "desc"}],
)  # fmt: skip
def test_wrong_parameters_are_a_400_and_never_a_dead_connection(
    clients: list[HttpClient], change: dict[str, str]
) -> None:
    with run.running(markets.sample(), Scenario()) as twins:
        one = client(twins, clients)
        assert one.send(Request(path=BARS.path, params={**BARS.params, **change})).status == 400
        assert one.send(BARS).status == 200


def test_synthetic_minutes_agree_with_the_real_day_bars() -> None:
    market, calendar = markets.sample(), tables.load("XNYS")
    days = {
        (symbol, bar.session): bar
        for (grain, symbol), bars in market.bars.items()
        if grain == "day"
        for bar in bars
    }
    minutes: dict[tuple[str, dt.date], list[Bar]] = {}
    for (grain, symbol), bars in market.bars.items():
        for bar in bars if grain == "minute" else ():
            minutes.setdefault((symbol, bar.session), []).append(bar)
    assert len(minutes) == 5 * 62
    for key, bars in minutes.items():
        day, position = days[key], calendar.position(key[1])
        assert position is not None
        session = calendar.sessions[position]
        assert (bars[0].open, bars[-1].close) == (day.open, day.close)
        assert (max(bar.high for bar in bars), min(bar.low for bar in bars)) == (day.high, day.low)
        assert sum(bar.volume for bar in bars) == day.volume
        assert bars[0].start == session.open
        assert bars[-1].start == session.close - MINUTE
        assert len(bars) <= calendar.expected_minutes(position)
    assert len(minutes["AAPL", dt.date(2012, 12, 24)]) == len(minutes["AAPL", dt.date(2012, 11, 23)]) == 210


@given(st.integers(0, 10_000), st.floats(0, 0.3))
def test_synthetic_minutes_are_the_same_for_the_same_seed(seed: int, thinness: float) -> None:
    session = tables.load("XNYS").sessions[5_000]
    day = Bar(start=0, session=session.label, open=10.0, high=11.0, low=9.5, close=10.5, volume=1_000_000)
    made = synthesise("X", day, session, seed=seed, thinness=thinness)
    assert made == synthesise("X", day, session, seed=seed, thinness=thinness)
    assert all(
        9.5 <= bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high <= 11.0
        for bar in made
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[fault]]\nvendor = "nobody"\ndo = "error"', "names the vendor 'nobody'"),
        ('[[fault]]\nvendor = "alpaca"\ndo = "explode"', "is no scenario"),
        ('[[fault]]\nvendor = "alpaca"\ndo = "error"\nwhen = 3', "is no scenario"),
        ("[[fault", "is no scenario"),
    ],
)
def test_a_wrong_scenario_says_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(errors.ConfigError, match=words):
        scenario.parse(text, where="s.toml", vendors=list(registry.vendors()))


def test_simulated_vendors_and_streams_are_found_by_being_there() -> None:
    assert set(registry.streams()) <= set(registry.vendors()) <= set(vendors.names())
    assert all(one.vendor == name for name, one in registry.vendors().items())
    assert all(one.vendor == name for name, one in registry.streams().items())
    with pytest.raises(errors.UsageError, match="no simulated 'bloomberg'") as caught:
        registry.vendor("bloomberg")
    assert caught.value.hint == f"Known: {', '.join(sorted(registry.vendors()))}."
