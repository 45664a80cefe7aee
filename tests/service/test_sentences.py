"""Counts in words."""

from __future__ import annotations

import pytest

from fulltape.service import sentences


@pytest.mark.parametrize(
    ("many", "what", "words"),
    [
        (1, "fetches", "1 fetch"),
        (2, "fetches", "2 fetches"),
        (1, "series", "1 series"),
        (1, "boxes", "1 box"),
        (1, "copies", "1 copy"),
        (1, "captured_files", "1 captured file"),
        (1_234, "rows", "1,234 rows"),
        (1, "green", "1 green"),
        (1, "out_unreachable", "1 source unreachable"),
        (2, "out_stopped", "2 sources stopped"),
    ],
)
def test_counts_are_words(many: int, what: str, words: str) -> None:
    assert sentences.counted(many, what) == words
