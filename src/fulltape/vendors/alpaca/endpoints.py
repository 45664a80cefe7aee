"""Where each dataset is asked of Alpaca, and what is served there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from fulltape.contract.vendor import Capability
from fulltape.market.days import NEW_YORK

_ROWS_PER_PAGE = 10_000
_ACTIONS_PER_PAGE = 1_000
# SIP history is closed for the last 15 minutes on the free plan; 20 leave room for corrected bars.
_DELAY = 1_200


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a dataset is asked for, and under which `key` its rows come; `looked_up`: whether the asset endpoint knows its
    symbols."""

    path: str
    timeframe: str = ""
    key: str = "bars"
    capability: Capability
    params: Mapping[str, str] = field(default_factory=dict)
    looked_up: bool = False


def _bars(
    dataset: str, path: str, since: dt.date, *, most: int = 100, zone: str = NEW_YORK, **more: str
) -> Endpoint:
    day = dataset.endswith("_day")
    return Endpoint(
        path=path,
        timeframe="1Day" if day else "1Min",
        params=more,
        looked_up=dataset.startswith("equities"),
        capability=Capability(
            dataset=dataset,
            history_from=since,
            symbols_per_request=most,
            rows_per_page=_ROWS_PER_PAGE,
            timestamp_zone=zone if day else "UTC",
            volume_unit="base units" if dataset.startswith("crypto") else "shares",
            delay=_DELAY,
        ),
    )


def _ticks(key: str) -> Endpoint:
    """Trades or quotes of equities. Corrections and cancels of the day are marked in them."""
    return Endpoint(
        path=f"/v2/stocks/{key}",
        key=key,
        params={"asof": "-"},
        looked_up=True,
        capability=Capability(
            dataset=f"equities_{key}",
            history_from=_SINCE,
            symbols_per_request=100,
            rows_per_page=_ROWS_PER_PAGE,
            volume_unit="shares",
            delay=_DELAY,
        ),
    )


_STOCKS, _OPTIONS, _CRYPTO = "/v2/stocks/bars", "/v1beta1/options/bars", "/v1beta3/crypto/us/bars"
ACTIONS = "/v1/corporate-actions"
_SINCE = dt.date(2016, 1, 1)
ENDPOINTS = {
    endpoint.capability.dataset: endpoint
    for endpoint in (
        _bars("equities_bars_day", _STOCKS, _SINCE, adjustment="raw", asof="-"),
        _bars("equities_bars_minute", _STOCKS, _SINCE, adjustment="raw", asof="-"),
        _bars("options_bars_day", _OPTIONS, dt.date(2024, 2, 1)),
        _bars("options_bars_minute", _OPTIONS, dt.date(2024, 2, 1)),
        # Which midnight the day bars begin at is not documented: one that is not UTC is refused at seal.
        _bars("crypto_bars_day", _CRYPTO, dt.date(2021, 1, 1), zone="UTC"),
        _bars("crypto_bars_minute", _CRYPTO, dt.date(2021, 1, 1)),
        _ticks("trades"),
        _ticks("quotes"),
        Endpoint(
            path=ACTIONS,
            looked_up=True,
            capability=Capability(
                dataset="corporate_actions",
                history_from=_SINCE,
                symbols_per_request=100,
                rows_per_page=_ACTIONS_PER_PAGE,
                timestamp="date",
            ),
        ),
    )
}
