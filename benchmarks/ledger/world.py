"""Large invented ledgers: 25 million cells of coverage, a million queued tasks."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from pathlib import Path

from fulltape import context as opening
from fulltape.context import ConfiguredDataset, ConfiguredSource, NodeContext
from fulltape.contract.plans import Limits
from fulltape.contract.vendor import Capability, Source
from fulltape.lake.layout import Layout
from fulltape.ledger.ledger import Ledger
from fulltape.ledger.task import NewTask, TaskClass
from fulltape.market import datasets, ranges
from fulltape.market.instruments import DatedSymbol, Instrument
from fulltape.market.ranges import Range
from fulltape.market.time import SECOND
from fulltape.settings.rules import Rules

SYMBOLS, SESSIONS = 5_000, 5_036
MISSING = 498_000
"""Cells; in about 99,000 gaps."""
TASKS = 1_000_000
SILENT_SHARE, SILENT_EVERY, SILENT_LENGTH = 0.01, 5, 21
"""This share of all cells was answered without rows, in one instrument of five, a month at a time."""
SOURCE = "a.sip"
CALENDAR = opening.calendar("XNYS")
BEGIN = CALENDAR.between(dt.date(2004, 1, 2), CALENDAR.known_to)[0]
CLASS = TaskClass(dataset="equities_bars_day", eligible_sources=(SOURCE,), priority=1, batch=1, kind="GAP")


def names() -> list[str]:
    """The instruments."""
    return [f"S{number:04d}" for number in range(SYMBOLS)]


def holdings() -> Iterator[tuple[str, ranges.Ranges]]:
    """Per instrument what is held, in positions from the first session on; seeded."""
    dice = random.Random(5)
    gaps: list[list[Range]] = [[] for _ in range(SYMBOLS)]
    missing = 0
    while missing < MISSING:
        symbol, start = dice.randrange(SYMBOLS), dice.randrange(SESSIONS)
        length = min(1 + int(dice.expovariate(1 / 4.5)), SESSIONS - start)
        gaps[symbol].append((start, start + length))
        missing += length
    for name, found in zip(names(), gaps, strict=True):
        yield name, ranges.subtract(((0, SESSIONS),), ranges.normalise(found))


def silences(name: str, spans: ranges.Ranges) -> ranges.Ranges:
    """What of the sessions that are not missing was answered without rows; in one instrument of five, seeded."""
    number = int(name[1:])
    if number % SILENT_EVERY:
        return ranges.EMPTY
    dice = random.Random(number)
    found = []
    for _ in range(round(SESSIONS * SILENT_SHARE * SILENT_EVERY / SILENT_LENGTH)):
        start = dice.randrange(SESSIONS - SILENT_LENGTH)
        found.append((start, start + SILENT_LENGTH))
    return ranges.intersect(spans, ranges.normalise(found))


def _fact(name: str, span: Range, fact: str, number: int) -> dict[str, object]:
    return {
        "dataset": "equities_bars_day",
        "instrument": name,
        "source": SOURCE,
        "first_session": CALENDAR.label(BEGIN + span[0]).isoformat(),
        "last_session": CALENDAR.label(BEGIN + span[1] - 1).isoformat(),
        "fact": fact,
        "sound": 1,
        "final": 1,
        "since": SECOND,
        "evidence": f"{number:032x}",
        "reason": "",
        "shown": 1,
        "extent": "span" if fact == "empty" else "",
        "asked": "",
        "repeated": 0,
    }


def fill_coverage(ledger: Ledger) -> int:
    """Write the holdings as facts; returns how many cells are missing."""
    rows: list[dict[str, object]] = []
    held = 0
    for name, spans in holdings():
        silent = silences(name, spans)
        held += ranges.size(spans)
        rows += [_fact(name, span, "present", len(rows)) for span in ranges.subtract(spans, silent)]
        rows += [_fact(name, span, "empty", len(rows)) for span in silent]
    with ledger.write():
        ledger.database.run_many("add_coverage", rows)
    return SYMBOLS * SESSIONS - held


def fill_queue(ledger: Ledger) -> None:
    """A million queued tasks: 5,000 instruments in 200 windows of a month."""
    windows: dict[tuple[int, int], tuple[dt.date, dt.date]] = {}
    for position in range(BEGIN, BEGIN + SESSIONS):
        label = CALENDAR.label(position)
        first, _ = windows.get((label.year, label.month), (label, label))
        windows[label.year, label.month] = (first, label)
    chosen = list(windows.values())[: TASKS // SYMBOLS]
    for at in range(0, len(chosen), 20):
        tasks = [
            NewTask(
                dataset="equities_bars_day",
                instrument=name,
                symbol=name,
                first=first,
                last=last,
                kind="GAP",
                eligible_sources=(SOURCE,),
                expected_rows=21,
            )
            for first, last in chosen[at : at + 20]
            for name in names()
        ]
        with ledger.write():
            ledger.queue.enqueue(tasks, now=SECOND, batch=1)


def context(folder: Path, ledger: Ledger, *, worker: str = "node", last: int = SESSIONS) -> NodeContext:
    """The context of a node with one vendor that wants the first `last` sessions."""
    dataset = datasets.get("equities_bars_day")
    capability = Capability(
        dataset=dataset.name, history_from=dt.date(1990, 1, 2), symbols_per_request=100, rows_per_page=10_000
    )
    feed = ConfiguredSource(
        source=Source(name=SOURCE, feed="sip", scope="consolidated", capabilities=(capability,)),
        vendor="a",
        limits=Limits(),
        history_from=None,
    )
    listed = dt.date(1990, 1, 2)
    wanted = ConfiguredDataset(
        dataset=dataset,
        calendar=CALENDAR,
        instruments={
            name: Instrument(instrument=name, symbols=(DatedSymbol(symbol=name, first=listed, last=None),))
            for name in names()
        },
        sources=(SOURCE,),
        first=CALENDAR.label(BEGIN),
        until=CALENDAR.label(BEGIN + last - 1),
        final_after=0,
    )
    return NodeContext(
        folder=folder,
        ledger=ledger,
        layout=Layout(root=folder / "lake"),
        wanted={dataset.name: wanted},
        feeds={SOURCE: feed},
        vendors={},
        accounts={},
        rules=Rules(worker=worker),
    )
