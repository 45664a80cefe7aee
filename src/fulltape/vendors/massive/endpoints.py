"""What Massive serves, and how much of it a request carries."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from fulltape.contract.vendor import Capability, Source
from fulltape.market.days import NEW_YORK

ROWS_PER_PAGE = 50_000
ACTIONS_PER_PAGE = 5_000
SINCE = dt.date(2003, 9, 10)
_DELAY = 8 * 3_600  # late trades enter the bars at the end of the day, and the free plan serves only then
GROUPED = {
    "equities_bars_day": "us/market/stocks",
    "forex_bars_day": "global/market/fx",
    "crypto_bars_day": "global/market/crypto",
}


def _aggregates(prefix: str, zone: str, **more: object) -> tuple[Capability, ...]:
    name = f"{prefix}_bars_day"
    grouped = 20_000 if name in GROUPED else 0
    day = _serves(name, timestamp_zone=zone, delay=_DELAY, symbols_per_grouped_day=grouped, **more)
    return day, _serves(f"{prefix}_bars_minute", delay=_DELAY, **{**more, "day_boundary": "session"})


def _serves(dataset: str, **more: object) -> Capability:
    plain = Capability(
        dataset=dataset, history_from=SINCE, symbols_per_request=1, rows_per_page=ROWS_PER_PAGE
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def _ticks(dataset: str) -> Capability:
    return _serves(dataset, delay=_DELAY, volume_unit="shares" if dataset.startswith("equities") else "")


_CORPORATE = _serves(
    "corporate_actions",
    symbols_per_request=100,
    rows_per_page=ACTIONS_PER_PAGE,
    look_ups=1,  # splits and dividends are asked for one after the other
    timestamp="date",
)


def _source(feed: str, scope: str, *capability: Capability) -> Source:
    return Source(name=f"massive.{feed}", feed=feed, scope=scope, capabilities=capability)


SOURCES = (
    _source(
        "sip",
        "consolidated",
        *_aggregates("equities", NEW_YORK, volume_unit="shares"),
        _ticks("equities_trades"),
        _ticks("equities_quotes"),
        _CORPORATE,
    ),
    _source("opra", "consolidated", *_aggregates("options", NEW_YORK, volume_unit="contracts")),
    # Built from quotes; which side of them is not documented, so it is called mid.
    _source(
        "forex",
        "composite",
        *_aggregates("forex", "UTC", day_boundary="utc", price_kind="mid"),
        _ticks("forex_quotes"),
    ),
    _source("crypto", "composite", *_aggregates("crypto", "UTC", volume_unit="base units")),
)
