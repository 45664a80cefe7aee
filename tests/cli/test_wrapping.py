"""Lines and tables as wide as the terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulltape.terminal import wrapping

HEAD = ("source", "symbol", "rows", "state")
ROWS = [("alpaca.sip", "AAPL", "1,234", "final"), ("massive.sip", "IBM", "7", "provisional, 3 unverifiable")]


@given(
    words=st.lists(st.text("abc/=.", min_size=1, max_size=30), min_size=1, max_size=30),
    label=st.sampled_from(["", "  fact          ", "coverage  ", "    71 done         "]),
    width=st.integers(40, 200),
)
def test_nothing_is_lost_and_what_can_be_cut_fits(words: list[str], label: str, width: int) -> None:
    line = label + " ".join(words)
    found = wrapping.wrapped(line, width)
    assert " ".join(found).split() == line.split()
    for piece in found:
        assert len(piece) <= width or len(piece.split()) <= 1 + len(label.split())
    assert wrapping.wrapped(line, None) == [line]


def test_a_line_goes_on_under_what_follows_its_label() -> None:
    line = "coverage  12,464 of 12,464 cells held, 0 partly, 0 missing"
    assert wrapping.wrapped(line, 40) == [
        "coverage  12,464 of 12,464 cells held, 0",
        "          partly, 0 missing",
    ]


def test_a_table_that_fits_has_its_columns_below_each_other() -> None:
    assert wrapping.table(HEAD, ROWS, width=80, lead=2, right=("rows",)) == [
        "source       symbol   rows  state",
        "alpaca.sip   AAPL    1,234  final",
        "massive.sip  IBM         7  provisional, 3 unverifiable",
    ]


@pytest.mark.parametrize("width", [30, 50])
def test_a_table_that_is_too_wide_names_its_cells(width: int) -> None:
    found = wrapping.table(HEAD, ROWS, width=width, lead=2, right=("rows",))
    assert found[:2] == ["alpaca.sip  AAPL", "    rows: 1,234; state: final"]
    assert max(map(len, found)) <= width
    assert wrapping.table(HEAD, [], width=width, lead=2) == []
