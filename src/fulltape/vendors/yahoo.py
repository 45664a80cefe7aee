"""Yahoo Finance's chart endpoint: day bars without a key, unofficial, for personal use and for comparison only.

Prices are adjusted for splits and raw ones are not to be had, so the rows fill the evidence table and never a raw one.
Stamps are the sessions' opens; the date in New York counts. Arrays are parallel and may hold nulls; the last element is
the unfinished bar, even where the span ends before it. Yahoo's terms forbid automated collection: switch it on for
yourself only.
"""

from __future__ import annotations

import datetime as dt
import urllib.parse
from collections.abc import Sequence
from typing import Any

import msgspec

from fulltape.contract import envelopes, symbology
from fulltape.contract.envelopes import UNREADABLE
from fulltape.contract.plans import Limits
from fulltape.contract.vendor import (
    Capability,
    Conversation,
    Cursor,
    Decoded,
    FetchRequest,
    Outcome,
    Page,
    PageResult,
    Rejected,
    Request,
    Response,
    Source,
    Table,
    VendorSpec,
)
from fulltape.decoding import bars
from fulltape.market.days import NEW_YORK, zone_midnight
from fulltape.market.time import SECOND

SPEC = VendorSpec(
    name="yahoo",
    title="Yahoo Finance",
    hosts={"data": "https://query2.finance.yahoo.com"},
    secrets=(),
    auth={},
    headers={"User-Agent": "Mozilla/5.0"},  # plain clients are refused at once
    # No rate is documented; a few hundred an hour are said to be tolerated.
    plans={"tolerated": Limits(per_hour=300, per_minute=30, counted_by="ip")},
    default_plan="tolerated",
    sources=(
        Source(
            name="yahoo.chart",
            feed="chart",
            scope="consolidated",
            capabilities=(
                Capability(
                    dataset="equities_adjusted_evidence",
                    history_from=dt.date(1962, 1, 2),
                    symbols_per_request=1,
                    rows_per_page=50_000,
                    timestamp="date",
                    timestamp_zone=NEW_YORK,
                    adjustment="split",
                    volume_unit="shares",
                    delay=3_600,
                ),
            ),
        ),
    ),
    documents=("https://github.com/ranaroussi/yfinance",),
)


class _Error(msgspec.Struct):
    code: str = ""
    description: str = ""


class _Quote(msgspec.Struct):
    open: list[float | None] = []
    high: list[float | None] = []
    low: list[float | None] = []
    close: list[float | None] = []
    volume: list[float | None] = []


class _Indicators(msgspec.Struct):
    quote: list[_Quote]


class _Result(msgspec.Struct):
    indicators: _Indicators
    timestamp: list[int] = []


class _Chart(msgspec.Struct):
    result: list[_Result] | None = None
    error: _Error | None = None


class _Envelope(msgspec.Struct):
    chart: _Chart


_envelope = msgspec.json.Decoder(_Envelope)


def history(fetch: FetchRequest, resume: Cursor | None) -> Conversation:  # noqa: ARG001 — there is one page, so nothing to resume
    """One answer holds the whole span."""
    wire = urllib.parse.quote(symbology.vendor_symbol(fetch, symbology.suffixed), safe="^=")
    params = {
        "period1": str(fetch.start // SECOND),
        "period2": str(fetch.end // SECOND),
        "interval": "1d",
        "includePrePost": "false",
    }
    request = Request(path=f"/v8/finance/chart/{wire}", params=params)
    yield from envelopes.retried(request, lambda response: _read(fetch, response))


def _read(fetch: FetchRequest, response: Response) -> PageResult:
    try:
        chart = envelopes.read(_envelope, response.body).chart
    except UNREADABLE as error:
        if response.status == 200:
            return envelopes.malformed(f"no chart: {error}")
        chart = _Chart()
    if response.status != 200 or chart.error:
        return _refusal(fetch, response, chart.error or _Error())
    if not chart.result or len(chart.result[0].indicators.quote) != 1:
        return envelopes.malformed("a chart without a result")
    timestamps = chart.result[0].timestamp
    lengths = {len(values) for values in _values(chart.result[0]).values()}
    if timestamps and lengths == {0}:
        timestamps = []  # the documented form of an answer without rows
    if timestamps and lengths != {len(timestamps)}:
        return envelopes.malformed("arrays of different lengths")
    inside = any(fetch.start <= timestamp * SECOND < fetch.end for timestamp in timestamps)
    return PageResult(
        outcome=Outcome.ROWS if inside else Outcome.EMPTY,
        keep=True,
        confirmed=fetch.symbols,
        complete_through=bars.all_complete(fetch),
    )


def _values(result: _Result) -> dict[str, list[float | None]]:
    quote = result.indicators.quote[0]
    return {name: getattr(quote, name) for name in ("open", "high", "low", "close", "volume")}


def _refusal(fetch: FetchRequest, response: Response, error: _Error) -> PageResult:
    reason = envelopes.reason(
        error.description or response.body[:100].decode(errors="replace"), response.status
    )
    if response.status in envelopes.TOO_MANY:
        return envelopes.rate_limited(response, reason)
    if trouble := envelopes.server_trouble(response, error.description):
        return trouble
    if response.status == 404 and error.code == "Not Found":
        return PageResult(outcome=Outcome.UNKNOWN_SYMBOL, symbols=fetch.symbols, reason=reason)
    if response.status == 401:
        return PageResult(outcome=Outcome.NOT_ENTITLED, reason=reason)
    return envelopes.undocumented(response, reason)


_session_of = zone_midnight(NEW_YORK).session


def _days(rows: list[list[Any]]) -> list[list[Any]]:
    """The rows without the running one: stamped with the last trade, it is the last one and stands beside its day's own."""
    if len(rows) > 1 and _session_of(rows[-1][0] * SECOND) == _session_of(rows[-2][0] * SECOND):
        return rows[:-1]
    return rows


def decode(pages: Sequence[Page]) -> Decoded:
    """One table for each page; days on which every price is null have no bar."""
    tables: list[Table] = []
    rejected: list[Rejected] = []
    for page in pages:
        try:
            result = (envelopes.read(_envelope, page.body).chart.result or [])[0]
            values = _values(result)
            if not any(values.values()):
                continue
            rows = [
                (timestamp * SECOND, *prices)
                for timestamp, *prices in _days(
                    [list(row) for row in zip(result.timestamp, *values.values(), strict=True)]
                )
                if page.fetch.start <= timestamp * SECOND < page.fetch.end
                if any(price is not None for price in prices[:4])  # without prices there was no trade
            ]
        except (*UNREADABLE, IndexError) as error:
            rejected.append(Rejected(page=page.number, symbol=None, session=None, rows=0, reason=str(error)))
            continue
        columns: dict[str, list[object]] = {
            name: [row[at] for row in rows] for at, name in enumerate(("timestamp", *values))
        }
        columns["adjustment"] = ["split"] * len(rows)
        tables.append(Table(page=page.number, symbol=page.fetch.symbols[0], columns=columns))
    return Decoded(tables=tuple(tables), rejected=tuple(rejected))
