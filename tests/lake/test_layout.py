"""Names that cannot leave their folder."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulltape import errors
from fulltape.lake import layout
from fulltape.lake.layout import Layout
from fulltape.market import symbols
from fulltape.market.dataset import Folder


@given(st.text(min_size=1, max_size=30))
def test_any_text_becomes_one_safe_component_and_comes_back(text: str) -> None:
    name = symbols.path_name(text)
    assert "/" not in name
    assert name not in {"", ".", ".."}
    assert not name.startswith(".")
    if "~~" not in name:
        assert symbols.from_path_name(name) == text


@given(st.text(max_size=20), st.text(max_size=20))
def test_different_texts_have_different_names_even_where_case_is_lost(one: str, other: str) -> None:
    if one and other and one != other:
        assert symbols.path_name(one).upper() != symbols.path_name(other).upper()


@pytest.mark.parametrize("symbol", ["../../etc", "BRK/B", "..", "a\x00b", "~"])
def test_part_names_stay_inside(symbol: str) -> None:
    name = layout.part_name(dt.date(2024, 1, 2), dt.date(2024, 1, 3), (symbol,), "0123456789")
    folder = Path("/lake/raw")
    assert (folder / name).parent == folder
    assert ".." not in Path(name).parts


@pytest.mark.parametrize("source", ["../x", "a/b", "", "UPPER", "a..b", ".hidden"])
def test_sources_that_are_no_identifiers_are_refused(source: str, tmp_path: Path) -> None:
    with pytest.raises(errors.UsageError, match="cannot name a folder"):
        Layout(root=tmp_path).rejected(source, "ask", 1, "0123456789")


@pytest.mark.parametrize(
    ("folder", "key"), [("year", "year=2012"), ("month", "month=2012-02"), ("date", "date=2012-02-29")]
)
def test_a_folder_knows_its_days(folder: Folder, key: str) -> None:
    day = dt.date(2012, 2, 29)
    assert layout.folder_key(folder, day) == key
    first, last = layout.days_of(folder, key)
    assert first <= day <= last
    assert layout.folder_key(folder, first) == layout.folder_key(folder, last) == key
    assert layout.folder_key(folder, last + dt.timedelta(days=1)) != key
