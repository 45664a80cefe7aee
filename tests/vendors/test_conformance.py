"""Every file in vendors/ goes through this by being there: rows, paging, settling, resuming, unknown and empty, stamps."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from cases import CASES, Case, decoded_rows, expected, market

from conversations import fetch, talk, twin
from fulltape import vendors
from fulltape.calendars import tables
from fulltape.contract.vendor import LOOK_UP, RETRYABLE, FetchRequest, Outcome, Page, PageResult, Response
from fulltape.decoding import frames
from fulltape.market import datasets
from fulltape.simulator.scenario import Fault, Scenario

EVERY = pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
BARS = pytest.mark.parametrize(
    "case",
    [case for case in CASES if datasets.get(case.capability.dataset).grain in ("day", "minute")],
    ids=lambda case: case.id,
)


def asked(case: Case, *symbols: str, pages: bool = True, **more: object) -> FetchRequest:
    return fetch(
        case.source.name,
        case.capability.dataset,
        symbols or case.symbols,
        case.first,
        case.last,
        rows_per_page=case.rows_per_page if pages else 0,
        **more,
    )


@pytest.mark.parametrize("name", vendors.names())
def test_a_vendor_declares_what_it_serves_in_the_terms_of_the_datasets(name: str) -> None:
    spec = vendors.load(name).SPEC
    assert spec.name == name
    assert spec.default_plan in spec.plans
    assert spec.documents
    assert all(url.startswith("https://") for url in spec.documents)
    for case in CASES:
        if case.vendor != name:
            continue
        assert case.source.name == f"{name}.{case.source.feed}"
        dataset = datasets.get(case.capability.dataset)
        # Prices that a source has adjusted are evidence and never raw rows.
        assert (case.capability.adjustment == "raw") != dataset.adjusted
        assert case.capability.symbols_per_request >= 1
        assert case.capability.rows_per_page >= 1
        tables.load(dataset.calendar)


@EVERY
def test_pages_together_are_exactly_what_the_vendor_has(case: Case) -> None:
    request = asked(case)
    said = talk(request, twin(case.twin, market()), most=600)
    rows, rejected = decoded_rows(case, vendors.load(case.vendor).decode(said.pages))
    assert not [one for one in rejected if one.reason != "rows on a closed day"]
    assert len(rows) == len(set(rows))
    assert inside(case, set(rows)) == expected(case)
    assert said.complete_through() == dict.fromkeys(case.symbols, request.last)


def inside(case: Case, rows: set[tuple[object, ...]]) -> set[tuple[object, ...]]:
    """Without the days of the vendor's own week that are no sessions (a Sunday of a UTC forex day)."""
    dataset = datasets.get(case.capability.dataset)
    if dataset.grain != "day":
        return rows
    calendar = tables.load(dataset.calendar)
    return {row for row in rows if isinstance(row[1], dt.date) and calendar.day(row[1]) == "session"}


@EVERY
def test_a_page_settles_only_sessions_whose_rows_have_all_come(case: Case) -> None:
    request = asked(case)
    whole = expected(case)
    dataset = datasets.get(case.capability.dataset)
    rule = tables.load(dataset.calendar).day_rule
    count = len(talk(request, twin(case.twin, market()), most=600).pages)
    for stop_after in sorted({1, 2, count // 2, count - 1} & set(range(1, count + 1))):
        said = talk(request, twin(case.twin, market()), stop_after=stop_after, most=600)
        have = inside(case, set(decoded_rows(case, vendors.load(case.vendor).decode(said.pages))[0]))
        complete_through = said.complete_through()
        for row in whole - have:
            session = (
                row[1] if isinstance(row[1], dt.date) else row[2] if isinstance(row[2], dt.date) else None
            )
            if session is None:
                assert isinstance(row[1], int)
                session = rule.session(row[1])
            assert not (row[0] in complete_through and session <= complete_through[str(row[0])]), (
                row,
                complete_through,
            )


@EVERY
def test_resumed_from_any_cursor_the_rest_comes_and_nothing_is_asked_twice(case: Case) -> None:
    request = asked(case)
    straight = talk(request, twin(case.twin, market()), most=600)
    keeping = [answer for answer in straight.answers if answer.keep]
    points = [at for at, answer in enumerate(keeping, start=1) if answer.cursor]
    for stop_after in sorted({points[0], points[len(points) // 2], points[-1]} if points else set()):
        begun = talk(request, twin(case.twin, market()), stop_after=stop_after, most=600)
        cursor = begun.answers[-1].cursor
        rest = talk(request, twin(case.twin, market()), resume=cursor, most=600)
        pages = [*begun.pages, *rest.pages]
        pages = [Page(fetch=one.fetch, number=at, status=one.status, body=one.body, memo=one.memo) for at, one in enumerate(pages, start=1)]  # fmt: skip
        rows, _ = decoded_rows(case, vendors.load(case.vendor).decode(pages))
        assert inside(case, set(rows)) == expected(case)
        assert len(rows) == len(set(rows))
        # A conversation may have to find its place again: where it looked for it, not what it found there.
        assert len(rest.pages) + len(begun.pages) == len(straight.pages)


UNSETTLED = {"alpaca.opra", "alpaca.crypto"}
"""Sources whose vendor has no way to tell an unknown symbol from one without rows."""
_UNKNOWN = {"options": "ZZZZ241115C00230000", "crypto": "ZZZ/USD", "forex": "ZZZUSD", "synthetic": "R_999"}


@EVERY
def test_an_unknown_symbol_is_told_from_an_empty_one(case: Case) -> None:
    if case.source.name in UNSETTLED:
        pytest.skip("the vendor's documents know no way to tell them apart")
    symbol = _UNKNOWN.get(case.capability.dataset.partition("_")[0], "ZZZZ")
    said = talk(asked(case, symbol, pages=False), twin(case.twin, market()), most=200)
    assert said.answers[-1].outcome is Outcome.UNKNOWN_SYMBOL, said.answers
    assert said.answers[-1].symbols == (symbol,)


@EVERY
def test_killed_in_a_look_up_the_pages_before_it_are_not_asked_again(case: Case) -> None:
    symbol = _UNKNOWN.get(case.capability.dataset.partition("_")[0], "ZZZZ")
    request = asked(case, symbol, pages=False)
    straight = talk(request, twin(case.twin, market()), most=200)
    if not straight.pages or straight.answers[-1].keep:
        pytest.skip("nothing is looked up after the pages")
    begun = talk(request, twin(case.twin, market()), stop_after=len(straight.pages), most=200)
    cursor = begun.answers[-1].cursor
    assert cursor
    rest = talk(request, twin(case.twin, market()), resume=cursor, most=200)
    assert not {asked.target for asked in begun.requests} & {asked.target for asked in rest.requests}
    if cursor.token == LOOK_UP:
        assert not rest.pages
        assert rest.answers == straight.answers[-len(rest.answers) :]


def test_killed_in_the_look_up_after_a_missing_file_only_the_symbol_is_looked_up() -> None:
    request = fetch("binance.spot", "crypto_trades", ("ZZZ/USD",), "2024-11-04", "2024-11-04")
    begun = talk(request, twin("binance", market()), stop_after=1)
    rest = talk(request, twin("binance", market()), resume=begun.answers[-1].cursor)
    assert [asked.path for asked in rest.requests] == ["/api/v3/exchangeInfo"]
    assert [answer.outcome for answer in rest.answers] == [Outcome.UNKNOWN_SYMBOL]


def test_what_is_known_to_exist_is_not_looked_up_again() -> None:
    for source in ("alpaca.sip", "massive.sip"):
        dates = ("2011-01-03", "2011-01-07")
        send = twin(source.partition(".")[0], market())
        empty = talk(fetch(source, "equities_bars_day", ("FB",), *dates), send)
        assert [answer.outcome for answer in empty.answers] == [Outcome.EMPTY, Outcome.EMPTY]
        assert empty.answers[-1].confirmed == ("FB",)
        known = talk(fetch(source, "equities_bars_day", ("FB",), *dates, known=frozenset({"FB"})), send)
        assert len(known.requests) == 1


@EVERY
def test_a_short_page_is_not_taken_for_the_last(case: Case) -> None:
    """The vendor sends a third of what fits, and says (or does not say) that there is more."""
    if not can_go_on(case):
        pytest.skip("one answer holds everything, and nothing in it says how much that is")
    scenario = Scenario(fault=[Fault(vendor=case.twin, do="short_page", times=10**6)])
    said = talk(asked(case), twin(case.twin, market(), scenario), most=3_000)
    rows, _ = decoded_rows(case, vendors.load(case.vendor).decode(said.pages))
    assert inside(case, set(rows)) == expected(case)


def can_go_on(case: Case) -> bool:
    """Whether the protocol lets a client see that a page was short."""
    whole = {"tiingo", "yahoo", "coinbase"} | ({"ccxt"} if case.source.feed == "coinbaseexchange" else set())
    one_answer = (
        case.source.name in ("kraken.spot", "ccxt.kraken") and case.capability.dataset == "crypto_bars_day"
    )
    archived = case.vendor == "binance" and case.capability.dataset == "crypto_trades"
    return case.vendor not in whole and not one_answer and not archived


@EVERY
def test_a_retryable_answer_leads_to_the_same_request_again(case: Case) -> None:
    conversation = vendors.load(case.vendor).history(asked(case), None)
    first = next(conversation)
    for status, body in ((429, b""), (503, b""), (200, b"{")):
        answer = conversation.send(Response(status=status, headers={}, body=body, received_at=0))
        if case.vendor == "binance" and status == 200 and "CHECKSUM" in first.path:  # type: ignore[union-attr]
            continue
        assert isinstance(answer, PageResult)
        assert answer.outcome in RETRYABLE, answer
        assert next(conversation) == first


@EVERY
def test_requests_carry_no_credentials(case: Case) -> None:
    said = talk(asked(case), twin(case.twin, market()), most=600)
    for one in said.requests:
        text = f"{one.path} {dict(one.params)} {dict(one.headers)} {dict(one.message)} {one.body}".casefold()
        assert not {"apikey", "api_key", "token=", "secret", "authorization"} & set(
            text.replace("'", " ").split()
        )


@BARS
def test_daylight_saving_moves_no_day_and_no_minute(case: Case) -> None:
    """Spans with the Sunday on which New York's clocks go back: every row lies in its session, at its minute."""
    dataset = datasets.get(case.capability.dataset)
    calendar = tables.load(dataset.calendar)
    said = talk(asked(case), twin(case.twin, market()), most=600)
    decoded = vendors.load(case.vendor).decode(said.pages)
    frame, _ = frames.rows(decoded, dataset, case.capability, calendar)
    frame = frame.filter(frame["session"].is_in([one.label for one in calendar.sessions]))
    hours = {one.label: one for one in calendar.sessions}
    for session, ts in frame.select("session", frame["ts"].dt.epoch("us")).iter_rows():
        span = calendar.span(session, session)
        assert span.start <= ts < span.end
        if dataset.grain == "day":
            assert ts == hours[session].open
    assert frame["session"].n_unique() >= 4


def test_the_first_minute_is_where_the_exchange_opens_in_summer_and_in_winter() -> None:
    calendar = tables.load("XNYS")
    opens = {one.label: one.open for one in calendar.sessions}
    for source in ("alpaca.sip", "massive.sip"):
        case = next(one for one in CASES if one.id == f"{source}-equities_bars_minute")
        said = talk(asked(case, "AAPL"), twin(case.twin, market()), most=600)
        decoded = vendors.load(case.vendor).decode(said.pages)
        frame, _ = frames.rows(decoded, datasets.get(case.capability.dataset), case.capability, calendar)
        for session, first in frame.group_by("session").agg(pl.col("ts").min().dt.epoch("us")).iter_rows():
            assert first == opens[session]
