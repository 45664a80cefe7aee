"""FRED and ALFRED: macro series with every vintage; the treasury curve is DGS1MO to DGS30.

A session is the day on which values were published. A fetch names days of publication; we first read which of them
have a vintage and then ask for the revisions, at most 1,900 vintages at once. What a bounded answer says of the edges
of its window is clipped: a row that begins where the window begins is older, one that ends where it ends may still be
current. So the window begins a day early, its first day is left out, and an end at its last day is unknown. `.` is a
value that was not available in that vintage: null, never the earlier one. Nearly every refusal is a 400 that must be
told by its text.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from fulltape.contract import envelopes, symbology
from fulltape.contract.envelopes import UNREADABLE
from fulltape.contract.plans import Limits
from fulltape.contract.vendor import (
    RETRYABLE,
    Capability,
    CompleteThrough,
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
from fulltape.market.time import SECOND, midnight

_MOST_VINTAGES = 1_900
_ROWS_PER_PAGE = 100_000
_DAY = dt.timedelta(days=1)
SPEC = VendorSpec(
    name="fred",
    title="FRED",
    hosts={"data": "https://api.stlouisfed.org"},
    secrets=("key",),
    auth={},
    auth_params={"api_key": "{key}"},
    # Bursts of more than two a second are refused at once since 2026, though the page says 120 a minute.
    plans={"free": Limits(per_minute=120, per_second=2)},
    default_plan="free",
    sources=(
        Source(
            name="fred.alfred",
            feed="alfred",
            scope="official",
            capabilities=(
                Capability(
                    dataset="macro_series",
                    history_from=dt.date(1927, 1, 1),
                    symbols_per_request=1,
                    rows_per_page=_ROWS_PER_PAGE,
                    look_ups=1,  # the dates of the vintages
                    timestamp="date",
                    # Releases of a day in US Central time have all come by the next morning.
                    delay=12 * 3_600,
                ),
            ),
        ),
    ),
    documents=(
        "https://fred.stlouisfed.org/docs/api/fred/series_observations.html",
        "https://fred.stlouisfed.org/docs/api/fred/series_vintagedates.html",
    ),
)


class _Vintages(msgspec.Struct):
    vintage_dates: list[dt.date]
    count: int = 0


class _Observation(msgspec.Struct):
    realtime_start: dt.date
    realtime_end: dt.date
    date: dt.date
    value: str


class _Observations(msgspec.Struct):
    observations: list[msgspec.Raw]
    realtime_start: dt.date
    realtime_end: dt.date
    count: int
    offset: int = 0
    limit: int = _ROWS_PER_PAGE


_NO_VINTAGES = "no vintage in the span"
_vintages = msgspec.json.Decoder(_Vintages)
_observations = msgspec.json.Decoder(_Observations)
_observation = msgspec.json.Decoder(_Observation)


def history(fetch: FetchRequest, resume: Cursor | None) -> Conversation:
    """The vintages of the span, then their revisions, window by window and page by page."""
    series = symbology.vendor_symbol(fetch)
    start, _, offset = resume.token.partition(":") if resume else (fetch.first.isoformat(), "", "0")
    dates: list[dt.date] = []

    def read_vintages(response: Response) -> PageResult:
        answer, published = _dates(fetch, response)
        dates[:] = published
        return answer

    params = {
        "series_id": series,
        "realtime_start": start,
        "realtime_end": fetch.last.isoformat(),
        "file_type": "json",
        "limit": "10000",
    }
    answer = yield from envelopes.retried(
        Request(path="/fred/series/vintagedates", params=params), read_vintages
    )
    if answer.reason.startswith(_NO_VINTAGES):
        yield from _look_up(fetch, series)
        return
    if answer.outcome not in (Outcome.ROWS, Outcome.EMPTY):
        return
    skip = int(offset)
    while dates:
        window, rest = dates[:_MOST_VINTAGES], dates[_MOST_VINTAGES:]
        answer = yield from envelopes.retried(
            _revisions(fetch, series, window, skip),
            lambda response, window=window, rest=rest, skip=skip: _page(  # type: ignore[misc]
                fetch, response, window, rest, skip
            ),
        )
        if answer.outcome not in (Outcome.ROWS, Outcome.EMPTY) or answer.cursor is None:
            return
        start, _, offset = answer.cursor.token.partition(":")
        skip = int(offset)
        dates = [date for date in dates if date.isoformat() >= start]


def _dates(fetch: FetchRequest, response: Response) -> tuple[PageResult, list[dt.date]]:
    """Which days of the span have a vintage; without one the answer itself proves that nothing was published."""
    if response.status != 200:
        refusal = _refusal(fetch, response)
        if refusal.outcome is Outcome.NOT_SUPPORTED:
            # The same words for a span before the first vintage, for a series without any, and for an unknown one.
            reason = f"{_NO_VINTAGES}: {refusal.reason}"
            return PageResult(outcome=Outcome.EMPTY, reason=reason), []
        return refusal, []
    try:
        vintages = _vintages.decode(response.body)
    except UNREADABLE as error:
        return envelopes.malformed(f"no vintage dates: {error}"), []
    dates = [date for date in vintages.vintage_dates if fetch.first <= date <= fetch.last]
    if dates != sorted(dates) or vintages.count > len(vintages.vintage_dates):
        return envelopes.malformed("vintage dates that are out of order or not whole"), []
    answer = PageResult(outcome=Outcome.EMPTY, confirmed=fetch.symbols)
    if not dates:
        answer = PageResult(
            outcome=Outcome.EMPTY,
            keep=True,
            confirmed=fetch.symbols,
            complete_through=bars.all_complete(fetch),
            memo="vintages",
        )
    return answer, dates


def _revisions(fetch: FetchRequest, series: str, window: Sequence[dt.date], offset: int) -> Request:
    limit = min(fetch.rows_per_page or _ROWS_PER_PAGE, _ROWS_PER_PAGE)
    params = {
        "series_id": series,
        "realtime_start": (window[0] - _DAY).isoformat(),
        "realtime_end": window[-1].isoformat(),
        "file_type": "json",
        "limit": str(limit),
        "offset": str(offset),
        "sort_order": "asc",
    }
    return Request(path="/fred/series/observations", params=params)


def _page(
    fetch: FetchRequest, response: Response, window: Sequence[dt.date], rest: Sequence[dt.date], skip: int
) -> PageResult:
    if response.status != 200:
        return _refusal(fetch, response)
    try:
        page = _observations.decode(response.body)
    except UNREADABLE as error:
        return envelopes.malformed(f"no page of observations: {error}")
    if page.offset != skip or (not page.observations and page.count > skip):
        return envelopes.malformed(f"{len(page.observations)} rows from {page.offset} of {page.count}")
    answer = PageResult(
        outcome=Outcome.ROWS if page.observations else Outcome.EMPTY, keep=True, confirmed=fetch.symbols
    )
    done = skip + len(page.observations)
    if done < page.count:
        return replace(answer, cursor=Cursor(token=f"{window[0].isoformat()}:{done}", seen=fetch.symbols))
    if not rest:
        return replace(answer, complete_through=bars.all_complete(fetch))
    complete_through = (CompleteThrough(symbol=fetch.symbols[0], through=rest[0] - _DAY),)
    return replace(
        answer,
        cursor=Cursor(token=f"{rest[0].isoformat()}:0", seen=fetch.symbols),
        complete_through=complete_through,
    )


def _refusal(fetch: FetchRequest, response: Response) -> PageResult:
    text = envelopes.error_text(response, "error_message")
    reason = envelopes.reason(text, response.status)
    if response.status in envelopes.TOO_MANY:
        answer = envelopes.rate_limited(response, reason)
        return replace(answer, retry_at=answer.retry_at or response.received_at + 20 * SECOND)
    if response.status == 423:
        return PageResult(outcome=Outcome.TRANSIENT, reason=reason)
    if trouble := envelopes.server_trouble(response, text):
        return trouble
    if "api_key" in text:
        return PageResult(outcome=Outcome.BAD_CREDENTIALS, reason=reason)
    if "does not exist in ALFRED" in text:
        return PageResult(outcome=Outcome.NOT_SUPPORTED, symbols=fetch.symbols, reason=reason)
    if "series does not exist" in text:
        return PageResult(outcome=Outcome.UNKNOWN_SYMBOL, symbols=fetch.symbols, reason=reason)
    if "after today's date" in text:
        return PageResult(outcome=Outcome.NOT_YET, reason=reason)
    return envelopes.undocumented(response, reason)


def _look_up(fetch: FetchRequest, series: str) -> Conversation:
    """Whether a series has vintages at another time; if not, the plain request tells whether it is one at all."""
    whole = {
        "series_id": series,
        "realtime_start": "1776-07-04",
        "realtime_end": "9999-12-31",
        "file_type": "json",
        "limit": "1",
    }

    def elsewhere(response: Response) -> PageResult:
        if response.status == 200:
            return PageResult(
                outcome=Outcome.EMPTY,
                keep=True,
                confirmed=fetch.symbols,
                complete_through=bars.all_complete(fetch),
                memo="vintages",
            )
        refusal = _refusal(fetch, response)
        again = (*RETRYABLE, Outcome.UNKNOWN_SYMBOL, Outcome.BAD_CREDENTIALS)
        return (
            refusal if refusal.outcome in again else PageResult(outcome=Outcome.EMPTY, reason=refusal.reason)
        )

    answer = yield from envelopes.retried(Request(path="/fred/series/vintagedates", params=whole), elsewhere)
    if answer.keep or answer.outcome is not Outcome.EMPTY:
        return

    def plain(response: Response) -> PageResult:
        if response.status == 200:
            reason = f"{series} is in FRED, but without vintages"
            return PageResult(outcome=Outcome.NOT_SUPPORTED, symbols=fetch.symbols, reason=reason)
        return _refusal(fetch, response)

    params = {"series_id": series, "file_type": "json"}
    yield from envelopes.retried(Request(path="/fred/series", params=params), plain)


def decode(pages: Sequence[Page]) -> Decoded:
    """One table for each page of observations."""
    tables: list[Table] = []
    rejected: list[Rejected] = []
    replaced: dict[dt.date, _Open] = {}
    for page in pages:
        if page.memo:
            continue
        try:
            body = _observations.decode(page.body)
        except UNREADABLE as error:
            rejected.append(Rejected(page=page.number, symbol=None, session=None, rows=0, reason=str(error)))
            continue
        tables.append(_table(page, body, rejected, replaced))
    return Decoded(tables=tuple(tables), rejected=tuple(rejected))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    """A vintage whose end lies beyond its window: where its end is written, once a later window tells it."""

    ends: list[object]
    at: int
    start: dt.date


def _table(
    page: Page, body: _Observations, rejected: list[Rejected], replaced: dict[dt.date, _Open]
) -> Table:
    """The vintages of one window. Those of a date follow each other, so that one that an earlier window of the fetch left
    open ends on the day before the next begins; `replaced` are the open ones by date."""
    (symbol,) = page.fetch.symbols
    columns: dict[str, list[object]] = {
        name: [] for name in ("timestamp", "session", "value", "realtime_start", "realtime_end")
    }
    for raw in body.observations:
        try:
            observation = _observation.decode(raw)
            value = None if observation.value == "." else float(observation.value)
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{observation.value!r} is no value")
        except UNREADABLE as error:
            rejected.append(
                Rejected(page=page.number, symbol=symbol, session=None, rows=1, reason=str(error))
            )
            continue
        if (
            observation.realtime_start == body.realtime_start
            or not page.fetch.first <= observation.realtime_start <= page.fetch.last
        ):
            continue  # older than the window, whose edge clips it
        before = replaced.pop(observation.date, None)
        if before is not None and before.start < observation.realtime_start:
            before.ends[before.at] = observation.realtime_start - _DAY
        columns["timestamp"].append(midnight(observation.date))
        columns["session"].append(observation.realtime_start)
        columns["value"].append(value)
        columns["realtime_start"].append(observation.realtime_start)
        ends = columns["realtime_end"]
        ends.append(observation.realtime_end if observation.realtime_end < body.realtime_end else None)
        if ends[-1] is None:
            replaced[observation.date] = _Open(ends=ends, at=len(ends) - 1, start=observation.realtime_start)
    return Table(page=page.number, symbol=symbol, columns=columns)
