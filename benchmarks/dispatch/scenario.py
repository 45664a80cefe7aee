"""A scenario file becomes a node's context: a real ledger, real audit, invented vendors."""

from __future__ import annotations

import datetime as dt
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fulltape import context as opening
from fulltape.audit import run as audit
from fulltape.context import ConfiguredDataset, ConfiguredSource, NodeContext
from fulltape.contract.plans import Limits
from fulltape.contract.vendor import Capability, Source
from fulltape.lake.layout import Layout
from fulltape.ledger.eligibility import Eligible
from fulltape.market import datasets
from fulltape.market.instruments import DatedSymbol, Instrument
from fulltape.market.time import DAY, SECOND, Clock, Instant
from fulltape.settings.rules import Rules

SCENARIOS = Path(__file__).parent / "scenarios"
FOR_EVER: Instant = 2**62
LEARNED = dt.date(1990, 1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What a vendor does from `start` to `stop` (seconds of the run): "outage" answers with 503, "storm" serves only
    `allowed` requests a minute and answers 429 to the rest, with a time to come back."""

    vendor: str
    do: str
    start: float
    stop: float
    allowed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A scenario as its file says; `latency` in seconds, by source."""

    name: str
    title: str
    raw: dict[str, Any]
    latency: dict[str, float]
    faults: tuple[Fault, ...]

    @property
    def sources(self) -> list[dict[str, Any]]:
        """The tables of the sources, in order of preference."""
        found: list[dict[str, Any]] = self.raw["source"]
        return found


def load(path: Path) -> Scenario:
    """Read a scenario file."""
    raw = tomllib.loads(path.read_text())
    return Scenario(
        name=path.stem,
        title=raw["title"],
        raw=raw,
        latency={source["name"]: source.get("latency", 0.25) for source in raw["source"]},
        faults=tuple(Fault(**fault) for fault in raw.get("fault", ())),
    )


def build(scenario: Scenario, folder: Path, clock: Clock) -> NodeContext:
    """The context of the scenario's node, with its gaps already queued by an audit."""
    feeds = {source["name"]: _feed(scenario, source) for source in scenario.sources}
    wanted = {name: _wanted(scenario, name, table) for name, table in scenario.raw["dataset"].items()}
    context = NodeContext(
        folder=folder,
        ledger=opening.open_ledger(folder),
        layout=Layout(root=folder / "lake"),
        wanted=wanted,
        feeds=feeds,
        vendors={},
        accounts={},
        rules=Rules(max_wait=3 * DAY, lease=600 * SECOND, workers=scenario.raw.get("workers", 8)),
    )
    _entitle(scenario, context)
    audit.run_once(context, clock)
    return context


def _wanted(scenario: Scenario, name: str, table: dict[str, Any]) -> ConfiguredDataset:
    dataset = datasets.get(name)
    return ConfiguredDataset(
        dataset=dataset,
        calendar=opening.calendar(dataset.calendar),
        instruments={
            symbol: Instrument(
                instrument=symbol, symbols=(DatedSymbol(symbol=symbol, first=LEARNED, last=None),)
            )
            for symbol in (f"S{number:04d}" for number in range(table["symbols"]))
        },
        sources=[source["name"] for source in scenario.sources if name in _serving(source)],
        first=table["first"],
        until=table["last"],
        final_after=0,
    )


def _serving(source: dict[str, Any]) -> list[str]:
    found: list[str] = source.get("datasets", ["equities_bars_day", "equities_bars_minute"])
    return found


def _feed(scenario: Scenario, source: dict[str, Any]) -> ConfiguredSource:
    capability = tuple(
        Capability(
            dataset=name,
            history_from=source.get("history_from", LEARNED),
            symbols_per_request=source["symbols_per_request"],
            rows_per_page=source["rows_per_page"],
        )
        for name in scenario.raw["dataset"]
        if name in _serving(source)
    )
    vendor = source["name"].partition(".")[0]
    return ConfiguredSource(
        source=Source(name=source["name"], feed="sip", scope="consolidated", capabilities=capability),
        vendor=vendor,
        limits=Limits(per_minute=source["per_minute"], per_day=source.get("per_day", 0)),
        history_from=None,
        preference=source.get("preference", 1.0),
    )


def _entitle(scenario: Scenario, context: NodeContext) -> None:
    """What each source was found not to serve, as a node learns it."""
    with context.ledger.write():
        for source in scenario.sources:
            first, stop = source.get("symbols", (0, 10_000))
            for name, wanted in context.wanted.items():
                for number, symbol in enumerate(wanted.instruments):
                    if not first <= number < stop:
                        context.ledger.eligibility.record(
                            Eligible(
                                source=source["name"],
                                dataset=name,
                                symbol=symbol,
                                state="not entitled",
                                until=FOR_EVER,
                                reason="not in the plan",
                                since=0,
                            )
                        )
