"""How a client shows what it parsed: one JSON object with its name, version and rows by source and dataset.

Runs in the clients' own environments, so it imports nothing but the standard library.
"""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import sys
from collections.abc import Iterable
from typing import Any

FOUND: list[dict[str, Any]] = []
REFUSED: dict[str, str] = {}


def urls() -> dict[str, str]:
    """The twins' addresses by vendor."""
    found: dict[str, str] = json.loads(sys.argv[1])
    return found


def micros(moment: dt.datetime | dt.date | int | str) -> int:
    """UTC microseconds of whatever a client calls a time: aware, a date, or milliseconds."""
    if isinstance(moment, int):
        return moment * 1_000
    if isinstance(moment, str):
        moment = dt.datetime.fromisoformat(moment)
    if not isinstance(moment, dt.datetime):
        moment = dt.datetime.combine(moment, dt.time())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return round((moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)).total_seconds() * 1_000_000)


def rows(source: str, dataset: str, parsed: Iterable[Iterable[Any]]) -> None:
    """Keep the rows of one dataset: bars (symbol, stamp, open, close), ticks (symbol, stamp, price, id), values (symbol,
    period, published, value), actions (symbol, id, ex-date, amount)."""
    FOUND.append({"source": source, "dataset": dataset, "rows": [list(row) for row in parsed]})


def refused(what: str, error: BaseException | str) -> None:
    """Keep what a client makes of a refusal."""
    REFUSED[what] = error if isinstance(error, str) else f"{type(error).__name__}: {error}"


def done(package: str) -> None:
    """Print everything."""
    version = importlib.metadata.version(package)
    print(json.dumps({"client": package, "version": version, "found": FOUND, "refused": REFUSED}))
