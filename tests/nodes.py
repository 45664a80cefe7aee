"""Nodes for tests: real settings, real files, real sockets on loopback; only the vendors' bytes are simulated."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from fulltape.context import NodeContext
from fulltape.market.time import MINUTE
from fulltape.node import assemble
from fulltape.settings import load
from fulltape.simulator import run, scenario
from fulltape.simulator.market import Market, market, new_york_midnight
from fulltape.simulator.minutes import Bar
from fulltape.simulator.run import Running

DATA = Path(__file__).parents[2] / "shared" / "data"
LEAN = DATA / "lean-equity-us" / "equity" / "usa"
CANARY = "CANARY-9f8e7d6c5b4a"

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"the reference data is not in {DATA}")


@dataclass(frozen=True)
class Wish:
    """A dataset that a test node wants."""

    dataset: str
    first: str
    last: str
    sources: Sequence[str] = ("alpaca.sip", "massive.sip")


DAYS_2012 = Wish("equities_bars_day", "2012-01-03", "2012-12-31")
MINUTES_2012 = Wish("equities_bars_minute", "2012-11-01", "2012-12-31")


def write_node(
    folder: Path,
    urls: Mapping[str, str],
    wishes: Sequence[Wish],
    *,
    universe: str,
    extra: str = "",
    per_minute: int = 3_000,
    preferred: str = "",
) -> Path:
    """A node's files in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ['[universe.test]\nfile = "universe.csv"\n']
    lines += [
        f'[dataset.{wish.dataset}]\nuniverse = "test"\nsources = {list(wish.sources)}\n'
        f"from = {wish.first}\nuntil = {wish.last}\n"
        for wish in wishes
    ]
    for name, url in urls.items():
        secret = f'secret = "{CANARY}"\n' if name == "alpaca" else ""
        lines.append(
            f'[vendor.{name}]\nkey = "{CANARY}"\n{secret}base_url = "{url}"\n'
            f"history_from = 1998-01-02\nrequests_per_minute = {per_minute}\n"
            + ("preference = 100\n" if name == preferred else "")
        )
    if "[backfill]" not in extra:
        lines.append('[backfill]\nretry_wait = "1ms"\n')
    (folder / "fulltape.toml").write_text("\n".join(lines) + extra)
    (folder / "universe.csv").write_text(universe)
    return folder


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[NodeContext]:
    """The context of a node."""
    context = assemble.open_context(load.load(folder))
    try:
        yield context
    finally:
        context.close()


@contextlib.contextmanager
def simulated(
    tmp_path: Path,
    found: Market,
    wishes: Sequence[Wish],
    *,
    faults: str = "",
    universe: str | None = None,
    extra: str = "",
    per_minute: int = 3_000,
    preferred: str = "",
) -> Iterator[tuple[Path, Running]]:
    """A node in `tmp_path/node` and both twins serving a market."""
    listed = universe or "symbol,listed_from,listed_to,instrument\n" + "".join(
        f"{symbol},1980-01-02,,\n" for symbol in sorted(found.symbols)
    )
    with run.running(found, scenario.parse(faults, where="test")) as twins:
        urls = {name: server.url for name, server in twins.servers.items()}
        yield (
            write_node(
                tmp_path / "node",
                urls,
                wishes,
                universe=listed,
                extra=extra,
                per_minute=per_minute,
                preferred=preferred,
            ),
            twins,
        )


def lean_minutes(symbol: str) -> dict[tuple[str, str], list[Bar]]:
    """Real minute bars of a symbol from the reference data, all phases, as a market holds them."""
    bars: list[Bar] = []
    for path in sorted((LEAN / "minute" / symbol.lower()).glob("*_trade.zip")):
        session = dt.datetime.strptime(path.name[:8], "%Y%m%d").date()
        base = new_york_midnight(session)
        with zipfile.ZipFile(path) as archive:
            text = io.TextIOWrapper(archive.open(archive.namelist()[0])).read()
        for line in text.splitlines():
            ms, *prices, volume = line.split(",")
            opens, high, low, close = (int(price) / 10_000 for price in prices)
            bars.append(
                Bar(
                    start=base + int(ms) * 1_000,
                    session=session,
                    open=opens,
                    high=high,
                    low=low,
                    close=close,
                    volume=int(float(volume)),
                )
            )
    assert all(bar.start % MINUTE == 0 for bar in bars)
    return {("minute", symbol): bars}


def lean_days(symbol: str, first: dt.date, last: dt.date) -> dict[tuple[str, str], list[Bar]]:
    """Real day bars of a symbol from the reference data."""
    with zipfile.ZipFile(LEAN / "daily" / f"{symbol.lower()}.zip") as archive:
        text = io.TextIOWrapper(archive.open(archive.namelist()[0])).read()
    bars = []
    for line in text.splitlines():
        timestamp, *prices, volume = line.split(",")
        session = dt.datetime.strptime(timestamp[:8], "%Y%m%d").date()
        if first <= session <= last:
            opens, high, low, close = (int(price) / 10_000 for price in prices)
            bars.append(
                Bar(
                    start=new_york_midnight(session),
                    session=session,
                    open=opens,
                    high=high,
                    low=low,
                    close=close,
                    volume=int(float(volume)),
                )
            )
    return {("day", symbol): bars}


def merged(*pieces: dict[tuple[str, str], list[Bar]]) -> Market:
    """One market out of several symbols' bars."""
    return market({key: bars for piece in pieces for key, bars in piece.items()})
