"""The same bytes by fulltape: decoded alone, and from a page over the durable journal to a sealed part."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import polars as pl

from benchmarks.decode.pages import Case
from fulltape import vendors
from fulltape.clock import SystemClock
from fulltape.context import NodeContext
from fulltape.contract.vendor import Outcome
from fulltape.decoding import bars, tables
from fulltape.lake import fetches
from fulltape.lake.fetches import EndRecord, FetchRecord, PageRecord
from fulltape.lake.journal import Journal, RecordKind
from fulltape.market import datasets
from fulltape.node import assemble
from fulltape.seal import run as seal
from fulltape.settings import load

_COLUMNS = ("open", "high", "low", "close", "volume", "vwap", "trade_count")


def decode(case: Case) -> pl.DataFrame:
    """As seal does it: slices of the pages, then one frame."""
    dataset = datasets.get("equities_bars_minute")
    decoded = vendors.load(case.vendor).decode(case.pages)
    frame, rejected = tables.frame(decoded, _COLUMNS, dataset.session_of())
    assert not rejected
    ts = pl.col("timestamp").cast(pl.Datetime("us", "UTC")).alias("ts")
    return frame.select("symbol", ts, *_COLUMNS)


def node(folder: Path, case: Case) -> NodeContext:
    """A new node that wants the case's symbols."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    fetch = case.pages[0].fetch
    listed = "".join(f"{symbol},1990-01-02,,\n" for symbol in fetch.symbols)
    (folder / "universe.csv").write_text(f"symbol,listed_from,listed_to,instrument\n{listed}")
    (folder / "fulltape.toml").write_text(
        f'[universe.u]\nfile = "universe.csv"\n[dataset.equities_bars_minute]\nuniverse = "u"\n'
        f'sources = ["{case.source}"]\nfrom = {fetch.first - dt.timedelta(days=9)}\n'
        f'[vendor.{case.vendor}]\nkey = "k"\n' + ('secret = "s"\n' if case.vendor == "alpaca" else "")
    )
    return assemble.open_context(load.load(folder))


def to_part(context: NodeContext, case: Case) -> int:
    """One answer into the journal, durably, and sealed; returns the rows of the parts."""
    clock = SystemClock()
    fetch = case.pages[0].fetch
    journal = Journal(context.layout, writer=context.rules.worker, source=case.source, clock=clock)
    instruments = {symbol: symbol for symbol in fetch.symbols}
    record = FetchRecord(
        fetch_id="bench", fetch=fetch, tasks={}, instruments=instruments, started_at=clock.now()
    )
    journal.append(RecordKind.FETCH, fetches.encode_fetch(record))
    complete_through = bars.all_complete(fetch)
    for page in case.pages:
        head = PageRecord(fetch_id="bench", number=page.number, status=200, outcome=Outcome.ROWS, cursor=None, complete_through=complete_through)  # fmt: skip
        journal.append(RecordKind.PAGE, fetches.encode_page(head, page.body))
        journal.sync()
    journal.append(
        RecordKind.END,
        fetches.encode_end(EndRecord(fetch_id="bench", outcome=Outcome.ROWS, ended_at=clock.now())),
    )
    journal.sync()
    journal.close()
    return seal.run_once(context, clock).rows
