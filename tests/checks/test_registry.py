"""Checks are found by being there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from test_checks import ALONE, context, frame, minute, sessions

from fulltape import checks, errors
from fulltape.checks import registry
from fulltape.market import datasets


def test_every_check_that_a_dataset_names_is_there() -> None:
    assert {name for one in datasets.DATASETS.values() for name in one.checks} == set(registry.names())


def test_an_unknown_check_is_an_error_that_lists_the_known_ones() -> None:
    about = context()
    wrong = replace(about, dataset=replace(about.dataset, checks=("rows", "fullness")))
    with pytest.raises(errors.UsageError, match="no check 'fullness'") as caught:
        registry.run(frame([minute(sessions("2024-01-02", 1)[0], 0)]), ALONE, wrong)
    assert caught.value.hint.startswith("Known checks: actions, completeness, continuity, duplicates")


def test_a_new_file_is_a_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd.py").write_text(
        "from fulltape.checks import findings\n\n\ndef check(frame, beside, context):\n    return findings.none()\n"
    )
    monkeypatch.setattr(checks, "__path__", [*checks.__path__, str(tmp_path)])
    registry.names.cache_clear()
    registry._check.cache_clear()
    try:
        assert "odd" in registry.names()
        assert registry._check("odd") is not None
    finally:
        monkeypatch.undo()
        registry.names.cache_clear()
        registry._check.cache_clear()
