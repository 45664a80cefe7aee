"""Runs other people's clients against the simulated vendors, each in its own environment, and holds what they parse
against the market that is served."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cases

from fulltape import vendors
from fulltape.market import datasets
from fulltape.market.time import midnight
from fulltape.simulator import run, scenario

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / ".interop"
CLIENTS = sorted(path.stem for path in (HERE / "clients").glob("*.py") if path.stem != "shown")
BEGIN, END = "<!-- proved by clients: begin -->", "<!-- proved by clients: end -->"


@dataclass(frozen=True, kw_only=True)
class Told:
    """What one client told: its rows by (source, dataset), and what it makes of refusals."""

    client: str
    version: str
    rows: Mapping[tuple[str, str], list[tuple[Any, ...]]]
    refused: Mapping[str, str]


def python(client: str) -> Path:
    """The interpreter of a client's environment."""
    return ENVIRONMENTS / ("deriv" if client == "deriv_sdk" else "clients") / "bin" / "python"


def ask(client: str) -> Told:
    """Run a client against all simulated vendors."""
    with run.running(cases.market(), scenario.Scenario()) as twins:
        urls = json.dumps({name: server.url for name, server in twins.servers.items()})
        command = [str(python(client)), str(HERE / "clients" / f"{client}.py"), urls]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
        assert done.returncode == 0, done.stderr[-3_000:]
    told = json.loads(done.stdout.splitlines()[-1])
    rows = {(one["source"], one["dataset"]): [tuple(row) for row in one["rows"]] for one in told["found"]}
    return Told(client=told["client"], version=told["version"], rows=rows, refused=told["refused"])


def truth(source: str, dataset: str, symbols: Iterable[str]) -> set[tuple[Any, ...]]:
    """Every row that the market has, in the client's terms: stamps are the vendor's, not ours."""
    declared = datasets.get(dataset)
    market = cases.market()
    found: set[tuple[Any, ...]] = set()
    for symbol in symbols:
        if declared.grain in ("day", "minute"):
            label = dataset.endswith("evidence") or source.startswith("tiingo")
            found |= {
                (symbol, midnight(bar.session) if label else bar.start, bar.open, bar.close)
                for bar in market.bars[declared.grain, symbol]
            }
        elif declared.grain == "tick":
            edge = cases.EDGES.get(dataset, 0.0)
            found |= {
                (symbol, tick.at // 1_000, round(tick.price - edge, 5), 0 if edge else tick.trade_id)
                for tick in market.ticks[symbol]
            }
        elif dataset == "macro_series":
            found |= {
                (symbol, midnight(one.date), one.start.isoformat(), one.value)
                for one in market.vintages[symbol]
            }
        else:
            found |= {
                (symbol, one.action_id, one.ex_date.isoformat(), one.amount)
                for one in market.actions
                if one.symbol == symbol
            }
    return found


def between(rows: set[tuple[Any, ...]], parsed: list[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    """The rows from the first stamp that was parsed to the last: a client asks for a part of the market."""
    when = 2 if isinstance(parsed[0][1], str) else 1  # of actions the id comes before the ex-date
    first, last = min(row[when] for row in parsed), max(row[when] for row in parsed)
    return {row for row in rows if first <= row[when] <= last}


def table(told: Iterable[Told]) -> str:
    """Markdown: every source and dataset, and which client has parsed it out of the simulated vendor."""
    clients: dict[tuple[str, str], list[str]] = {}
    for one in told:
        for place in one.rows:
            clients.setdefault(place, []).append(f"{one.client} {one.version}")
    lines = ["| source | dataset | parsed by |", "| --- | --- | --- |"]
    for name in vendors.names():
        for source in vendors.load(name).SPEC.sources:
            for capability in source.capabilities:
                by = ", ".join(sorted(clients.get((source.name, capability.dataset), []))) or "none"
                lines.append(f"| `{source.name}` | `{capability.dataset}` | {by} |")
    return "\n".join(lines)
