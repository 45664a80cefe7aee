"""Answers of which not all can be sealed: a bad row among good ones, and one that waits beside one that is sealed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from journals import BEGIN, answer, node

from clocks import FakeClock
from fulltape.market.time import DAY
from fulltape.seal import run as seal

IEX, MINUTES, DAYS = "alpaca.iex", "equities_bars_minute", "equities_bars_day"
LATER = FakeClock(BEGIN + 10 * DAY)


def page(*stamps: str, **more: Any) -> dict[str, Any]:
    """Bars of AAPL that began at these moments; `more` is what the first one says otherwise."""
    prices = {"o": 10.0, "h": 10.0, "l": 10.0, "c": 10.0, "v": 5, "n": 1, "vw": 10.0}
    first, *others = ({"t": stamp, **prices} for stamp in stamps)
    return {"bars": {"AAPL": [{**first, **more}, *others]}, "next_page_token": None}


def test_a_bad_minute_costs_its_own_session_and_no_other_one(tmp_path: Path) -> None:
    with node(tmp_path, IEX, MINUTES, "AAPL") as context:
        stamps = [f"2027-01-{day}T14:{minute}:00Z" for day in (15, 19) for minute in (30, 31)]
        answer(context, IEX, MINUTES, "AAPL", page(*stamps, c=-1.0), days=5)
        assert seal.run_once(context, LATER).rows == 2
        facts = {(fact.first.day, fact.fact) for fact in context.ledger.coverage.of_dataset(MINUTES)}
        assert facts == {(15, "refused"), (19, "present")}


def test_what_was_sealed_is_not_sealed_again_while_another_answer_waits_in_its_file(tmp_path: Path) -> None:
    with node(tmp_path, IEX, MINUTES, "AAPL") as context:
        path = answer(context, IEX, MINUTES, "AAPL", page("2027-01-15T14:30:00Z"))
        unwanted = answer(context, IEX, DAYS, "AAPL", page("2027-01-15T05:00:00Z"))
        path.write_bytes(path.read_bytes() + unwanted.read_bytes())
        unwanted.unlink()
        for sealed in (1, 0, 0):
            report = seal.run_once(context, LATER)
            assert (report.fetches, report.rows, report.left_open) == (sealed, sealed, 1)
        assert path.exists()
