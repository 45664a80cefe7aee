"""Tiingo: day bars of US stocks, funds and ETFs since 1962, raw and adjusted side by side.

The raw columns fill `equities_bars_day`, the adjusted ones (splits and dividends) only the evidence table. Dates are
labels at midnight UTC. Without `startDate` only the newest row comes, so both ends are always sent. The key goes into a
header: the query would leak it.
"""

from __future__ import annotations

import datetime as dt
import urllib.parse
from collections.abc import Sequence

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
    Request,
    Response,
    RowFormat,
    Slice,
    Source,
    VendorSpec,
    WireField,
)
from fulltape.decoding import bars

_RAW, _ADJUSTED = "equities_bars_day", "equities_adjusted_evidence"
SPEC = VendorSpec(
    name="tiingo",
    title="Tiingo",
    hosts={"data": "https://api.tiingo.com"},
    secrets=("key",),
    auth={"Authorization": "Token {key}"},
    plans={
        "free": Limits(per_hour=50, per_day=1_000),
        "power": Limits(per_hour=10_000, per_day=100_000),
    },
    default_plan="free",
    sources=(
        Source(
            name="tiingo.eod",
            feed="eod",
            scope="consolidated",
            capabilities=tuple(
                Capability(
                    dataset=dataset,
                    history_from=dt.date(1962, 1, 2),
                    symbols_per_request=1,
                    rows_per_page=50_000,
                    timestamp="date",
                    adjustment=adjustment,
                    volume_unit="shares",
                    delay=4 * 3_600,  # corrected until about 20:00 New York
                )
                for dataset, adjustment in ((_RAW, "raw"), (_ADJUSTED, "split_dividend"))
            ),
        ),
    ),
    documents=("https://www.tiingo.com/documentation/end-of-day",),
)


def _row_format(*columns: str) -> RowFormat:
    names = ("open", "high", "low", "close", "volume")
    fields = (WireField(wire=wire, column=column) for wire, column in zip(columns, names, strict=True))
    return RowFormat(
        fields=(WireField(wire="date", column="timestamp", kind="text"), *fields),
        unit="iso",
        timestamp_kind="text",
    )


_SHAPES = {
    _RAW: _row_format("open", "high", "low", "close", "volume"),
    _ADJUSTED: _row_format("adjOpen", "adjHigh", "adjLow", "adjClose", "adjVolume"),
}


class _Row(msgspec.Struct):
    date: str


_rows = msgspec.json.Decoder(list[_Row])


def history(fetch: FetchRequest, resume: Cursor | None) -> Conversation:  # noqa: ARG001 — there is one page, so nothing to resume
    """One answer holds the whole span; a ticker that is not known is an error of its own."""
    wire = urllib.parse.quote(symbology.vendor_symbol(fetch, symbology.hyphenated), safe="")
    params = {
        "startDate": fetch.first.isoformat(),
        "endDate": fetch.last.isoformat(),
        "format": "json",
        "sort": "date",
    }
    request = Request(path=f"/tiingo/daily/{wire}/prices", params=params)
    yield from envelopes.retried(request, lambda response: _read(fetch, response))


def _read(fetch: FetchRequest, response: Response) -> PageResult:
    if response.status != 200:
        return _refusal(fetch, response)
    try:
        rows = envelopes.read(_rows, response.body)
    except UNREADABLE as error:
        text = response.body[:200].decode(errors="replace")
        if "allocation" in text:
            return PageResult(outcome=Outcome.RATE_LIMITED, reason=envelopes.reason(text, response.status))
        return envelopes.malformed(f"no rows: {error}")
    return PageResult(
        outcome=Outcome.ROWS if rows else Outcome.EMPTY,
        keep=True,
        confirmed=fetch.symbols,
        complete_through=bars.all_complete(fetch),
    )


def _refusal(fetch: FetchRequest, response: Response) -> PageResult:
    text = envelopes.error_text(response, "detail")
    reason = envelopes.reason(text, response.status)
    if response.status in envelopes.TOO_MANY or "allocation" in text:
        return envelopes.rate_limited(response, reason)
    if trouble := envelopes.server_trouble(response, text):
        return trouble
    if response.status == 404 and "not found" in text:
        return PageResult(outcome=Outcome.UNKNOWN_SYMBOL, symbols=fetch.symbols, reason=reason)
    is_json = response.body.lstrip().startswith(b"{")  # anything else is a proxy's page
    if is_json and response.status in (401, 403) and "token" in text.casefold():
        return PageResult(outcome=Outcome.BAD_CREDENTIALS, reason=reason)
    if is_json and response.status == 401:
        return PageResult(outcome=Outcome.BAD_CREDENTIALS, reason=reason)
    if is_json and response.status == 403:
        return PageResult(outcome=Outcome.NOT_ENTITLED, symbols=fetch.symbols, reason=reason)
    return envelopes.undocumented(response, reason)


def decode(pages: Sequence[Page]) -> Decoded:
    """One slice for each page."""
    return Decoded(
        slices=tuple(
            Slice(
                page=page.number,
                symbol=page.fetch.symbols[0],
                rows=page.body,
                row_format=_SHAPES[page.fetch.dataset],
                fixed={"adjustment": "split_dividend"} if page.fetch.dataset == _ADJUSTED else {},
            )
            for page in pages
        )
    )
