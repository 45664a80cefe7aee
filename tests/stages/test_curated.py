"""Answers of two sources become curated rows: each is checked by its own, the better one is chosen, and that is told."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from journals import BEGIN, answer, moment

import fulltape
from clocks import FakeClock
from fulltape.context import Event, NodeContext
from fulltape.coverage.cell import Verdict
from fulltape.curate import run as curate
from fulltape.market import datasets
from fulltape.market.time import DAY, HOUR, MINUTE, SECOND, to_datetime
from fulltape.seal import run as seal
from nodes import Wish, opened, write_node

MINUTES, DAYS = "equities_bars_minute", "equities_bars_day"
SIP, IEX = "alpaca.sip", "alpaca.iex"
OPEN = (6 * HOUR + 30 * MINUTE) // SECOND
"""Seconds from the beginning of the journals to the open in New York."""
LATER = FakeClock(BEGIN + 10 * DAY)


@contextlib.contextmanager
def node(tmp_path: Path, *datasets: str, extra: str = "") -> Iterator[NodeContext]:
    """A node that wants AAPL and MSFT on the 15th of January 2027 from two feeds of one vendor."""
    wishes = [Wish(name, "2027-01-15", "2027-01-15", (SIP, IEX)) for name in datasets]
    universe = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\nMSFT,1986-03-13,,\n"
    with opened(
        write_node(
            tmp_path / "node", {"alpaca": "http://127.0.0.1:9"}, wishes, universe=universe, extra=extra
        )
    ) as context:
        yield context


def bar(second: float, volume: float, **more: Any) -> dict[str, Any]:
    return {
        "t": f"{to_datetime(moment(second)):%Y-%m-%dT%H:%M:%SZ}", "o": 10.0, "h": 10.0, "l": 10.0, "c": 10.0,
        "v": volume, "n": 1, "vw": 10.0, **more,
    }  # fmt: skip


def minutes(count: int, **more: Any) -> list[dict[str, Any]]:
    """So many minute bars from the open on, each with a volume of 10."""
    return [bar(OPEN + 60 * number, 10, **more) for number in range(count)]


def day(volume: float) -> list[dict[str, Any]]:
    """A day bar, which begins at midnight in New York."""
    return [bar(-3 * 3_600, volume)]


def answered(
    context: NodeContext, source: str, dataset: str, rows: Sequence[dict[str, Any]], symbol: str = "AAPL"
) -> Path:
    return answer(context, source, dataset, symbol, {"bars": {symbol: rows}, "next_page_token": None})


def verdicts(context: NodeContext, source: str) -> list[tuple[Verdict, str]]:
    return [(said.verdict, said.codes) for said in context.ledger.verdicts.of_dataset(MINUTES, source)]


def curated(context: NodeContext) -> pl.DataFrame:
    return fulltape.open(context.folder).scan(MINUTES).collect()


def test_minutes_are_held_against_the_day_bar_of_their_own_source(tmp_path: Path) -> None:
    """One feed of a vendor sees a tenth of what the other one sees: neither lacks anything."""
    with node(tmp_path, DAYS, MINUTES) as context:
        for source, count in ((SIP, 100), (IEX, 10)):
            answered(context, source, DAYS, day(10 * count))
            answered(context, source, MINUTES, minutes(count))
        seal.run_once(context, LATER)
        assert curate.run_once(context, LATER).partial == 0
        assert verdicts(context, SIP) == verdicts(context, IEX) == [(Verdict.GREEN, "")]
        assert curated(context)["source"].unique().to_list() == [SIP]


def test_a_whole_session_is_taken_before_a_longer_one_that_lacks_some(tmp_path: Path) -> None:
    with node(tmp_path, DAYS, MINUTES) as context:
        for source, count, of in ((SIP, 100, 200), (IEX, 90, 90)):
            answered(context, source, DAYS, day(10 * of))
            answered(context, source, MINUTES, minutes(count))
        seal.run_once(context, LATER)
        assert curate.run_once(context, LATER).partial == 1
        assert verdicts(context, IEX) == [(Verdict.GREEN, "")] != verdicts(context, SIP)
        assert curated(context).group_by("source").len().rows() == [(IEX, 90)]


def test_the_settings_say_how_far_an_average_price_may_lie_outside(tmp_path: Path) -> None:
    for ticks, suspicious in ((0.02, True), (1.0, False)):
        with node(tmp_path / str(ticks), MINUTES, extra=f"[quality]\nvwap_ticks = {ticks}\n") as context:
            answered(context, SIP, MINUTES, minutes(5, vw=10.5))
            seal.run_once(context, LATER)
            curate.run_once(context, LATER)
            ((_, codes),) = verdicts(context, SIP)
            assert ("sanity.vwap" in codes) == suspicious


def test_what_is_curated_is_told_and_done_once_more_where_it_must_be(tmp_path: Path) -> None:
    with node(tmp_path, MINUTES) as context:
        for symbol in ("AAPL", "MSFT"):
            answered(context, SIP, MINUTES, minutes(5), symbol)
        seal.run_once(context, LATER)
        events: list[Event] = []
        report = curate.run_once(context, LATER, events.append)
        assert (report.folders, report.written, report.rows) == (1, 1, 10)
        assert [(event.stage, event.done, event.total) for event in events] == [(curate.STAGE, 1, 1)]
        (part,) = context.ledger.catalogue.all_current("curated")
        written = pl.read_parquet_metadata(context.layout.root / part.path)
        assert written["schema_version"] == str(datasets.get(MINUTES).schema.version)
        assert curate.run_once(context, LATER).folders == 0
        with context.ledger.write():
            context.ledger.damages.redo(curate.STAGE, MINUTES, [part.folder])
        assert curate.run_once(context, LATER).folders == 1
        assert curate.run_once(context, LATER).folders == 0
