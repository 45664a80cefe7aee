"""Servers that are odd or wrong: nothing is settled that was not shown, and a passing trouble is no permanent refusal."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import cases
import pytest
from cases import market

from conversations import Send, canned, fetch, talk, twin
from fulltape import vendors
from fulltape.calendars import tables
from fulltape.contract.vendor import Outcome, Page, Request, Response
from fulltape.decoding import frames, rowwise
from fulltape.market import datasets
from fulltape.market.time import DAY, MINUTE, SECOND, iso, midnight

START = midnight(dt.date(2024, 11, 3))
CRYPTO = ("2024-11-03", "2024-11-04")


def answering(reply: Callable[[Request], Any]) -> Send:
    """A server that answers in JSON, or with the bytes or the (status, bytes) that it is told."""

    def send(request: Request) -> Response:
        found = reply(request)
        status, body = found if isinstance(found, tuple) else (200, found)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Response(status=status, headers={}, body=content, received_at=0)

    return send


def ids(number: int) -> dict[str, object]:
    timestamp = START + number * 20 * SECOND
    return {"trade_id": number, "side": "buy", "size": "1", "price": "10", "time": iso(timestamp)}


def coinbase(cap: int, *, ignores_after: bool = False, empty_at: int = 0) -> Send:
    """8,640 trades over two days, one every twenty seconds, with ids from 0."""
    last = 8_639

    def reply(request: Request) -> Any:
        limit = min(int(request.params["limit"]), cap)
        after = last + 1 if ignores_after else int(request.params.get("after", last + 1))
        if empty_at and limit > 1 and after > empty_at:
            return []
        return [ids(number) for number in range(after - 1, max(after - 1 - limit, -1), -1)]

    return answering(reply)


def test_a_page_that_the_server_caps_loses_no_trade() -> None:
    asked = fetch("coinbase.exchange", "crypto_trades", ("BTC/USD",), *CRYPTO, rows_per_page=1_000)
    said = talk(asked, coinbase(cap=100), most=2_000)
    case = next(one for one in cases.CASES if one.id == "coinbase.exchange-crypto_trades")
    rows, _ = cases.decoded_rows(case, vendors.load("coinbase").decode(said.pages))
    assert {row[3] for row in rows} == set(range(8_640))
    assert said.complete_through() == {"BTC/USD": asked.last}


@pytest.mark.parametrize("server", [coinbase(1_000, ignores_after=True), coinbase(1_000, empty_at=3_000)])
def test_trades_of_other_ids_or_none_at_all_settle_nothing(server: Send) -> None:
    asked = fetch(
        "coinbase.exchange", "crypto_trades", ("BTC/USD",), "2024-11-03", "2024-11-03", rows_per_page=1_000
    )
    said = talk(asked, server, most=200)
    assert said.answers[-1].outcome is Outcome.MALFORMED
    assert not said.complete_through()


def test_a_cursor_that_stands_still_before_the_end_is_no_end() -> None:
    body = {"error": [], "result": {"XXBTZUSD": [["1", "1", START / 1e6 + 1, "b", "m", "", 1]], "last": "0"}}
    said = talk(
        fetch("kraken.spot", "crypto_trades", ("BTC/USD",), *CRYPTO), canned(json.dumps(body).encode())
    )
    assert said.answers[-1].outcome is Outcome.MALFORMED
    assert not said.complete_through()


def candles(timestamps: list[int]) -> list[list[object]]:
    return [
        [at // 1_000, "1", "1", "1", "1", "1", at // 1_000 + 1, "1", 1, "1", "1", "0"] for at in timestamps
    ]


def klines(timestamps: list[int], limit: int) -> Send:
    def reply(request: Request) -> Any:
        if "/data/" in request.path:
            return (404, b"<Error/>")
        first, last = (int(request.params[name]) * 1_000 for name in ("startTime", "endTime"))
        return candles([at for at in timestamps if first <= at <= last][:limit])

    return answering(reply)


def test_candles_off_the_grid_are_not_stepped_over() -> None:
    seconds = (0, 60, 123, 180, 240)
    asked = fetch("binance.spot", "crypto_bars_minute", ("BTC/USDT",), "2024-11-03", "2024-11-03")
    said = talk(asked, klines([START + second * SECOND for second in seconds], 3))
    found = [row[0] for page in said.pages for row in json.loads(page.body)]
    assert found == [START // 1_000 + second * 1_000 for second in seconds]


def test_a_checksum_that_is_none_is_asked_again_and_a_young_file_is_waited_for() -> None:
    asked = fetch("binance.spot", "crypto_trades", ("BTC/USDT",), "2024-11-03", "2024-11-03")
    assert talk(asked, canned(b"")).answers[-1].outcome is Outcome.MALFORMED

    def young(_: Request) -> Response:
        return Response(status=404, headers={}, body=b"<Error/>", received_at=START + 3 * DAY)

    said = talk(asked, young)
    assert said.answers[-1].outcome is Outcome.NOT_YET
    assert not said.complete_through()


def test_after_a_day_without_a_file_the_archive_is_taken_up_again() -> None:
    def reply(request: Request) -> Any:
        if "2024-11-03" in request.path:
            return (404, b"<Error/>")
        if request.path.startswith("/data/"):
            return (500, b"")
        return []

    asked = fetch("binance.spot", "crypto_aggtrades", ("BTC/USDT",), *CRYPTO)
    said = talk(asked, answering(reply))
    assert [request.path.split("/")[1] for request in said.requests] == ["data", "api", "data"]
    assert said.complete_through() == {"BTC/USDT": dt.date(2024, 11, 3)}


def test_a_firewalls_page_names_no_symbol() -> None:
    asked = fetch("binance.spot", "crypto_bars_day", ("BTC/USDT",), *CRYPTO)
    page = answering(lambda _: (403, b"<html>ID: 8f3a-1100-77</html>"))
    assert talk(asked, page).answers[-1].outcome is Outcome.TRANSIENT
    stocks = ("equities_bars_day", ("AAPL",), "2012-12-03", "2012-12-07")
    nowhere = answering(
        lambda request: (
            (404, b"<html>404</html>") if "assets" in request.path else {"bars": {}, "next_page_token": None}
        )
    )
    said = talk(fetch("alpaca.sip", *stocks), nowhere)
    assert Outcome.UNKNOWN_SYMBOL not in {answer.outcome for answer in said.answers}
    proxy = answering(lambda _: (403, b"<html>csrf-token</html>"))
    assert talk(fetch("tiingo.eod", *stocks), proxy).answers[-1].outcome is Outcome.TRANSIENT
    wrong = answering(lambda _: (404, b"<html>404 Not found</html>"))
    said = talk(fetch("coinbase.exchange", "crypto_bars_day", ("BTC/USD",), *CRYPTO), wrong)
    assert said.answers[-1].outcome is Outcome.TRANSIENT


def test_ticks_of_one_second_at_a_pages_edge_are_all_there() -> None:
    ticks = [
        (START // SECOND + second, price)
        for second, price in ((0, 1.0), (5, 2.0), (5, 3.0), (6, 4.0), (7, 5.0))
    ]

    def reply(request: Request) -> Any:
        first, last = int(request.message["start"]), int(request.message["end"])
        found = [tick for tick in ticks if first <= tick[0] <= last][-3:]
        return {"history": {"prices": [tick[1] for tick in found], "times": [tick[0] for tick in found]}}

    asked = fetch(
        "deriv.synthetic", "synthetic_ticks", ("R_100",), "2024-11-03", "2024-11-03", rows_per_page=3
    )
    said = talk(asked, answering(reply))
    decoded = vendors.load("deriv").decode(said.pages)
    prices = [price for table in decoded.tables for price in table.columns["price"]]
    assert sorted(prices) == [1.0, 2.0, 3.0, 4.0, 5.0]  # type: ignore[type-var]
    assert said.complete_through() == {"R_100": asked.last}


def test_an_answer_about_another_symbol_is_not_taken() -> None:
    asked = fetch("deriv.synthetic", "synthetic_ticks", ("R_100",), "2024-11-03", "2024-11-03")
    body = {"echo_req": {"ticks_history": "R_50"}, "history": {"prices": [], "times": []}}
    assert talk(asked, canned(json.dumps(body).encode())).answers[-1].outcome is Outcome.MALFORMED
    assert dict(talk(asked, canned(b"{}")).requests[0].message)["req_id"]


def test_an_action_may_be_processed_before_its_ex_date_and_mergers_have_ratios() -> None:
    merger = {"id": "m", "acquirer_symbol": "B", "acquirer_rate": 2, "acquiree_symbol": "AAPL", "acquiree_rate": 3, "process_date": "2024-05-16", "effective_date": "2024-05-17"}  # fmt: skip
    body = {"corporate_actions": {"stock_mergers": [merger]}, "next_page_token": None}
    asked = fetch("alpaca.sip", "corporate_actions", ("AAPL",), "2024-05-17", "2024-05-17")
    said = talk(asked, canned(json.dumps(body).encode()))
    assert said.requests[0].params["start"] < "2024-05-01"
    (table,) = vendors.load("alpaca").decode(said.pages).tables
    assert (table.columns["ratio_old"], table.columns["ratio_new"]) == ([3.0], [2.0])


def test_a_span_before_the_first_vintage_is_empty_and_refuses_no_series() -> None:
    refusal = {"error_code": 400, "error_message": "Bad Request.  The series does not exist in ALFRED but may exist in FRED."}  # fmt: skip

    def reply(request: Request) -> Any:
        if request.params.get("realtime_start") == "1776-07-04":
            return {"vintage_dates": ["1991-12-04"], "count": 393}
        return (400, refusal)

    asked = fetch("fred.alfred", "macro_series", ("GDP",), "1985-01-01", "1985-12-31")
    said = talk(asked, answering(reply))
    assert {answer.outcome for answer in said.answers} == {Outcome.EMPTY}
    assert said.complete_through() == {"GDP": asked.last}
    without = answering(lambda request: {"seriess": []} if request.path == "/fred/series" else (400, refusal))
    last = talk(asked, without).answers[-1]
    assert (last.outcome, last.symbols) == (Outcome.NOT_SUPPORTED, ("GDP",))


def test_a_whole_markets_day_leads_to_no_look_up_of_those_who_are_in_it() -> None:
    asked = fetch("massive.sip", "equities_bars_day", ("AAPL", "FB", "IBM"), "2012-12-03", "2012-12-03")
    said = talk(asked, twin("massive", market()))
    assert len(said.requests) == 1
    assert said.complete_through() == dict.fromkeys(asked.symbols, asked.last)


def test_a_day_without_prices_has_no_bar_whatever_its_volume_says() -> None:
    chart = {"timestamp": [1704205800], "indicators": {"quote": [{"open": [None], "high": [None], "low": [None], "close": [None], "volume": [0]}]}}  # fmt: skip
    body = json.dumps({"chart": {"result": [chart], "error": None}}).encode()
    said = talk(
        fetch("yahoo.chart", "equities_adjusted_evidence", ("AAPL",), "2024-01-02", "2024-01-03"),
        canned(body),
    )
    assert not [
        row for table in vendors.load("yahoo").decode(said.pages).tables for row in table.columns["timestamp"]
    ]


def exchange(timestamps: list[int], limit: int, *, newest_only: bool = False) -> Send:
    """Binance's API as ccxt asks it, with its own list of markets."""
    markets = twin("binance", market())

    def send(request: Request) -> Response:
        if request.path.endswith("exchangeInfo"):
            return markets(request)
        since = int(request.params["startTime"]) * 1_000
        found = (
            timestamps[-limit:]
            if newest_only
            else [at for at in timestamps if since <= at < since + limit * MINUTE]
        )
        return Response(status=200, headers={}, body=json.dumps(candles(found)).encode(), received_at=0)

    return send


def test_through_ccxt_an_empty_window_ends_nothing() -> None:
    timestamps = [START + minute * MINUTE for minute in (*range(300), *range(900, 2_880))]
    asked = fetch("ccxt.binance", "crypto_bars_minute", ("BTC/USD",), *CRYPTO, rows_per_page=100)
    said = talk(asked, exchange(timestamps, 100), most=200)
    found = {row[0] for page in said.pages for row in json.loads(page.body)}
    assert found == {at // 1_000 for at in timestamps}


def test_through_ccxt_the_newest_rows_are_no_answer_to_an_old_question() -> None:
    timestamps = [START + minute * MINUTE for minute in range(2_000, 2_880)]
    asked = fetch("ccxt.binance", "crypto_bars_minute", ("BTC/USD",), *CRYPTO, rows_per_page=720)
    said = talk(asked, exchange(timestamps, 720, newest_only=True))
    assert said.answers[-1].outcome is Outcome.NOT_SUPPORTED
    assert not said.complete_through()


def test_a_stamp_a_hair_before_1970_is_no_stamp() -> None:
    """Cut to whole microseconds it would be the first one, and the bulk of the page would be refused with it."""
    with pytest.raises(ValueError, match="no time"):
        rowwise._instant(-9.569351321800885e-227, "s")


def test_one_bad_trade_costs_no_other_and_no_nanosecond() -> None:
    alpaca = (
        b'{"trades":{"AAPL":[{"t":"2021-02-22T15:51:45.335689322Z","x":"D","p":126.5,"s":1,"c":["@","I"],"i":1,"z":"C"},'
        b'{"t":"2021-02-22T15:51:46Z","x":"D","p":"dear","s":1,"c":["@"],"i":2,"z":"C"}]},"next_page_token":null}'
    )
    massive = (
        b'{"status":"OK","results":[{"conditions":[12,37],"exchange":4,"id":"1","price":9.5,"sip_timestamp":1614009105335689322,'
        b'"size":1,"tape":3},{"conditions":[12],"exchange":4,"id":"2","price":"dear","sip_timestamp":1614009105335689323,"size":1}]}'
    )
    for name, body, conditions in (("alpaca.sip", alpaca, "@,I"), ("massive.sip", massive, "12,37")):
        vendor = vendors.load(name.partition(".")[0])
        asked = fetch(name, "equities_trades", ("AAPL",), "2021-02-22", "2021-02-22")
        decoded = vendor.decode([Page(fetch=asked, number=1, status=200, body=body)])
        source = vendor.SPEC.source(name)
        assert source
        capability = source.of("equities_trades")
        assert capability
        dataset = datasets.get("equities_trades")
        frame, rejected = frames.rows(decoded, dataset, capability, tables.load(dataset.calendar))
        assert [one.rows for one in rejected] == [1]
        assert frame["conditions"].to_list() == [conditions]
        assert frame["ts_event"].dt.epoch("ns").to_list() == [1614009105335689322]


def test_a_side_without_an_order_is_zero() -> None:
    vendor = vendors.load("massive")
    asked = fetch("massive.sip", "equities_quotes", ("AAPL",), "2021-02-22", "2021-02-22")
    body = b'{"status":"OK","results":[{"ask_exchange":12,"ask_price":9.5,"ask_size":100,"sip_timestamp":1614009105335689322}]}'
    source = vendor.SPEC.source("massive.sip")
    assert source
    capability = source.of("equities_quotes")
    assert capability
    dataset = datasets.get("equities_quotes")
    decoded = vendor.decode([Page(fetch=asked, number=1, status=200, body=body)])
    frame, rejected = frames.rows(decoded, dataset, capability, tables.load(dataset.calendar))
    assert not rejected
    assert frame.select("bid", "bid_size", "ask").row(0) == (0.0, 0.0, 9.5)


@pytest.mark.parametrize("body", [b'{"notice":"we have moved"}', b'{"data":{"rows":{}}}', b"{}"])
def test_through_ccxt_a_body_of_another_shape_is_no_empty_answer(body: bytes) -> None:
    markets = exchange([], 100)

    def send(request: Request) -> Response:
        if request.path.endswith("exchangeInfo"):
            return markets(request)
        return Response(status=200, headers={}, body=body, received_at=0)

    asked = fetch("ccxt.binance", "crypto_bars_minute", ("BTC/USD",), *CRYPTO, rows_per_page=100)
    said = talk(asked, send, most=8)
    assert said.answers[-1].outcome is Outcome.MALFORMED
    assert not said.complete_through()
