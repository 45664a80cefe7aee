"""Nodes of any size, filled with invented rows through the catalogue and the coverage as the seal stage does it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from fulltape import context as opening
from fulltape.context import ConfiguredDataset, ConfiguredSource, NodeContext, drafts
from fulltape.contract.plans import Limits
from fulltape.contract.vendor import Capability, Source
from fulltape.coverage.facts import CoverageFact
from fulltape.decoding import frames
from fulltape.lake import layout
from fulltape.lake.layout import Layout
from fulltape.market import datasets
from fulltape.market.dataset import Dataset
from fulltape.market.instruments import DatedSymbol, Instrument
from fulltape.market.time import HOUR, MINUTE, Instant
from fulltape.settings.rules import Rules

DAYS, MINUTES = "equities_bars_day", "equities_bars_minute"
SOURCE = "a.sip"
CALENDAR = opening.calendar("XNYS")
BEGIN = CALENDAR.between(dt.date(2023, 1, 3), CALENDAR.known_to)[0]
"""The position of the first session that these nodes want."""
_PART_ROWS = 400_000


class Fixed:
    """A clock that stands an hour after the close of a session."""

    def __init__(self, position: int) -> None:
        self.at = CALENDAR.sessions[position].close + HOUR

    def now(self) -> Instant:
        """UTC microseconds."""
        return self.at

    def steady(self) -> Instant:
        """The same."""
        return self.at

    def sleep(self, seconds: float) -> None:
        """Nothing waits here."""


def names(count: int) -> list[str]:
    """The instruments of a node."""
    return [f"S{number:04d}" for number in range(count)]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A node with `symbols` instruments; `minutes` rows a session for minute bars."""

    context: NodeContext
    symbols: int
    minutes: int

    def fill(self, dataset: str, first: int, last: int, only: Sequence[str] | None = None) -> int:
        """Bring the sessions at positions `first` to `last` (exclusive) of some or all instruments into the lake, as raw
        parts that were fetched; returns the cells."""
        wanted = self.context.wanted[dataset]
        chosen = list(only or names(self.symbols))
        each = (last - first) * (self.minutes if dataset == MINUTES else 1)
        step = max(1, _PART_ROWS // each)
        labels = [CALENDAR.label(at) for at in range(first, last)]
        folders: dict[str, list[int]] = {}
        for at, label in enumerate(labels):
            folders.setdefault(layout.folder_key(wanted.dataset.raw_folder, label), []).append(first + at)
        for key, positions in folders.items():
            for at in range(0, len(chosen), step):
                self._part(wanted, key, positions, chosen[at : at + step])
        now = CALENDAR.sessions[last - 1].close + HOUR
        facts = [
            CoverageFact(
                dataset=dataset,
                instrument=name,
                source=SOURCE,
                first=labels[0],
                last=labels[-1],
                fact="present",
                sound=True,
                final=True,
                since=now,
                evidence="growth",
            )
            for name in chosen
        ]
        with self.context.ledger.write():
            self.context.ledger.coverage.record(facts, wanted.next_session)
        return len(chosen) * (last - first)

    def _part(
        self, wanted: ConfiguredDataset, key: str, positions: Sequence[int], chosen: Sequence[str]
    ) -> None:
        frame = rows(wanted.dataset, positions, chosen, self.minutes)
        draft = drafts.write(
            self.context,
            wanted,
            frame,
            layer="raw",
            folder=key,
            source=SOURCE,
            origin="fetched",
            metadata={"source": SOURCE},
        )
        now = CALENDAR.sessions[positions[-1]].close + HOUR
        (part,) = drafts.publish(self.context, [draft], now=now)
        with self.context.ledger.write():
            self.context.ledger.catalogue.register(part, now=now)


def rows(dataset: Dataset, positions: Sequence[int], chosen: Sequence[str], minutes: int) -> pl.DataFrame:
    """Rows in the order of (instrument, ts); their prices follow from names and stamps."""
    sessions = pl.DataFrame(
        {
            "session": [CALENDAR.label(at) for at in positions],
            "open": [CALENDAR.sessions[at].open for at in positions],
            "length": [
                (CALENDAR.sessions[at].close - CALENDAR.sessions[at].open) // MINUTE for at in positions
            ],
        }
    )
    grid = pl.DataFrame({"instrument": list(chosen)}).join(sessions, how="cross")
    if dataset.grain == "minute":
        every = max(1, 390 // minutes)
        grid = (
            grid.with_columns(pl.int_ranges(0, "length", every).alias("minute_of_session"))
            .explode("minute_of_session", empty_as_null=False)
            .with_columns((pl.col("open") + pl.col("minute_of_session") * MINUTE).alias("ts"))
        )
    else:
        grid = grid.with_columns(pl.col("open").alias("ts"))
    number = pl.struct("instrument", "ts").hash(seed=5)
    price = 20.0 + (number % 10_000) / 100
    volume = 1_000.0 + (number // 10_000 % 9_000)
    whole = grid.with_columns(
        pl.col("instrument").alias("symbol"),
        pl.col("ts").cast(pl.Datetime("us", "UTC")),
        pl.lit("regular").alias("phase"),
        *(price.round(2).alias(name) for name in ("open", "high", "low", "close", "vwap")),
        volume.alias("volume"),
        pl.lit(10).alias("trade_count"),
    )
    return frames.conform(whole, dataset.schema.columns).sort("instrument", "ts")


def node(
    folder: Path,
    wishes: Sequence[str],
    symbols: int,
    *,
    minutes: int = 390,
    last: int,
    first: int = BEGIN,
    ended: tuple[int, Sequence[str]] = (0, ()),
    by_instrument: bool = False,
) -> World:
    """A node that wants datasets from the session at position `first` to that at `last`, inclusive; some instruments have
    `ended` with the session at a position."""
    capability = tuple(
        Capability(
            dataset=name, history_from=dt.date(2000, 1, 3), symbols_per_request=100, rows_per_page=10_000
        )
        for name in wishes
    )
    source = Source(name=SOURCE, feed="sip", scope="consolidated", capabilities=capability)
    feed = ConfiguredSource(source=source, vendor="a", limits=Limits(), history_from=None)
    listed = dt.date(2000, 1, 3)
    gone = dict.fromkeys(ended[1], CALENDAR.label(ended[0]))
    instruments = {
        name: Instrument(
            instrument=name, symbols=(DatedSymbol(symbol=name, first=listed, last=gone.get(name)),)
        )
        for name in names(symbols)
    }
    datasets_of = "".join(
        f'[dataset.{name}]\nuniverse = "all"\nsources = ["alpaca.sip"]\nfrom = 2023-01-03\n'
        for name in wishes
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fulltape.toml").write_text(
        f'[universe.all]\nsymbols = {names(symbols)}\n{datasets_of}[vendor.alpaca]\nkey = "k"\nsecret = "s"\n'
    )
    ledger = opening.open_ledger(folder)
    context = NodeContext(
        folder=folder,
        ledger=ledger,
        layout=Layout(root=folder / "lake"),
        wanted={
            name: ConfiguredDataset(
                dataset=datasets.get(name),
                calendar=CALENDAR,
                instruments=instruments,
                sources=(SOURCE,),
                first=CALENDAR.label(first),
                until=CALENDAR.label(last),
                final_after=0,
                by_instrument=by_instrument,
            )
            for name in wishes
        },
        feeds={SOURCE: feed},
        vendors={},
        accounts={},
        # A night looks at so much of the lake as its time allows: that is no cost of what it holds.
        rules=Rules(worker="node", verify_for=0),
    )
    return World(context=context, symbols=symbols, minutes=minutes)
