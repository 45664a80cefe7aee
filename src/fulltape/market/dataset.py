"""What a dataset declares, and the two usual kinds of them: bars and ticks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fulltape.market import days
from fulltape.market.assets import AssetClass
from fulltape.market.columns import (
    IDENTITY,
    MINUTE,
    PHASE,
    PROVENANCE,
    START,
)
from fulltape.market.schema import Column, Schema
from fulltape.market.time import Instant

Folder = Literal["year", "month", "date"]
Grain = Literal["day", "minute", "tick", "event"]
Expectation = Literal["every", "learned", "events"]
Available = Literal["close", "minute_end", "ts", "session_end", "declared"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A source-independent table.

    - `asset_class`: what its instruments are, and how their symbols are written;
    - `schema` is the raw table; `curated` adds provenance. `raw_folder` and `curated_folder` say how files are cut;
    - `grain`: `day` and `minute` are bars, `tick` single trades, quotes or values, `event` rows about a date;
    - `expectation`: a row `every` session, as many as were `learned`, or `events`, of which most sessions have none;
    - `rows_per_session`: how many rows a session has at most, for planning, where grain and calendar do not tell;
    - `late_days`: for how long after a session silence about it proves nothing, since vendors add rows late;
    - `available`: from which moment anybody could have had a row: the session's close, the minute's end, its own
      stamp, the end of its session, or what it declares;
    - `checks` names the pass-1 and pass-3 checks that apply (see `checks`);
    - `adjusted` datasets hold what sources that adjust prices say, as evidence beside the raw ones;
    - `density`: the share of sessions with rows that is expected of an unknown instrument; `peers`: whether others tell it;
    - `votes`: what sources say is weighed against each other, so each of them is asked about every session;
    - `live_only`: no source has a history of it, so what was captured live is all there will ever be.
    """

    name: str
    asset_class: AssetClass
    schema: Schema
    calendar: str
    grain: Grain
    raw_folder: Folder
    curated_folder: Folder
    checks: tuple[str, ...]
    summary: str
    expectation: Expectation = "every"
    available: Available = "close"
    rows_per_session: float = 0
    late_days: int = 0
    adjusted: bool = False
    density: float = 0.98
    peers: bool = True
    votes: bool = False
    live_only: bool = False

    @property
    def curated(self) -> Schema:
        """The curated table: the raw columns and where each row came from."""
        return self.schema.extended(*PROVENANCE)

    def session_of(self, timestamp_zone: str = "UTC") -> Callable[[Instant], dt.date]:
        """The session of a row's stamp: day bars by the midnights of `timestamp_zone`, all others by their market."""
        if self.grain == "day":
            return days.zone_midnight(timestamp_zone).session
        return days.RULES[self.calendar].session


def bars(
    asset_class: AssetClass,
    name: str,
    grain: Literal["day", "minute"],
    columns: tuple[Column, ...],
    calendar: str,
    summary: str,
    *,
    learned: bool = False,
    more_checks: tuple[str, ...] = (),
) -> Dataset:
    """Bars of a day or a minute; `learned` where most sessions of most instruments have none; `more_checks` beside the usual ones."""
    minute = grain == "minute"
    own = (PHASE, MINUTE) if minute else ()
    hours = ("session_timing",) if calendar == "XNYS" else ()  # others have no early closes
    checks = ("rows", "duplicates", *(("completeness", *hours) if minute else ()))
    return Dataset(
        name=name,
        asset_class=asset_class,
        schema=Schema(
            version=1,
            columns=(*IDENTITY, START, *columns, *own),
            key=("instrument", "ts") if minute else ("instrument", "session"),
        ),
        calendar=calendar,
        grain=grain,
        raw_folder="month" if minute else "year",
        curated_folder="date" if minute else "year",
        checks=(*checks, *(() if learned else ("continuity",)), *more_checks),
        expectation="learned" if minute or learned else "every",
        available="minute_end" if minute else "close",
        summary=summary,
        density=0.05 if learned else 0.98,
        peers=not learned,
    )


def ticks(
    asset_class: AssetClass,
    name: str,
    columns: tuple[Column, ...],
    calendar: str,
    rows: float,
    summary: str,
    key: tuple[str, ...] = ("instrument", "session", "trade_id"),
    *,
    live_only: bool = False,
    trades_by_hours: bool = False,
) -> Dataset:
    """Single trades, quotes or values: about so many `rows` a session. `trades_by_hours`: their hours tell a shifted day."""
    timed = ("session_timing",) if trades_by_hours else ()
    return Dataset(
        name=name,
        asset_class=asset_class,
        schema=Schema(version=1, columns=(*IDENTITY, *columns), key=key),
        calendar=calendar,
        grain="tick",
        raw_folder="date",
        curated_folder="date",
        checks=("rows", "duplicates", "continuity", *timed),
        expectation="learned",
        available="ts",
        live_only=live_only,
        rows_per_session=rows,
        summary=summary,
    )
