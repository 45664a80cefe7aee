"""Every file in vendors/ goes through this by being there: paging, settling, resuming, refusals, fuzzed bytes."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import conversations
from conversations import ask, canned, talk, twin
from fulltape import vendors
from fulltape.calendars import tables
from fulltape.core import datasets, frames
from fulltape.core.vendor import RETRYABLE, Decoded, Outcome, Page, Serves
from fulltape.simulator import market as markets
from fulltape.simulator.market import Market
from fulltape.simulator.scenario import Fault, Scenario

PAIRS = [
    (source.name, serves)
    for name in vendors.names()
    for source in vendors.load(name).SPEC.sources
    for serves in source.serves
    if not source.name.endswith(".iex")
]
EVERY = pytest.mark.parametrize(
    ("source", "serves"), PAIRS, ids=[f"{name}-{serves.dataset}" for name, serves in PAIRS]
)
SPANS = {
    "equities_bars_day": ("2012-05-01", "2012-12-31"),
    "equities_bars_minute": ("2012-10-30", "2012-11-06"),
}


@pytest.fixture(scope="module")
def market() -> Market:
    return markets.sample()


def vendor_of(source: str) -> str:
    return source.partition(".")[0]


def symbols_for(serves: Serves) -> tuple[str, ...]:
    return ("AAPL", "FB", "IBM") if serves.symbols_per_request > 1 else ("AAPL",)


def decode(source: str, pages: list[Page]) -> Decoded:
    return vendors.load(vendor_of(source)).decode(pages)


def expected(market: Market, serves: Serves, symbols: tuple[str, ...]) -> set[tuple[str, int, float, float]]:
    grain = datasets.get(serves.dataset).grain
    first, last = map(dt.date.fromisoformat, SPANS[serves.dataset])
    return {
        (symbol, bar.start, bar.open, float(bar.volume))
        for symbol in symbols
        for bar in market.bars[grain, symbol]
        if first <= bar.session <= last
    }


def rows(decoded: Decoded) -> list[tuple[Any, ...]]:
    columns = decoded.columns
    return list(zip(columns["symbol"], columns["stamp"], columns["open"], columns["volume"], strict=True))


@EVERY
def test_pages_together_are_exactly_what_the_vendor_has(source: str, serves: Serves, market: Market) -> None:
    symbols = symbols_for(serves)
    asked = ask(source, serves.dataset, symbols, *SPANS[serves.dataset], rows_per_page=70)
    said = talk(asked, twin(vendor_of(source), market), most=500)
    decoded = decode(source, said.pages)
    assert len(said.pages) >= 3
    assert not decoded.rejected
    assert len(rows(decoded)) == len(set(rows(decoded)))
    assert set(rows(decoded)) == expected(market, serves, symbols)
    assert said.settled() == dict.fromkeys(symbols, asked.last)


@EVERY
def test_a_page_settles_only_sessions_whose_rows_have_all_come(
    source: str, serves: Serves, market: Market
) -> None:
    symbols = symbols_for(serves)
    asked = ask(source, serves.dataset, symbols, *SPANS[serves.dataset], rows_per_page=170)
    whole = expected(market, serves, symbols)
    grain = datasets.get(serves.dataset).grain
    session_of = {
        (symbol, bar.start): bar.session for symbol in symbols for bar in market.bars[grain, symbol]
    }
    count = len(talk(asked, twin(vendor_of(source), market), most=500).pages)
    for stop_after in range(1, count + 1):
        said = talk(asked, twin(vendor_of(source), market), stop_after=stop_after, most=500)
        have = set(rows(decode(source, said.pages)))
        settled = said.settled()
        for row in whole - have:
            symbol, stamp = row[0], row[1]
            assert not (symbol in settled and session_of[symbol, stamp] <= settled[symbol]), (row, settled)


@EVERY
def test_resumed_from_any_cursor_nothing_is_asked_or_missing_twice(
    source: str, serves: Serves, market: Market
) -> None:
    symbols = symbols_for(serves)
    asked = ask(source, serves.dataset, symbols, *SPANS[serves.dataset], rows_per_page=90)
    straight = talk(asked, twin(vendor_of(source), market), most=500)
    for stop_after in (1, len(straight.pages) // 2, len(straight.pages) - 1):
        begun = talk(asked, twin(vendor_of(source), market), stop_after=stop_after, most=500)
        rest = talk(asked, twin(vendor_of(source), market), resume=begun.answers[-1].cursor, most=500)
        assert begun.requests + rest.requests == straight.requests
        assert [page.body for page in begun.pages + rest.pages][-1][-40:] == straight.pages[-1].body[-40:]


@EVERY
def test_unknown_and_empty_are_told_apart_by_one_reference_request(
    source: str, serves: Serves, market: Market
) -> None:
    send = twin(vendor_of(source), market)
    dates = SPANS[serves.dataset]
    unknown = talk(ask(source, serves.dataset, ("ZZZZ",), *dates), send)
    assert [answer.outcome for answer in unknown.answers] == [Outcome.EMPTY, Outcome.UNKNOWN_SYMBOL]
    assert unknown.answers[-1].symbols == ("ZZZZ",)
    empty = talk(ask(source, serves.dataset, ("FB",), "2011-01-03", "2011-01-07"), send)
    assert [answer.outcome for answer in empty.answers] == [Outcome.EMPTY, Outcome.EMPTY]
    assert empty.answers[-1].confirmed == ("FB",)
    known = talk(
        ask(source, serves.dataset, ("FB",), "2011-01-03", "2011-01-07", known=frozenset({"FB"})), send
    )
    assert len(known.requests) == 1


def test_a_symbol_named_as_invalid_is_dropped_and_the_rest_asked_again(market: Market) -> None:
    asked = ask("alpaca.sip", "equities_bars_day", ("AAPL", "bad1", "IBM"), "2012-12-03", "2012-12-07")
    said = talk(asked, twin("alpaca", market))
    assert [answer.outcome for answer in said.answers][:2] == [Outcome.BAD_REQUEST, Outcome.ROWS]
    assert said.answers[0].symbols == ("bad1",)
    assert said.requests[1].params["symbols"] == "AAPL,IBM"


@pytest.mark.parametrize(
    ("vendor", "status", "body", "outcome"),
    [
        ("alpaca", 401, b"", Outcome.BAD_CREDENTIALS),
        ("alpaca", 403, b'{"message":"forbidden."}', Outcome.BAD_CREDENTIALS),
        ("alpaca", 403, b'{"code":42210000,"message":"subscription does not permit querying recent SIP data"}', Outcome.NOT_YET),
        ("alpaca", 422, b'{"code":42210000,"message":"subscription does not permit querying recent SIP data"}', Outcome.NOT_YET),
        ("alpaca", 403, b'{"message":"subscription does not permit this"}', Outcome.NOT_ENTITLED),
        ("alpaca", 400, b'{"message":"invalid timeframe"}', Outcome.BAD_REQUEST),
        ("alpaca", 429, b"too many requests", Outcome.RATE_LIMITED),
        ("alpaca", 500, b"<html>", Outcome.TRANSIENT),
        ("alpaca", 504, b"", Outcome.TRANSIENT),
        ("massive", 401, b'{"status":"ERROR","error":"Unknown API Key"}', Outcome.BAD_CREDENTIALS),
        ("massive", 403, b'{"status":"NOT_AUTHORIZED","message":"You are not entitled to this data."}', Outcome.NOT_ENTITLED),
        ("massive", 403, b'{"status":"NOT_AUTHORIZED","message":"Your plan doesn\'t include this data timeframe."}', Outcome.NOT_SUPPORTED),
        ("massive", 403, b'{"status":"NOT_AUTHORIZED","message":"Attempted to request today\'s data before end of day."}', Outcome.NOT_YET),
        ("massive", 429, b'{"status":"ERROR","error":"You\'ve exceeded the maximum requests per minute"}', Outcome.RATE_LIMITED),
        ("massive", 400, b'{"status":"ERROR","error":"bad"}', Outcome.BAD_REQUEST),
        ("massive", 502, b"", Outcome.TRANSIENT),
    ],
)  # fmt: skip
def test_every_error_answer_is_mapped(vendor: str, status: int, body: bytes, outcome: Outcome) -> None:
    asked = ask(f"{vendor}.sip", "equities_bars_day", ("AAPL",), "2012-12-03", "2012-12-07")
    said = talk(asked, canned(body, status=status))
    assert said.answers[-1].outcome is outcome
    assert not said.pages


@EVERY
def test_a_retryable_answer_leads_to_the_same_request_again(source: str, serves: Serves) -> None:
    asked = ask(source, serves.dataset, ("AAPL",), *SPANS[serves.dataset])
    conversation = vendors.load(vendor_of(source)).history(asked, None)
    first = next(conversation)
    for status, body in ((429, b""), (503, b""), (200, b"{")):
        answer = conversation.send(conversations.canned(body, status=status)(first))  # type: ignore[arg-type]
        assert answer.outcome in RETRYABLE  # type: ignore[union-attr]
        assert next(conversation) == first


def test_rate_limit_headers_are_read(market: Market) -> None:
    scenario = Scenario(
        limits={"alpaca": 7}, fault=[Fault(vendor="alpaca", do="rate_limit", requests=(2,), wait=3)]
    )
    asked = ask("alpaca.sip", "equities_bars_day", ("AAPL",), "2012-01-03", "2012-12-31", rows_per_page=200)
    said = talk(asked, twin("alpaca", market, scenario))
    assert said.answers[0].allowed_per_minute == 7
    assert said.answers[1].outcome is Outcome.RATE_LIMITED
    assert said.answers[1].retry_at


def test_requests_carry_no_credentials_and_ask_for_unadjusted_unmapped_prices(market: Market) -> None:
    (one,) = talk(
        ask("alpaca.sip", "equities_bars_day", ("AAPL",), "2012-12-03", "2012-12-07"), twin("alpaca", market)
    ).requests
    assert one.params["adjustment"] == "raw"
    assert one.params["asof"] == "-"
    assert one.params["end"].endswith(".999999999Z")
    (two,) = talk(
        ask("massive.sip", "equities_bars_day", ("AAPL",), "2012-12-03", "2012-12-07"),
        twin("massive", market),
    ).requests
    assert two.params["adjusted"] == "false"
    assert not {"apiKey", "token", "key"} & {*one.params, *two.params}


def test_bytes_of_another_symbol_or_of_adjusted_prices_are_never_taken() -> None:
    other = b'{"bars":{"IBM":[]},"next_page_token":null}'
    asked = ask("alpaca.sip", "equities_bars_day", ("AAPL",), "2012-12-03", "2012-12-07")
    assert talk(asked, canned(other)).answers[-1].outcome is Outcome.MALFORMED
    asked = ask("massive.sip", "equities_bars_day", ("AAPL",), "2012-12-03", "2012-12-07")
    for body in (
        b'{"status":"OK","ticker":"IBM"}',
        b'{"status":"OK","ticker":"AAPL","adjusted":true}',
        b'{"status":"ERROR"}',
    ):
        assert talk(asked, canned(body)).answers[-1].outcome is Outcome.MALFORMED


def test_daylight_saving_moves_no_day_and_no_minute(market: Market) -> None:
    """The first Monday of winter time, 2012-11-05: day bars keep their date, minutes their distance to the open."""
    calendar = tables.load("XNYS")
    for source, serves in PAIRS:
        asked = ask(source, serves.dataset, ("AAPL",), "2012-11-02", "2012-11-05")
        dataset = datasets.get(serves.dataset)
        said = talk(asked, twin(vendor_of(source), market))
        frame = frames.bars(decode(source, said.pages), dataset, serves, calendar)
        assert frame["session"].unique().sort().to_list() == [dt.date(2012, 11, 2), dt.date(2012, 11, 5)]
        opens = [session.open for session in calendar.sessions if session.label in frame["session"].to_list()]
        assert frame.group_by("session").agg(frame["ts"].min()).height == 2
        assert sorted(frame.group_by("session").first()["ts"].dt.epoch("us").to_list()) == opens


def fuzzed_bodies() -> st.SearchStrategy[bytes]:
    """Bodies that look like answers and are wrong in every way."""
    junk = st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**70), 2**70)
        | st.floats(allow_nan=False)
        | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=6,
    )
    stamp = (
        st.sampled_from(
            ["2012-12-03T05:00:00Z", "2012-12-03", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "x"]
        )
        | st.integers(-(2**64), 2**64)
        | junk
    )
    value = st.floats(1, 900, allow_nan=False) | st.integers(-5, 10**6) | junk
    bar = st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("o", "h", "l", "c", "v", "n", "vw"), value) | {"t": stamp}
    )
    bars = st.lists(bar | junk, max_size=4) | junk
    alpaca = st.fixed_dictionaries(
        {},
        optional={
            "bars": st.dictionaries(st.sampled_from(["AAPL", "IBM"]), bars, max_size=2) | junk,
            "next_page_token": st.none() | st.text(max_size=3) | junk,
        },
    )
    massive = st.fixed_dictionaries(
        {},
        optional={
            "status": st.sampled_from(["OK", "DELAYED", "X"]),
            "ticker": st.sampled_from(["AAPL", ""]),
            "results": bars,
            "next_url": st.text(max_size=9) | junk,
            "adjusted": st.just(value=False) | junk,
        },
    )
    whole = (alpaca | massive | junk).map(lambda value: json.dumps(value).encode())
    return whole | whole.flatmap(lambda body: st.integers(0, len(body)).map(lambda cut: body[:cut])) | st.binary(max_size=30) | st.just(b'{"bars":{"AAPL":[{"t":NaN}]}}')  # fmt: skip


@EVERY
@settings(max_examples=300, deadline=None)
@given(body=fuzzed_bodies())
def test_no_body_ends_in_an_exception_or_in_a_row_that_breaks_the_types(
    source: str, serves: Serves, body: bytes
) -> None:
    asked = ask(source, serves.dataset, ("AAPL",), "2012-12-03", "2012-12-07", known=frozenset({"AAPL"}))
    said = talk(asked, canned(body), most=3)
    assert said.answers
    decoded = decode(source, [Page(ask=asked, number=1, status=200, body=body)])
    lengths = {len(column) for column in decoded.columns.values()}
    assert len(lengths) == 1
    frame = frames.bars(decoded, datasets.get(serves.dataset), serves, tables.load("XNYS"))
    assert frame.height == lengths.pop()
    assert frame["symbol"].null_count() == frame["close"].null_count() == frame["ts"].null_count() == 0


def test_recorded_massive_aggregates_decode_to_what_was_recorded() -> None:
    """A body from the vendor's own documentation, byte for byte."""
    body = (
        b'{"ticker":"AAPL","queryCount":2,"resultsCount":2,"adjusted":false,"status":"DELAYED","request_id":"6a7e",'
        b'"results":[{"v":135647456,"vw":74.6099,"o":74.06,"c":75.0875,"h":75.15,"l":73.7975,"t":1577941200000,"n":1},'
        b'{"v":146535512,"vw":74.7026,"o":74.2875,"c":74.3575,"h":75.145,"l":74.125,"t":1578027600000,"n":1}],'
        b'"next_url":"https://api.massive.com/v2/aggs/ticker/AAPL/range/1/day/1578114000000/2020-01-10?cursor=bGltaXQ9Mg"}'
    )
    asked = ask("massive.sip", "equities_bars_day", ("AAPL",), "2020-01-02", "2020-01-10")
    said = talk(asked, canned(body), stop_after=1)
    assert said.settled() == {"AAPL": dt.date(2020, 1, 2)}
    decoded = decode("massive.sip", said.pages)
    assert decoded.columns["close"] == [75.0875, 74.3575]
    assert decoded.columns["vwap"] == [74.6099, 74.7026]
    answer = said.answers[0]
    assert answer.cursor
    resumed = talk(asked, canned(msgspec.json.encode({"status": "OK"})), resume=answer.cursor, most=1)
    assert resumed.requests[0].path == "/v2/aggs/ticker/AAPL/range/1/day/1578114000000/2020-01-10"
    assert resumed.requests[0].params == {"cursor": "bGltaXQ9Mg", "adjusted": "false"}
