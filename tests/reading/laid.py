"""A node with rows, facts and actions laid into its lake directly, without vendors: any history can be made."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import polars as pl

import fulltape
from fulltape import context as opening
from fulltape.context import ConfiguredDataset, NodeContext, drafts
from fulltape.coverage.cell import FactKind
from fulltape.coverage.facts import CoverageFact
from fulltape.decoding import frames
from fulltape.lake.layout import Layout
from fulltape.market import datasets, instruments
from fulltape.market.time import MINUTE, to_datetime
from fulltape.reader import Reader
from fulltape.settings.rules import Rules

DAY, MINUTES, ACTIONS = "equities_bars_day", "equities_bars_minute", "corporate_actions"
SOURCES = ("alpaca.sip", "massive.sip")
XNYS = opening.calendar("XNYS")
HEADER = "symbol,listed_from,listed_to,instrument\n"
day_of = dt.date.fromisoformat


@dataclass(frozen=True)
class Laid:
    """A node whose lake is filled by hand."""

    context: NodeContext

    def read(self) -> Reader:
        """The node opened for reading; nothing more is laid."""
        self.context.ledger.close()
        return fulltape.open(self.context.folder)

    def fact(
        self, dataset: str, name: str, first: str | dt.date, last: str | dt.date, fact: FactKind = "present",
        source: str = SOURCES[0],
    ) -> None:  # fmt: skip
        """What a source has shown of sessions, both inclusive."""
        shown = CoverageFact(
            dataset=dataset, instrument=name, source=source, first=day_of(str(first)), last=day_of(str(last)), fact=fact,
            sound=True, final=True, since=1, evidence="laid",
        )  # fmt: skip
        with self.context.ledger.write():
            self.context.ledger.coverage.record([shown], self.context.wanted[dataset].next_session)

    def days(
        self, names: str | Sequence[str], first: str, last: str, price: Callable[[dt.date], float], *, symbol: str = "",
    ) -> None:  # fmt: skip
        """Day bars of sessions, both inclusive, of instruments that have none of them yet."""
        sessions = [XNYS.label(at) for at in range(*XNYS.between(day_of(first), day_of(last)))]
        hours = frames.sessions(XNYS).select(
            "session", pl.col("open").alias("ts"), pl.col("close").alias("available_at")
        )
        prices = pl.DataFrame({"session": sessions, "close": [price(day) for day in sessions]})
        rows = prices.join(hours, on="session")
        listed = [names] if isinstance(names, str) else list(names)
        self._bars(
            DAY,
            pl.concat(
                rows.with_columns(instrument=pl.lit(name), symbol=pl.lit(symbol or name)) for name in listed
            ),
            "year",
        )
        for name in listed:
            self.fact(DAY, name, first, last)

    def lives(self, lives: Mapping[str, tuple[dt.date, dt.date]], price: float) -> None:
        """Day bars of several instruments, each from its first to its last session, both inclusive."""
        hours = frames.sessions(XNYS).select(
            "session", pl.col("open").alias("ts"), pl.col("close").alias("available_at")
        )
        rows = pl.concat(
            hours.filter(pl.col("session").is_between(first, last)).with_columns(
                pl.lit(name).alias("instrument"), pl.lit(name).alias("symbol"), pl.lit(price).alias("close")
            )
            for name, (first, last) in lives.items()
        )
        self._bars(DAY, rows, "year")
        for name, (first, last) in lives.items():
            self.fact(DAY, name, first, last)

    def minutes(
        self,
        name: str,
        session: str,
        numbers: Sequence[int],
        price: Callable[[int], float],
        *,
        whole: bool = True,
    ) -> None:
        """Regular minutes of a session, by their number since the open."""
        position = XNYS.position(day_of(session))
        assert position is not None
        times = [to_datetime(XNYS.sessions[position].open + number * MINUTE) for number in numbers]
        rows = pl.DataFrame(
            {
                "instrument": name, "symbol": name, "session": day_of(session), "ts": times, "close": [price(number) for number in numbers],
                "phase": "regular", "minute_of_session": list(numbers),
            }
        ).with_columns(available_at=pl.col("ts") + pl.duration(minutes=1))  # fmt: skip
        self._bars(MINUTES, rows, "date")
        self.fact(MINUTES, name, session, session, "present" if whole else "partial")

    def ticks(self, dataset: str, rows: pl.DataFrame) -> None:
        """Curated trades or quotes; what is not given of them is plain."""
        filled = rows.with_columns(
            available_at=pl.col("ts"), is_final=pl.lit(value=True), flags=pl.lit(0),
            ts_event=pl.col("ts").cast(pl.Datetime("ns", "UTC")),
        )  # fmt: skip
        frame = frames.conform(filled, datasets.get(dataset).curated.columns)
        for (session,), mine in frame.group_by("session", maintain_order=True):
            ordered = mine.sort("instrument", "ts", maintain_order=True)
            self._publish(dataset, ordered, "curated", f"date={session}", "")
            for name in mine["instrument"].unique():
                self.fact(dataset, name, str(session), str(session))

    def raw_ticks(self, dataset: str, rows: pl.DataFrame, source: str) -> None:
        """Trades or quotes as a source has sent them."""
        filled = rows.with_columns(ts_event=pl.col("ts").cast(pl.Datetime("ns", "UTC")))
        frame = frames.conform(filled, datasets.get(dataset).schema.columns)
        for (session,), mine in frame.group_by("session", maintain_order=True):
            self._publish(dataset, mine.sort("instrument", "ts"), "raw", f"date={session}", source)

    def _bars(self, dataset: str, rows: pl.DataFrame, cut: Literal["year", "date"]) -> None:
        filled = rows.with_columns(
            *(pl.col("close").alias(name) for name in ("open", "high", "low", "vwap")),
            volume=pl.lit(100.0), source=pl.lit(SOURCES[0]), is_final=pl.lit(value=True), flags=pl.lit(0),
        )  # fmt: skip
        frame = frames.conform(filled, datasets.get(dataset).curated.columns)
        key = pl.col("session").dt.year() if cut == "year" else pl.col("session")
        for (value,), mine in frame.group_by(key, maintain_order=True):
            self._publish(dataset, mine.sort("instrument", "ts"), "curated", f"{cut}={value}", "")

    def actions(
        self,
        *rows: Mapping[str, Any],
        source: str = SOURCES[0],
        asked: tuple[str, str] | None = None,
        at: int = 1,
    ) -> None:
        """A source's actions of instruments, as they came at a moment (UTC microseconds); `asked`: from when to when it has answered
        about them."""
        made = [
            {
                "event_id": f"{source} {number}", "symbol": row["instrument"], "currency": "USD" if "amount" in row else None, **row,
                "session": day_of(row["ex_date"]), "ex_date": day_of(row["ex_date"]),
                "ts": dt.datetime.combine(day_of(row["ex_date"]), dt.time(), dt.UTC),
            }
            for number, row in enumerate(rows)
        ]  # fmt: skip
        if made:
            frame = pl.DataFrame(made, infer_schema_length=None).with_columns(
                pl.col("ts").cast(pl.Datetime("us", "UTC"))
            )
            whole = frames.conform(frame, datasets.get(ACTIONS).schema.columns).sort("instrument", "ts")
            for (year,), mine in whole.group_by(pl.col("session").dt.year(), maintain_order=True):
                self._publish(ACTIONS, mine, "raw", f"year={year}", source, at=at)
        for name in {str(row["instrument"]) for row in rows} if asked else ():
            self.asked(name, *asked, source=source)  # type: ignore[misc]
            for row in rows:
                if row["instrument"] == name:
                    self.fact(ACTIONS, name, row["ex_date"], row["ex_date"], source=source)

    def asked(self, name: str, first: str, last: str, *, source: str = SOURCES[0]) -> None:
        """A source has said that there was no action of an instrument."""
        self.fact(ACTIONS, name, first, last, "empty", source)

    def answer(
        self, name: str, closes: Mapping[str, float], *, source: str = SOURCES[0], at: int = 1
    ) -> None:
        """A source's raw day bars by session, as they came at a moment (UTC microseconds)."""
        sessions = [day_of(day) for day in closes]
        hours = frames.sessions(XNYS).select("session", pl.col("open").alias("ts"))
        rows = pl.DataFrame({"session": sessions, "close": list(closes.values())}).join(hours, on="session")
        filled = rows.with_columns(
            *(pl.col("close").alias(column) for column in ("open", "high", "low", "vwap")),
            instrument=pl.lit(name), symbol=pl.lit(name), volume=pl.lit(100.0),
        )  # fmt: skip
        frame = frames.conform(filled, datasets.get(DAY).schema.columns).sort("instrument", "ts")
        self._publish(DAY, frame, "raw", f"year={sessions[0].year}", source, at=at)

    def lay(self, dataset: str, frame: pl.DataFrame, session: str) -> None:
        """Curated rows of one session as they are."""
        self._publish(dataset, frame, "curated", f"date={session}", "")
        for name in frame["instrument"].unique():
            self.fact(dataset, str(name), session, session)

    def _publish(
        self, dataset: str, frame: pl.DataFrame, layer: str, folder: str, source: str, *, at: int = 1
    ) -> None:
        draft = drafts.write(
            self.context, self.context.wanted[dataset], frame, layer=layer, folder=folder, source=source,  # type: ignore[arg-type]
            origin="fetched" if layer == "raw" else "derived", metadata={"known_at": str(at)} if layer == "raw" else {},
        )  # fmt: skip
        if layer == "curated":  # beside what is in the folder of other sessions
            days = frame["session"].to_list()
            span = min(days), max(days)
            draft = replace(draft, part=replace(draft.part, replaces=span))
        (part,) = drafts.publish(self.context, [draft], now=1)
        with self.context.ledger.write():
            self.context.ledger.catalogue.register(part, now=at)


def laid(folder: Path, universe: str, *wishes: str) -> Laid:
    """A node in `folder` with nothing in it yet."""
    folder.mkdir(parents=True, exist_ok=True)
    text = '[universe.all]\nfile = "universe.csv"\n[vendor.alpaca]\nkey = "k"\nsecret = "s"\n[vendor.massive]\nkey = "k"\n'
    text += "".join(
        f'[dataset.{name}]\nuniverse = "all"\nsources = {list(SOURCES)}\nfrom = 2000-01-03\n'
        for name in wishes
    )
    (folder / "fulltape.toml").write_text(text)
    (folder / "universe.csv").write_text(HEADER + universe)
    listed = instruments.parse_universe(HEADER + universe, where="universe.csv")
    return Laid(
        NodeContext(
            folder=folder,
            ledger=opening.open_ledger(folder),
            layout=Layout(root=folder / "lake"),
            wanted={
                name: ConfiguredDataset(
                    dataset=datasets.get(name),
                    calendar=opening.calendar(datasets.get(name).calendar),
                    instruments={each.instrument: each for each in listed},
                    sources=SOURCES,
                    first=dt.date(2000, 1, 3),
                    until=None,
                    final_after=0,
                )
                for name in wishes
            },
            feeds={},
            vendors={},
            accounts={},
            rules=Rules(worker="node", verify_for=0),
        )
    )
