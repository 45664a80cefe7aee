"""What was captured speaks against a vendor's empty answer."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from fulltape.clock import SystemClock
from fulltape.core import ranges, series
from fulltape.ledger.coverage import CoverageFact
from fulltape.ledger.streams import Day
from fulltape.stores import known
from nodes import Wish, opened, write_node


@pytest.mark.parametrize("where", ["crypto_trades", "crypto_aggtrades"])
def test_a_silence_in_which_rows_were_captured_is_not_empty(tmp_path: Path, where: str) -> None:
    """A thin coin that trades every other day: a vendor's empty answer is believed, but not against what was captured."""
    universe = "symbol,listed_from,listed_to,instrument\nABC/USDT,2026-01-01,,\n"
    wishes = [
        Wish(name, "2026-01-01", "2026-03-01", ("binance.spot",))
        for name in ("crypto_trades", "crypto_aggtrades")
    ]
    folder = write_node(tmp_path / "node", {"binance": "http://127.0.0.1:9"}, wishes, universe=universe)
    days = [dt.date(2026, 1, 1) + dt.timedelta(days=at) for at in range(60)]
    with opened(folder) as stores:
        wanted = stores.wanted["crypto_trades"]
        (name,) = wanted.instruments
        facts = [
            CoverageFact(
                dataset="crypto_trades", instrument=name, source="binance.spot", first=label, last=label,
                fact="empty" if at % 2 else "present", sound=True, final=True, since=1, evidence="x", reason="",
                extent="span" if at % 2 else "",
            )
            for at, label in enumerate(days)
        ]  # fmt: skip
        with stores.ledger.write():
            stores.ledger.coverage.record(facts, wanted.next_session)
        silent = wanted.calendar.between(days[31], days[31])

        def empty() -> bool:
            (one,) = known.read(stores, wanted, SystemClock().now())
            return ranges.overlaps(series.picture(one).empty, silent)

        assert empty()
        with stores.ledger.write():
            stores.ledger.streams.add_day(
                Day(
                    source="kraken.spot", dataset=where, instrument=name, symbol="ABC/USDT", session=days[31], start=1, end=2,
                    rows=5, reconnects=0,
                )
            )  # fmt: skip
        assert not empty()
