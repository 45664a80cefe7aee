"""The datasets: one `Dataset` in `DATASETS` declares each; nothing else in fulltape names a dataset."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fulltape import errors
from fulltape.market import days
from fulltape.market.columns import (
    CONTRACT,
    CORRECTION,
    CRYPTO_MORE,
    EXACT,
    IDENTITY,
    MINUTE,
    PHASE,
    PRICES,
    PROVENANCE,
    QUOTED,
    REPORTED,
    START,
    TRADE,
    best,
    traded,
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
    - `live_only`: no source has a history of it, so what was captured live is all there will ever be.
    """

    name: str
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
    live_only: bool = False

    @property
    def curated(self) -> Schema:
        """The curated table: the raw columns and where each row came from."""
        return self.schema.extended(*PROVENANCE)

    def session_of(self, stamp_zone: str = "UTC") -> Callable[[Instant], dt.date]:
        """The session of a row's stamp: day bars by the midnights of `stamp_zone`, all others by their market."""
        if self.grain == "day":
            return days.zone_midnight(stamp_zone).session
        return days.RULES[self.calendar].session


def _bars(
    name: str,
    grain: Literal["day", "minute"],
    columns: tuple[Column, ...],
    calendar: str,
    summary: str,
    *,
    learned: bool = False,
) -> Dataset:
    minute = grain == "minute"
    own = (PHASE, MINUTE) if minute else ()
    hours = ("session_timing",) if calendar == "XNYS" else ()  # others have no early closes
    checks = ("rows", "duplicates", *(("completeness", *hours) if minute else ()))
    return Dataset(
        name=name,
        schema=Schema(
            version=1,
            columns=(*IDENTITY, START, *columns, *own),
            key=("instrument", "ts") if minute else ("instrument", "session"),
        ),
        calendar=calendar,
        grain=grain,
        raw_folder="month" if minute else "year",
        curated_folder="date" if minute else "year",
        checks=checks if learned else (*checks, "continuity"),
        expectation="learned" if minute or learned else "every",
        available="minute_end" if minute else "close",
        summary=summary,
        density=0.05 if learned else 0.98,
        peers=not learned,
    )


def _ticks(
    name: str,
    columns: tuple[Column, ...],
    calendar: str,
    rows: float,
    summary: str,
    key: tuple[str, ...] = ("instrument", "session", "trade_id"),
    *,
    live_only: bool = False,
) -> Dataset:
    timed = ("session_timing",) if name == "equities_trades" else ()
    return Dataset(
        name=name,
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


_CLOSE_KIND = Column(name="close_kind", dtype="cat", nullable=True)
_EVERY = (
    _ticks(
        "equities_trades",
        (
            *EXACT,
            Column(name="price", dtype="f64", sign="positive", unit="price"),
            Column(name="size", dtype="f64", sign="not_negative", unit="shares"),
            Column(
                name="trade_id", dtype="str", unit="unique with its session, exchange and facility at most"
            ),
            *REPORTED,
            Column(
                name="trf", dtype="cat", nullable=True, unit="the reporting facility, as the source writes it"
            ),
            CORRECTION,
        ),
        "XNYS",
        20_000,
        "every trade as it was reported, those that were taken back marked",
        key=("instrument", "session", "exchange", "trf", "trade_id", "ts_event"),
    ),
    _ticks(
        "equities_quotes",
        (*EXACT, *best("shares"), Column(name="ask_exchange", dtype="cat", nullable=True), *REPORTED),
        "XNYS",
        100_000,
        "every best bid and ask; `exchange` is the bid's",
        key=(),
    ),
    _ticks(
        "forex_quotes",
        (
            *EXACT,
            Column(name="bid", dtype="f64", sign="not_negative", unit="price"),
            Column(name="ask", dtype="f64", sign="not_negative", unit="price"),
        ),
        days.FOREX,
        80_000,
        "bids and asks side by side; a side that was not told is 0",
        key=(),
    ),
    _bars(
        "equities_bars_day",
        "day",
        (*traded("shares"), _CLOSE_KIND),
        "XNYS",
        "one bar a session, unadjusted; ts is the calendar's open",
    ),
    _bars(
        "equities_bars_minute",
        "minute",
        traded("shares"),
        "XNYS",
        "one bar a minute with trades, unadjusted, all phases",
    ),
    Dataset(
        name="equities_adjusted_evidence",
        schema=Schema(
            version=1,
            columns=(
                *IDENTITY,
                START,
                *traded("shares, adjusted"),
                Column(name="adjustment", dtype="cat", unit="what the source has adjusted for"),
            ),
            key=("instrument", "session"),
        ),
        calendar="XNYS",
        grain="day",
        raw_folder="year",
        curated_folder="year",
        checks=("rows", "duplicates", "continuity"),
        adjusted=True,
        summary="day bars as sources adjust them: for comparison only, history changes with every action",
    ),
    _bars(
        "options_bars_day",
        "day",
        (*traded("contracts"), *CONTRACT),
        "XNYS",
        "one bar a session with trades and contract; the instrument is the contract",
        learned=True,
    ),
    _bars(
        "options_bars_minute",
        "minute",
        (*traded("contracts"), *CONTRACT),
        "XNYS",
        "one bar a minute with trades and contract; the instrument is the contract",
        learned=True,
    ),
    _bars(
        "forex_bars_day",
        "day",
        (*QUOTED, Column(name="day_boundary", dtype="cat", unit="session (17:00 New York) or utc")),
        days.FOREX,
        "one bar a day from quotes; ts is the session's begin at 17:00 New York",
    ),
    _bars("forex_bars_minute", "minute", QUOTED, days.FOREX, "one bar a minute with quotes"),
    _bars(
        "crypto_bars_day",
        "day",
        (*traded("base units"), *CRYPTO_MORE),
        days.ROUND_THE_CLOCK,
        "one bar a UTC day",
    ),
    _bars(
        "crypto_bars_minute",
        "minute",
        (*traded("base units"), *CRYPTO_MORE),
        days.ROUND_THE_CLOCK,
        "one bar a minute with trades",
    ),
    _ticks("crypto_trades", TRADE, days.ROUND_THE_CLOCK, 200_000, "every trade, with the venue's own id"),
    _ticks(
        "crypto_aggtrades",
        (
            *TRADE,
            Column(name="first_trade_id", dtype="str"),
            Column(name="last_trade_id", dtype="str"),
        ),
        days.ROUND_THE_CLOCK,
        100_000,
        "trades of one taker's order at one price, as the venue joins them",
    ),
    _ticks(
        "crypto_quotes",
        (
            *EXACT,
            *best("base units"),
            Column(name="update_id", dtype="str", nullable=True),
        ),
        days.ROUND_THE_CLOCK,
        1_000_000,
        "every best bid and ask that a venue sent, as captured live",
        key=(),
        live_only=True,
    ),
    _ticks(
        "crypto_books",
        (
            Column(name="ts", dtype="instant", unit="time of receipt, UTC"),
            Column(name="message", dtype="str", unit="as it came"),
        ),
        days.ROUND_THE_CLOCK,
        1_000_000,
        "messages about order books, recorded as they came",
        key=(),
        live_only=True,
    ),
    _ticks(
        "forex_ticks",
        (
            Column(name="ts", dtype="instant", unit="time of the quote, UTC"),
            Column(name="price", dtype="f64", sign="positive", unit="price"),
            Column(name="price_kind", dtype="cat", unit="bid, ask or mid"),
        ),
        days.FOREX,
        80_000,
        "a source's own quotes, one price each",
        key=(),
    ),
    _ticks(
        "synthetic_ticks",
        (
            Column(name="ts", dtype="instant", unit="time of the tick, UTC"),
            Column(name="price", dtype="f64", sign="positive", unit="points"),
        ),
        days.ROUND_THE_CLOCK,
        86_400,
        "ticks of a broker's synthetic index",
        key=(),
    ),
    _bars("synthetic_bars_day", "day", PRICES, days.ROUND_THE_CLOCK, "one candle a UTC day"),
    _bars("synthetic_bars_minute", "minute", PRICES, days.ROUND_THE_CLOCK, "one candle a minute"),
    Dataset(
        name="macro_series",
        schema=Schema(
            version=1,
            columns=(
                *IDENTITY,
                Column(name="ts", dtype="instant", unit="start of the observed period, UTC midnight"),
                Column(
                    name="value", dtype="f64", nullable=True, unit="the series' own; null: withdrawn or none"
                ),
                Column(name="realtime_start", dtype="date", unit="first day on which it was so published"),
                Column(
                    name="realtime_end",
                    dtype="date",
                    nullable=True,
                    unit="last such day; null: not replaced when asked",
                ),
            ),
            key=("instrument", "ts", "realtime_start"),
        ),
        calendar=days.DATES,
        grain="event",
        raw_folder="year",
        curated_folder="year",
        checks=("rows", "duplicates"),
        expectation="events",
        available="session_end",
        rows_per_session=8,
        summary="every published value with its vintage; the session is the day of its release",
    ),
    Dataset(
        name="corporate_actions",
        schema=Schema(
            version=1,
            columns=(
                *IDENTITY,
                Column(name="ts", dtype="instant", unit="ex-date, UTC midnight"),
                Column(name="event_id", dtype="str", unit="the source's own id"),
                Column(name="action_type", dtype="cat"),
                Column(name="subtype", dtype="cat", nullable=True),
                Column(name="ex_date", dtype="date"),
                Column(name="declared_date", dtype="date", nullable=True),
                Column(name="record_date", dtype="date", nullable=True),
                Column(name="pay_date", dtype="date", nullable=True),
                Column(name="process_date", dtype="date", nullable=True),
                Column(name="ratio_old", dtype="f64", nullable=True, sign="positive"),
                Column(name="ratio_new", dtype="f64", nullable=True, sign="positive"),
                Column(
                    name="amount", dtype="f64", nullable=True, sign="not_negative", unit="currency per share"
                ),
                Column(name="currency", dtype="cat", nullable=True),
                Column(name="special", dtype="bool", nullable=True),
                Column(name="new_symbol", dtype="str", nullable=True),
            ),
            key=("instrument", "event_id"),
        ),
        calendar=days.DATES,
        grain="event",
        raw_folder="year",
        curated_folder="year",
        checks=("rows", "duplicates", "actions"),
        expectation="events",
        available="declared",
        rows_per_session=0.05,
        late_days=30,
        summary="splits, dividends and other actions, as announced; the session is the ex-date",
    ),
)
DATASETS = {dataset.name: dataset for dataset in _EVERY}


def get(name: str) -> Dataset:
    """The dataset of that name, or a `UsageError` that names the nearest one."""
    try:
        return DATASETS[name]
    except KeyError:
        near = difflib.get_close_matches(name, DATASETS, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known datasets: {', '.join(DATASETS)}."
        raise errors.UsageError(f"there is no dataset {name!r}.", hint=hint) from None
