"""The reference table: dated symbols, ticker reuse and renames, as-of resolution, spellings, queries."""

from __future__ import annotations

import datetime as dt

import pytest

from fulltape import errors
from fulltape.export import plan
from fulltape.market import reference
from fulltape.market.reference import ReferenceEntry, ReferenceFacts


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


TABLE = reference.checked(
    [
        # FB before 2012-05-18 was another company; META is the FB of 2012.
        ReferenceEntry(instrument="FB-old", symbol="FB", first=day("1997-07-01"), last=day("2003-04-30")),
        ReferenceEntry(instrument="FB", symbol="FB", first=day("2012-05-18"), last=day("2022-06-08")),
        ReferenceEntry(instrument="FB", symbol="META", first=day("2022-06-09"), facts=ReferenceFacts(type="CS", venue="XNAS")),
        # GOOG is class A until 2014-04-02 and class C from the next day on; class A goes on as GOOGL.
        ReferenceEntry(instrument="GOOG-A", symbol="GOOG", first=day("2004-08-19"), last=day("2014-04-02")),
        ReferenceEntry(instrument="GOOG-A", symbol="GOOGL", first=day("2014-04-03"), facts=ReferenceFacts(type="CS")),
        ReferenceEntry(instrument="GOOG-C", symbol="GOOG", first=day("2014-04-03"), facts=ReferenceFacts(type="CS")),
        ReferenceEntry(instrument="SPY", symbol="SPY", first=day("1993-01-29"), facts=ReferenceFacts(type="ETF")),
        ReferenceEntry(instrument="BTC", symbol="BTC/USD", facts=ReferenceFacts(spellings={"kraken": "XBTUSD", "a.b": "B"})),
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    ("symbol", "on", "instrument"),
    [
        ("FB", "2000-01-03", "FB-old"),
        ("FB", "2012-05-18", "FB"),
        ("META", "2024-01-02", "FB"),
        ("GOOG", "2014-04-02", "GOOG-A"),
        ("GOOG", "2014-04-03", "GOOG-C"),
        ("GOOGL", "2014-04-03", "GOOG-A"),
        ("GOOG", "", "GOOG-C"),
        ("FB", "", "FB"),
    ],
)
def test_a_symbol_means_who_bore_it_that_day(symbol: str, on: str, instrument: str) -> None:
    assert reference.resolve(TABLE, symbol, day(on) if on else None) == instrument


@pytest.mark.parametrize(
    ("symbol", "on"), [("FB", "2008-01-02"), ("META", "2012-06-01"), ("NOBODY", "2020-01-02")]
)
def test_nobody_is_nobody(symbol: str, on: str) -> None:
    with pytest.raises(errors.UsageError, match="no instrument is known"):
        reference.resolve(TABLE, symbol, day(on))


def test_an_instrument_keeps_its_symbols_in_order() -> None:
    found = reference.instruments(TABLE)["FB"]
    assert [one.symbol for one in found.symbols] == ["FB", "META"]
    assert found.listed_from == day("2012-05-18")
    assert found.symbol_on(day("2022-06-08")) == "FB"
    assert found.symbol_on(day("2022-06-09")) == "META"


@pytest.mark.parametrize(
    ("instrument", "symbol", "words"),
    [
        ("X", "META", "the symbol META has two instruments"),
        ("SPY", "SPX", "the instrument SPY has two symbols"),
    ],
)
def test_no_day_has_two_meanings(instrument: str, symbol: str, words: str) -> None:
    more = ReferenceEntry(instrument=instrument, symbol=symbol, first=day("2023-01-03"))
    with pytest.raises(errors.ConfigError, match=words):
        reference.checked([*TABLE, more])


def test_spellings_are_those_of_the_source_or_of_its_vendor() -> None:
    assert reference.spelled(TABLE, "kraken.spot") == {"BTC/USD": "XBTUSD"}
    assert reference.spelled(TABLE, "a.b") == {"BTC/USD": "B"}
    assert reference.spelled(TABLE, "other.feed") == {}


def test_a_query_names_those_for_whom_all_conditions_hold() -> None:
    assert reference.chosen(TABLE, "type=ETF", "x") == {"SPY"}
    assert reference.chosen(TABLE, "type=CS venue=XNAS", "x") == {"FB"}
    assert reference.chosen(TABLE, "active=no", "x") == {"FB-old"}
    with pytest.raises(errors.ConfigError, match="no condition"):
        reference.chosen(TABLE, "size>3", "x")


def test_rows_of_a_file_are_named_by_their_line() -> None:
    rows = [{"symbol": "A", "listed_from": "2020-01-02", "tick": "0.01", "spelling:kraken": "XA"}]
    (one,) = reference.from_rows(rows, origin="f.csv", where="f.csv")
    assert (one.instrument, one.first, one.facts.tick, one.facts.spellings) == ("A", day("2020-01-02"), 0.01, {"kraken": "XA"})  # fmt: skip
    for bad, words in (({"symbol": "A", "tick": "x"}, "f.csv:2"), ({"symbol": "A", "colour": "red"}, "columns"), ({"symbol": "A", "listed_from": "2020-02-30"}, "f.csv:2")):  # fmt: skip
        with pytest.raises(errors.ConfigError, match=words):
            reference.from_rows([bad], origin="f.csv", where="f.csv")


def test_a_later_word_with_fewer_columns_drops_nothing() -> None:
    first = ReferenceEntry(
        instrument="7203.T",
        symbol="7203.T",
        facts=ReferenceFacts(venue="XTKS", currency="JPY", lot=100.0, spellings={"yahoo.chart": "7203.T"}),
        origin="a.csv",
    )
    later = ReferenceEntry(
        instrument="7203.T", symbol="7203.T", facts=ReferenceFacts(venue="XJPX"), origin="b.csv"
    )
    both = reference.completed(first, later)
    assert both.origin == "b.csv"
    assert both.facts == ReferenceFacts(
        venue="XJPX", currency="JPY", lot=100.0, spellings={"yahoo.chart": "7203.T"}
    )
    assert reference.completed(None, later) == later


def test_a_delisting_is_told_as_it_was_stated() -> None:
    rows = [
        {
            "symbol": "ENRNQ",
            "listed_to": "2004-11-17",
            "delisting_reason": "bankruptcy",
            "delisting_return": "-1",
        },
        {"symbol": "TWX", "listed_to": "2018-06-14", "delisting_reason": "merger"},
        {"symbol": "SPY"},
    ]
    listings = reference.from_rows(rows, origin="f.csv", where="f.csv")
    known = reference.delistings(listings, ["ENRNQ", "TWX", "SPY"])
    assert known == {"ENRNQ": ("bankruptcy", -1.0), "TWX": ("merger", None)}
    assert reference.delistings(listings, ["SPY"]) == {}
    later = ReferenceEntry(instrument="TWX", symbol="TWX", last=day("2018-06-14"))
    assert reference.completed(listings[1], later).facts.delisting_reason == "merger"
    wanted = reference.instruments(listings)
    table = plan.instruments(wanted, known)
    told = table.select("instrument", "delisting_reason", "delisting_return").rows()
    assert told == [("ENRNQ", "bankruptcy", -1.0), ("SPY", None, None), ("TWX", "merger", None)]
    assert "delisting_reason" not in plan.instruments(wanted, {}).columns


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"delisting_return": "-1.2", "listed_to": "2020-01-02"}, "-1 or more"),
        ({"delisting_return": "nan", "listed_to": "2020-01-02"}, "-1 or more"),
        ({"delisting_reason": "merger"}, "no listed_to"),
        ({"delisting_return": "much", "listed_to": "2020-01-02"}, "could not convert"),
    ],
)
def test_an_impossible_delisting_is_refused(row: dict[str, str], why: str) -> None:
    with pytest.raises(errors.ConfigError, match=why):
        reference.from_rows([{"symbol": "AAA", **row}], origin="f.csv", where="f.csv")
