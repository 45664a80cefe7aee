"""Massive (formerly Polygon): equities aggregates, day and minute, one ticker a request.

Prices unadjusted (`adjusted=false`; its default is split-adjusted), both ends inclusive. A page that has a `next_url`
settles every session before its last row's. Unknown and empty look the same in aggregates; the ticker endpoint tells
them apart. The key travels in a header, never in a URL, and `next_url` is only followed by its path and query, so that
no foreign host ever sees it.
"""

from __future__ import annotations

import datetime as dt
import urllib.parse
import zoneinfo
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import msgspec

from fulltape.core import bars, envelopes
from fulltape.core.envelopes import UNREADABLE
from fulltape.core.time import to_datetime
from fulltape.core.vendor import (
    RETRYABLE,
    Answer,
    Ask,
    Conversation,
    Cursor,
    Decoded,
    Limits,
    Outcome,
    Page,
    Rejected,
    Request,
    Response,
    Serves,
    Settled,
    Source,
    VendorSpec,
)

_NEW_YORK = "America/New_York"
_TIMESPANS = {"equities_bars_day": "day", "equities_bars_minute": "minute"}
_ROWS_PER_PAGE = 50_000
_MILLISECOND = 1_000

SPEC = VendorSpec(
    name="massive",
    title="Massive",
    hosts={"data": "https://api.massive.com"},
    secrets=("key",),
    auth={"Authorization": "Bearer {key}"},
    plans={
        "basic": Limits(per_minute=5, history_days=730),
        # "Unlimited" plans are throttled in bursts; 50 a second stays well below what is said to be safe.
        "starter": Limits(per_minute=3_000, history_days=1_826),
        "developer": Limits(per_minute=3_000, history_days=3_652),
        "advanced": Limits(per_minute=3_000),
    },
    default_plan="basic",
    sources=(
        Source(
            name="massive.sip",
            feed="sip",
            scope="consolidated",
            serves=tuple(
                Serves(
                    dataset=dataset,
                    history_from=dt.date(2003, 9, 10),
                    symbols_per_request=1,
                    rows_per_page=_ROWS_PER_PAGE,
                    stamp_zone=_NEW_YORK if timespan == "day" else "UTC",
                    # Late trades enter the bars at the end of the day; the free plan serves a day after it ended.
                    delay=8 * 3_600,
                )
                for dataset, timespan in _TIMESPANS.items()
            ),
        ),
    ),
    documents=("https://massive.com/docs/rest/stocks/aggregates/custom-bars",),
)


_Milliseconds = Annotated[int, msgspec.Meta(ge=0, lt=7_258_118_400_000)]


class _Stamp(msgspec.Struct):
    t: _Milliseconds


class _Bar(msgspec.Struct):
    t: _Milliseconds
    o: float
    h: float
    l: float  # noqa: E741
    c: float
    v: float
    n: bars.Count | None = None
    vw: float | None = None


_NONE = msgspec.Raw(b"[]")


class _Envelope(msgspec.Struct):
    status: str
    ticker: str = ""
    adjusted: bool | None = None
    results: msgspec.Raw = _NONE  # the key is absent where there is no data
    next_url: str | None = None


class _Ticker(msgspec.Struct):
    ticker: str


class _Details(msgspec.Struct):
    results: _Ticker


class _Error(msgspec.Struct):
    status: str = ""
    error: str = ""
    message: str = ""


_envelope = msgspec.json.Decoder(_Envelope)
_stamps = msgspec.json.Decoder(list[_Stamp])
_bars = msgspec.json.Decoder(list[_Bar])
_slices = msgspec.json.Decoder(list[msgspec.Raw])
_bar = msgspec.json.Decoder(_Bar)


def history(ask: Ask, resume: Cursor | None) -> Conversation:
    """Pages of one ticker until there is no `next_url`; a ticker never seen and without rows is looked up once."""
    (symbol,) = ask.symbols
    token = resume.token if resume else ""
    rows = bool(resume and resume.seen)
    while True:
        response = yield _request(ask, symbol, token)
        assert response is not None
        answer = _read(ask, symbol, response, first=not token, rows=rows)
        yield answer
        if answer.outcome in RETRYABLE:
            continue
        if answer.outcome not in (Outcome.ROWS, Outcome.EMPTY):
            return
        rows = rows or answer.outcome is Outcome.ROWS
        if answer.cursor is None:
            break
        token = answer.cursor.token
    if not rows and symbol not in ask.known:
        yield from _look_up(symbol)


def _request(ask: Ask, symbol: str, token: str) -> Request:
    if token:
        path, _, query = token.partition("?")
        # The documented cursor holds limit and sort only, and `adjusted` is true by default.
        return Request(path=path, params={"adjusted": "false", **dict(urllib.parse.parse_qsl(query))})
    span = _TIMESPANS[ask.dataset]
    ticker = urllib.parse.quote(symbol, safe=":")
    first, last = (
        (ask.first.isoformat(), ask.last.isoformat())
        if span == "day"
        else (str(ask.start // _MILLISECOND), str(ask.end // _MILLISECOND - 1))
    )
    return Request(
        path=f"/v2/aggs/ticker/{ticker}/range/1/{span}/{first}/{last}",
        params={"adjusted": "false", "sort": "asc", "limit": str(ask.rows_per_page or _ROWS_PER_PAGE)},
    )


def _read(ask: Ask, symbol: str, response: Response, *, first: bool, rows: bool) -> Answer:
    if response.status != 200:
        return _refusal(response, symbol, first=first)
    try:
        page = _envelope.decode(response.body)
        count = len(_slices.decode(page.results))
    except UNREADABLE as error:
        return envelopes.malformed(f"not a page of aggregates: {error}")
    if page.status not in ("OK", "DELAYED"):
        return envelopes.malformed(f"status {page.status!r} in a 200 answer")
    if page.ticker and page.ticker != symbol:
        return envelopes.malformed(f"aggregates of {page.ticker}, not of {symbol}")
    if page.adjusted is not False:
        return envelopes.malformed(
            "prices that are not declared unadjusted, though unadjusted ones were asked for"
        )
    through = ask.last
    cursor = None
    if page.next_url:
        token = _path_and_query(page.next_url)
        if not token.startswith("/"):
            return envelopes.malformed(f"next_url {page.next_url!r} is no address")
        cursor = Cursor(token=token, seen=(symbol,) if count or rows else ())
        through = _last_whole_session(ask, page)
    settled = (Settled(symbol=symbol, through=through),) if through >= ask.first else ()
    return Answer(outcome=Outcome.ROWS if count else Outcome.EMPTY, keep=True, cursor=cursor, settled=settled)


def _last_whole_session(ask: Ask, page: _Envelope) -> dt.date:
    """The session before the one in whose midst the page ends; none of the ask's where that cannot be read."""
    try:
        stamps = [stamp.t for stamp in _stamps.decode(page.results)]
    except UNREADABLE:
        stamps = []  # the rows are judged one by one when they are decoded; until the end nothing is settled
    if not stamps or stamps != sorted(stamps):
        return ask.first - dt.timedelta(days=1)
    return _session_of(ask, stamps[-1]) - dt.timedelta(days=1)


def _path_and_query(url: str) -> str:
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.path}?{parts.query}"


def _session_of(ask: Ask, stamp_ms: int) -> dt.date:
    """The session in whose midst the page ended: a minute after 20:00 New York belongs to the next."""
    local = to_datetime(stamp_ms * _MILLISECOND).astimezone(zoneinfo.ZoneInfo(_NEW_YORK))
    return (local + dt.timedelta(hours=4)).date() if ask.dataset == "equities_bars_minute" else local.date()


def _refusal(response: Response, symbol: str, *, first: bool) -> Answer:
    text = _error_text(response)
    reason = envelopes.reason(text, response.status)
    if response.status == 429:
        return Answer(outcome=Outcome.RATE_LIMITED, reason=reason)
    if trouble := envelopes.server_trouble(response, text):
        return trouble
    if response.status == 401:
        return Answer(outcome=Outcome.BAD_CREDENTIALS, reason=reason)
    if response.status == 403 and "before end of day" in text:
        return Answer(outcome=Outcome.NOT_YET, reason=reason)
    if response.status == 403 and "data timeframe" in text:
        return Answer(outcome=Outcome.NOT_SUPPORTED, reason=reason)
    if response.status in (402, 403) and "entitled" in text:
        return Answer(outcome=Outcome.NOT_ENTITLED, symbols=(symbol,), reason=reason)
    if response.status == 400 and not first and "cursor" in text:
        return Answer(outcome=Outcome.CURSOR_REFUSED, reason=reason)
    return envelopes.undocumented(response, reason)


def _error_text(response: Response) -> str:
    try:
        error = msgspec.json.decode(response.body, type=_Error)
    except UNREADABLE:
        return response.body[:200].decode(errors="replace")
    return error.error or error.message


def _look_up(symbol: str) -> Conversation:
    answer = Answer(outcome=Outcome.TRANSIENT)
    while answer.outcome in RETRYABLE:
        response = yield Request(path=f"/v3/reference/tickers/{urllib.parse.quote(symbol, safe=':')}")
        assert response is not None
        answer = _ticker(symbol, response)
        yield answer


def _ticker(symbol: str, response: Response) -> Answer:
    """Where the answer is not about the ticker, nothing is confirmed and nothing is refused."""
    if response.status == 404 and "not found" in _error_text(response).casefold():
        return Answer(outcome=Outcome.UNKNOWN_SYMBOL, symbols=(symbol,), reason=f"{symbol}: ticker not found")
    if response.status == 200:
        try:
            named = msgspec.json.decode(response.body, type=_Details).results.ticker
        except UNREADABLE as error:
            return replace(envelopes.malformed(f"no ticker's details: {error}"), keep=False)
        return Answer(outcome=Outcome.EMPTY, confirmed=(symbol,) if named == symbol else ())
    refusal = _refusal(response, symbol, first=True)
    return refusal if refusal.outcome in RETRYABLE else Answer(outcome=Outcome.EMPTY, reason=refusal.reason)


def decode(pages: Sequence[Page]) -> Decoded:
    """Aggregates of all pages; a page with a bad row is taken row by row, and what is bad is reported."""
    columns = bars.columns()
    rejected: list[Rejected] = []
    for page in pages:
        (symbol,) = page.ask.symbols
        found = _rows(page, symbol, rejected)
        stamps = [bar.t * _MILLISECOND for bar in found]
        bars.append(columns, page=page.number, symbol=symbol, stamps=stamps, bars=found)
    return Decoded(columns=columns, rejected=tuple(rejected))


def _rows(page: Page, symbol: str, rejected: list[Rejected]) -> list[_Bar]:
    try:
        results = _envelope.decode(page.body).results
        try:
            return _bars.decode(results)
        except UNREADABLE:
            rows = _slices.decode(results)
    except UNREADABLE as error:
        rejected.append(Rejected(page=page.number, symbol=symbol, session=None, rows=0, reason=str(error)))
        return []
    found = []
    for row in rows:
        try:
            found.append(_bar.decode(row))
        except UNREADABLE as error:
            session = _session_of_broken(page.ask, row)
            rejected.append(
                Rejected(page=page.number, symbol=symbol, session=session, rows=1, reason=str(error))
            )
    return found


def _session_of_broken(ask: Ask, row: msgspec.Raw) -> dt.date | None:
    try:
        return _session_of(ask, msgspec.json.decode(row, type=_Stamp).t)
    except UNREADABLE:
        return None
