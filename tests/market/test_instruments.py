"""Universe files: dated symbols, and mistakes named by line."""

from __future__ import annotations

import datetime as dt

import pytest

from fulltape import errors
from fulltape.market import instruments

HEADER = "symbol,listed_from,listed_to,instrument\n"


def test_one_company_keeps_its_identity_through_its_symbols() -> None:
    text = HEADER + "WM,2009-08-05,,WASTE\nUW,1990-01-02,1998-07-16,WASTE\nWMI,1998-07-17,2009-08-04,WASTE\n"
    (waste,) = instruments.parse_universe(text, where="u.csv")
    assert waste.instrument == "WASTE"
    assert [
        waste.symbol_on(dt.date.fromisoformat(day)) for day in ("1998-07-16", "1998-07-17", "2009-08-05")
    ] == [
        "UW",
        "WMI",
        "WM",
    ]
    assert (waste.listed_from, waste.listed_to) == (dt.date(1990, 1, 2), None)


def test_an_empty_date_is_unknown_and_an_empty_instrument_is_the_symbol() -> None:
    (one,) = instruments.parse_universe(HEADER + "AAPL,,,\n\n", where="u.csv")
    assert (one.instrument, one.listed_from, one.listed_to) == ("AAPL", None, None)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("ticker\nAAPL\n", "u.csv:1"),
        (HEADER + "AAPL,yesterday,,\n", "u.csv:2"),
        (HEADER + "AAPL,,,\nBAD SYMBOL,,,\n", "u.csv:3"),
        (HEADER + "AAPL,2001-01-02,2000-01-03,\n", "u.csv:2"),
        (HEADER + "A,2000-01-03,,X\nB,2001-01-02,,X\n", "u.csv"),
    ],
)
def test_mistakes_name_file_and_line(text: str, where: str) -> None:
    with pytest.raises(errors.ConfigError) as caught:
        instruments.parse_universe(text, where="u.csv")
    assert caught.value.where == where


def test_symbols_are_those_of_the_parsed_universe() -> None:
    text = "symbol,listed_from,listed_to,instrument\n FB ,2012-05-18,2022-06-08,META\nMETA,2022-06-09,,META\n\n,,,\n"
    found = instruments.parse_universe(text.replace("\n,,,", ""), where="u")
    assert instruments.symbols_in(text, where="u") == {dated.symbol for one in found for dated in one.symbols}
    assert instruments.symbols_in("", where="u") == set()
