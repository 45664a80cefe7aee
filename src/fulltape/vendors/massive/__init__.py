"""Massive (formerly Polygon): aggregates of equities, options, forex and crypto, trades and quotes of equities, quotes of
forex, splits and dividends.

Prices unadjusted (`adjusted=false`; the default is split-adjusted). Aggregates come one ticker a request, or a whole
market's day in one (grouped daily), which is asked for where it takes fewer requests. `next_url` is only followed by its
path and query, so that no foreign host ever sees it. Grouped rows are stamped at their end, all others at their start;
day bars of stocks and options begin at midnight in New York, those of forex and crypto at midnight UTC.

Belongs here: what is asked of Massive and what its bytes mean; announcements and the reference table in files of their
own. Does not belong here: sockets, clocks, polars, other vendors.
"""

from __future__ import annotations

import datetime as dt
import functools
import urllib.parse
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Annotated

import msgspec

from fulltape.contract import envelopes, symbology
from fulltape.contract.envelopes import UNREADABLE
from fulltape.contract.plans import Connecting, Delayed, Limits
from fulltape.contract.vendor import (
    LOOK_UP,
    RETRYABLE,
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
    RowFormat,
    Slice,
    Table,
    VendorSpec,
    WireField,
)
from fulltape.decoding import actions, bars
from fulltape.market import assets, datasets
from fulltape.market.days import NEW_YORK
from fulltape.vendors.massive import ticks
from fulltape.vendors.massive.announced import told_of
from fulltape.vendors.massive.endpoints import ACTIONS_PER_PAGE, GROUPED, ROWS_PER_PAGE, SOURCES
from fulltape.vendors.massive.live import meaning as meaning
from fulltape.vendors.massive.live import streams as streams
from fulltape.vendors.massive.reference import reference as reference

_MILLISECOND = 1_000
_ACTIONS = {"/stocks/v1/splits": "execution_date", "/stocks/v1/dividends": "ex_dividend_date"}


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
    stream_hosts={"stream": "wss://socket.massive.com"},
    delayed=dict.fromkeys(("starter", "developer"), Delayed(seconds=900, host="wss://delayed.massive.com")),
    connecting=Connecting(attempts=10, seconds=60, after_refusal=30),
    sources=SOURCES,
    documents=(
        "https://massive.com/docs/rest/stocks/aggregates/custom-bars",
        "https://massive.com/docs/rest/stocks/trades-quotes/trades",
        "https://massive.com/docs/rest/stocks/corporate-actions/splits",
    ),
)

_Milliseconds = Annotated[int, msgspec.Meta(ge=0, lt=7_258_118_400_000)]


class _Stamp(msgspec.Struct):
    t: _Milliseconds


_FORBIDDEN = {"before end of day": Outcome.NOT_YET, "data timeframe": Outcome.NOT_SUPPORTED}


class _Name(msgspec.Struct):
    T: str = ""
    ticker: str = ""


_NONE = msgspec.Raw(b"[]")


class _Envelope(msgspec.Struct):
    status: str
    ticker: str = ""
    adjusted: bool | None = None
    results: msgspec.Raw = _NONE  # the key is absent where there is no data
    next_url: str | None = None


class _Details(msgspec.Struct):
    results: dict[str, object]


_envelope = msgspec.json.Decoder(_Envelope)
_stamps = msgspec.json.Decoder(list[_Stamp])
_names = msgspec.json.Decoder(list[_Name])
_slices = msgspec.json.Decoder(list[msgspec.Raw])
_actions = msgspec.json.Decoder(list[dict[str, object]])


def _row_format(dataset: str) -> RowFormat:
    count = "tick_count" if dataset.startswith("forex") else "trade_count"
    return RowFormat(
        fields=(
            WireField(wire="t", column="timestamp", kind="integer"),
            *bars.SHORT[:-1],
            WireField(wire="n", column=count, kind="integer"),
            WireField(wire="T", column="symbol", kind="text"),
        ),
        unit="ms",
    )


def ticker(dataset: str, symbol: str) -> str:
    """How the vendor writes a symbol: `C:EURUSD`, `X:BTCUSD`, `O:AAPL211119C00085000`, `AAPL`."""
    kind = dataset.partition("_")[0]
    prefix = {"forex": "C:", "crypto": "X:", "options": "O:"}.get(kind, "")
    return prefix + (symbol.replace("/", "") if prefix in ("C:", "X:") else symbol)


def history(fetch: FetchRequest, resume: Cursor | None) -> Conversation:
    """Pages until there is no `next_url`; one day of a whole market after the other where that takes fewer requests; a
    ticker never seen and without rows is looked up once."""
    wire = symbology.names(fetch, lambda symbol: ticker(fetch.dataset, symbol)).vendor_symbols
    request = _after(resume.token) if resume else _first(fetch, wire)
    seen = set(resume.seen) if resume else set()
    while request is not None:
        response = yield request
        assert response is not None
        answer, served = _read(fetch, wire, request, response, seen)
        yield answer
        if answer.outcome in RETRYABLE:
            continue
        if answer.outcome not in (Outcome.ROWS, Outcome.EMPTY):
            return
        seen |= served
        request = _after(answer.cursor.token) if answer.cursor else None
    for symbol in _unseen(fetch, seen):
        path = f"/v3/reference/tickers/{urllib.parse.quote(wire[symbol], safe=':')}"
        read = functools.partial(_ticker, symbol, wire[symbol])
        yield from envelopes.retried(Request(path=path), read)


def _unseen(fetch: FetchRequest, seen: AbstractSet[str]) -> list[str]:
    """The symbols that are looked up once all pages are here."""
    return [symbol for symbol in fetch.symbols if symbol not in seen and symbol not in fetch.known]


def _first(fetch: FetchRequest, wire: Mapping[str, str]) -> Request:
    if fetch.dataset == "corporate_actions":
        return _of_actions(fetch, wire, next(iter(_ACTIONS)))
    if len(fetch.symbols) > 1:
        return _grouped(fetch, fetch.first)
    if fetch.dataset in ticks.PATHS:
        return ticks.request(fetch, wire[fetch.symbols[0]])
    span = "day" if fetch.dataset.endswith("_day") else "minute"
    first, last = (
        (fetch.first.isoformat(), fetch.last.isoformat())
        if span == "day"
        else (str(fetch.start // _MILLISECOND), str(fetch.end // _MILLISECOND - 1))
    )
    name = urllib.parse.quote(wire[fetch.symbols[0]], safe=":")
    return Request(
        path=f"/v2/aggs/ticker/{name}/range/1/{span}/{first}/{last}",
        params={"adjusted": "false", "sort": "asc", "limit": str(fetch.rows_per_page or ROWS_PER_PAGE)},
    )


def _grouped(fetch: FetchRequest, day: dt.date) -> Request:
    path = f"/v2/aggs/grouped/locale/{GROUPED[fetch.dataset]}/{day.isoformat()}"
    return Request(path=path, params={"adjusted": "false"})


def _of_actions(fetch: FetchRequest, wire: Mapping[str, str], path: str) -> Request:
    when = _ACTIONS[path]
    many = "ticker.any_of" if len(fetch.symbols) > 1 else "ticker"
    return Request(
        path=path,
        params={
            many: ",".join(wire[symbol] for symbol in fetch.symbols),
            f"{when}.gte": fetch.first.isoformat(),
            f"{when}.lte": fetch.last.isoformat(),
            "limit": str(fetch.rows_per_page or ACTIONS_PER_PAGE),
            "sort": f"{when}.asc",
        },
    )


def _after(token: str) -> Request | None:
    """The page that a cursor stands for: a path and its query; None where only look-ups are left."""
    if token == LOOK_UP:
        return None
    path, _, query = token.partition("?")
    # The documented cursor of aggregates holds limit and sort only, and `adjusted` is true by default.
    adjusted = {"adjusted": "false"} if path.startswith("/v2/aggs/") else {}
    return Request(path=path, params={**adjusted, **dict(urllib.parse.parse_qsl(query))})


def _read(
    fetch: FetchRequest, wire: Mapping[str, str], request: Request, response: Response, seen: set[str]
) -> tuple[PageResult, set[str]]:
    """The answer, and who has rows in it."""
    if response.status != 200:
        return _refusal(response, fetch.symbols, first="cursor" not in request.params), set()
    try:
        page = envelopes.read(_envelope, response.body)
        count = len(_slices.decode(page.results))
        following = _following(fetch, wire, request, page)
        named = _named(wire, page) if len(fetch.symbols) > 1 else set(fetch.symbols) if count else set()
        if page.status not in ("OK", "DELAYED"):
            raise ValueError(f"status {page.status!r} in a 200 answer")
    except UNREADABLE as error:
        return envelopes.malformed(f"not a page of {fetch.dataset}: {error}"), set()
    aggregates = request.path.startswith("/v2/aggs/")
    if aggregates and page.ticker and page.ticker not in wire.values():
        return envelopes.malformed(f"aggregates of {page.ticker}, which was not asked for"), set()
    if aggregates and page.adjusted is not False:
        why = "prices that are not declared unadjusted, though unadjusted ones were asked for"
        return envelopes.malformed(why), set()
    token = following or (LOOK_UP if _unseen(fetch, seen | named) else "")
    cursor = Cursor(token=token, seen=tuple(sorted(seen | named))) if token else None
    answer = PageResult(
        outcome=Outcome.ROWS if count else Outcome.EMPTY,
        keep=True,
        cursor=cursor,
        complete_through=_complete_through(fetch, request, page, last=not following),
        memo=request.path.rpartition("/")[2] if "/grouped/" in request.path else "",
    )
    return answer, named


def _named(wire: Mapping[str, str], page: _Envelope) -> set[str]:
    """Which symbols the rows of a page about many are about."""
    names = {row.T or row.ticker for row in _names.decode(page.results)}
    return {symbol for symbol, theirs in wire.items() if theirs in names}


def _following(fetch: FetchRequest, wire: Mapping[str, str], request: Request, page: _Envelope) -> str:
    """The path and query of the next request, '' at the end."""
    if page.next_url:
        parts = urllib.parse.urlsplit(page.next_url)
        if not parts.path.startswith("/"):
            raise ValueError(f"next_url {page.next_url!r} is no address")
        return f"{parts.path}?{parts.query}"
    if request.path in _ACTIONS:
        kinds = list(_ACTIONS)
        later = kinds[kinds.index(request.path) + 1 :]
        return _of_actions(fetch, wire, later[0]).target if later else ""
    if "/grouped/" in request.path:
        day = dt.date.fromisoformat(request.path.rpartition("/")[2]) + dt.timedelta(days=1)
        while day.weekday() > 4 and not fetch.dataset.startswith("crypto"):
            day += dt.timedelta(days=1)
        return _grouped(fetch, day).target if day <= fetch.last else ""
    return ""


def _complete_through(
    fetch: FetchRequest, request: Request, page: _Envelope, *, last: bool
) -> tuple[CompleteThrough, ...]:
    if last:
        return bars.all_complete(fetch)
    if "/grouped/" in request.path:
        day = dt.date.fromisoformat(request.path.rpartition("/")[2])
        return tuple(CompleteThrough(symbol=symbol, through=day) for symbol in fetch.symbols)
    if request.path in _ACTIONS:
        return ()
    try:
        timestamps = (
            ticks.timestamps(fetch, page.results)
            if fetch.dataset in ticks.PATHS
            else [timestamp.t * _MILLISECOND for timestamp in _stamps.decode(page.results)]
        )
    except UNREADABLE:
        return ()  # the rows are judged when they are decoded
    zone = NEW_YORK if fetch.dataset.startswith(("equities", "options")) else "UTC"
    return bars.complete_before(
        fetch, fetch.symbols[0], timestamps, datasets.get(fetch.dataset).session_of(zone)
    )


def _refusal(response: Response, symbols: tuple[str, ...], *, first: bool) -> PageResult:
    text = envelopes.error_text(response, "error", "message")
    only = symbols if len(symbols) == 1 else ()
    reason = envelopes.reason(text, response.status)
    if response.status in envelopes.TOO_MANY:
        return envelopes.rate_limited(response, reason)
    if trouble := envelopes.server_trouble(response, text):
        return trouble
    if response.status == 401:
        return PageResult(outcome=Outcome.BAD_CREDENTIALS, reason=reason)
    for words, outcome in _FORBIDDEN.items():
        if response.status == 403 and words in text:
            return PageResult(outcome=outcome, reason=reason)
    if response.status in (402, 403) and "entitled" in text:
        return PageResult(outcome=Outcome.NOT_ENTITLED, symbols=only, reason=reason)
    if response.status == 400 and not first and "cursor" in text:
        return PageResult(outcome=Outcome.CURSOR_REFUSED, reason=reason)
    return envelopes.undocumented(response, reason)


def _ticker(symbol: str, wire: str, response: Response) -> PageResult:
    """Where the answer is not about the ticker, nothing is confirmed and nothing is refused."""
    if (
        response.status == 404
        and "not found" in envelopes.error_text(response, "error", "message").casefold()
    ):
        return PageResult(
            outcome=Outcome.UNKNOWN_SYMBOL, symbols=(symbol,), reason=f"{symbol}: ticker not found"
        )
    if response.status == 200:
        try:
            named = msgspec.json.decode(response.body, type=_Details).results.get("ticker")
        except UNREADABLE as error:
            return replace(envelopes.malformed(f"no ticker's details: {error}"), keep=False)
        return PageResult(outcome=Outcome.EMPTY, confirmed=(symbol,) if named == wire else ())
    refusal = _refusal(response, (symbol,), first=True)
    return (
        refusal if refusal.outcome in RETRYABLE else PageResult(outcome=Outcome.EMPTY, reason=refusal.reason)
    )


def decode(pages: Sequence[Page]) -> Decoded:
    """One slice for each page of aggregates; actions as columns."""
    slices: list[Slice] = []
    tables: list[Table] = []
    rejected: list[Rejected] = []
    for page in pages:
        fetch = page.fetch
        names = symbology.names(fetch, lambda symbol, of=fetch.dataset: ticker(of, symbol))  # type: ignore[misc]
        try:
            results = envelopes.read(_envelope, page.body).results
            if fetch.dataset == "corporate_actions":
                announced = [told_of(row) for row in _actions.decode(results)]
                tables += actions.tables(page, names.ours, announced, rejected)
                continue
            fixed = _fixed(fetch, page)
        except UNREADABLE as error:
            rejected.append(Rejected(page=page.number, symbol=None, session=None, rows=0, reason=str(error)))
            continue
        symbol = "" if page.memo else fetch.symbols[0]
        slices.append(
            Slice(
                page=page.number,
                symbol=symbol,
                names=names.ours,
                rows=results,
                fixed=fixed,
                row_format=ticks.SHAPES.get(fetch.dataset) or _row_format(fetch.dataset),
            )
        )
    return Decoded(slices=tuple(slices), tables=tuple(tables), rejected=tuple(rejected))


def _fixed(fetch: FetchRequest, page: Page) -> dict[str, object]:
    """Columns that all rows of a page share."""
    fixed: dict[str, object] = {}
    if page.memo:
        fixed["session"] = dt.date.fromisoformat(page.memo)
    if fetch.dataset.startswith("options"):
        fixed |= assets.contract_columns(fetch.symbols[0])
    if fetch.dataset.startswith("forex_bars"):
        fixed |= {"price_kind": "mid", "day_boundary": "utc"}
    return fixed
