"""Alpaca Market Data: bars of equities, options and crypto, trades and quotes of equities, many symbols a request, and
corporate actions.

Prices unadjusted (`adjustment=raw`), symbol mapping switched off (`asof=-`: its default relabels history by today's
tickers). `end` is inclusive at the vendor, exclusive with us: we ask up to a nanosecond before it. Rows come sorted by
symbol, then time, and `limit` counts over all symbols, so a page settles every symbol before its last one, and of that
last one every session before its last row's. Corporate actions are filtered by the day on which they are processed,
which mostly comes after the ex-date: we ask for days around and keep those whose ex-date was asked for.

Belongs here: what is asked of Alpaca and what its bytes mean; announcements (corporate actions) in a file of their own.
Does not belong here: sockets, clocks, polars, other vendors.
"""

from __future__ import annotations

import datetime as dt
import re
import urllib.parse
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

import msgspec

from fulltape.contract import envelopes, symbology
from fulltape.contract.envelopes import UNREADABLE
from fulltape.contract.plans import Connecting, Limits
from fulltape.contract.symbology import Names
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
    Source,
    Table,
    VendorSpec,
    WireField,
)
from fulltape.decoding import actions, bars
from fulltape.market import assets, datasets
from fulltape.market.time import SECOND, Instant, iso, parse_timestamp
from fulltape.vendors.alpaca import ticks
from fulltape.vendors.alpaca.announced import announced_actions
from fulltape.vendors.alpaca.endpoints import ACTIONS, ENDPOINTS
from fulltape.vendors.alpaca.live import meaning as meaning
from fulltape.vendors.alpaca.live import streams as streams

_PROCESSED_BEFORE, _PROCESSED_WITHIN = (
    dt.timedelta(days=60),
    dt.timedelta(days=120),
)  # ex may come after the payment
_INVALID_SYMBOL = re.compile(r"invalid symbols?: ?([^:]+)")
_TOO_RECENT = b"42210000"


def _source(feed: str, scope: str, *wanted: str) -> Source:
    capability = tuple(endpoint.capability for name, endpoint in ENDPOINTS.items() if name.startswith(wanted))
    return Source(name=f"alpaca.{feed}", feed=feed, scope=scope, capabilities=capability)


SPEC = VendorSpec(
    name="alpaca",
    title="Alpaca",
    hosts={
        "data": "https://data.alpaca.markets",
        "trading": "https://api.alpaca.markets",
        "paper": "https://paper-api.alpaca.markets",
    },
    secrets=("key", "secret"),
    auth={"APCA-API-KEY-ID": "{key}", "APCA-API-SECRET-KEY": "{secret}"},
    plans={"basic": Limits(per_minute=200), "plus": Limits(per_minute=10_000)},
    default_plan="basic",
    stream_hosts={"stream": "wss://stream.data.alpaca.markets"},
    connecting=Connecting(attempts=10, seconds=60, after_refusal=15),
    sources=(
        _source("sip", "consolidated", "equities", "corporate"),
        _source("iex", "single venue", "equities"),
        _source("opra", "consolidated", "options"),
        _source("crypto", "single venue", "crypto"),
    ),
    documents=(
        "https://docs.alpaca.markets/reference/stockbars",
        "https://docs.alpaca.markets/reference/stocktrades-1",
        "https://docs.alpaca.markets/reference/stockquotes-1",
        "https://docs.alpaca.markets/reference/optionbars",
        "https://docs.alpaca.markets/reference/cryptobars-1",
        "https://docs.alpaca.markets/reference/corporateactions-1",
    ),
)


_Rows = dict[str, msgspec.Raw] | None


class _Envelope(msgspec.Struct):
    bars: _Rows = None
    trades: _Rows = None
    quotes: _Rows = None
    corporate_actions: dict[str, list[dict[str, object]]] | None = None
    next_page_token: str | None = None


class _Stamp(msgspec.Struct):
    t: str


class _Asset(msgspec.Struct):
    symbol: str


_envelope = msgspec.json.Decoder(_Envelope)
_stamps = msgspec.json.Decoder(list[_Stamp])
_SHAPE = RowFormat(
    fields=(WireField(wire="t", column="timestamp", kind="text"), *bars.SHORT),
    unit="iso",
    timestamp_kind="text",
)
_SHAPES = {
    "equities_trades": ticks.row_format(
        "equities_trades", WireField(wire="u", column="correction", kind="text")
    ),
    "equities_quotes": ticks.row_format("equities_quotes"),
}


def history(fetch: FetchRequest, resume: Cursor | None) -> Conversation:
    """Pages until the token ends; a symbol that the vendor names as invalid is dropped and the rest asked again;
    symbols never seen and without rows are looked up once."""
    names = symbology.names(fetch, str)
    paging = resume is None or resume.token != LOOK_UP
    symbols = resume.symbols if resume else tuple(sorted(fetch.symbols, key=names.vendor_symbols.__getitem__))
    token = resume.token if resume else ""
    seen = set(resume.seen) if resume else set()
    while symbols and paging:
        response = yield _request(fetch, [names.vendor_symbols[symbol] for symbol in symbols], token)
        assert response is not None
        answer, page = _read(fetch, names, symbols, response, seen, first=not token)
        yield answer
        if answer.outcome in RETRYABLE:
            continue
        if answer.outcome is Outcome.BAD_REQUEST and answer.symbols:
            symbols = tuple(symbol for symbol in symbols if symbol not in answer.symbols)
            continue
        if page is None:
            return
        if not page.next_page_token:
            break
        token = page.next_page_token
    yield from _look_up(_unseen(fetch, symbols, seen), names)


def _unseen(fetch: FetchRequest, symbols: Iterable[str], seen: AbstractSet[str]) -> list[str]:
    """The symbols that are looked up once all pages are here."""
    if not ENDPOINTS[fetch.dataset].looked_up:
        return []
    return [symbol for symbol in symbols if symbol not in seen and symbol not in fetch.known]


def _request(fetch: FetchRequest, symbols: Sequence[str], token: str) -> Request:
    endpoint = ENDPOINTS[fetch.dataset]
    limit = str(fetch.rows_per_page or endpoint.capability.rows_per_page)
    params = {"symbols": ",".join(symbols), "limit": limit, "sort": "asc"}
    if endpoint.path == ACTIONS:
        params |= {
            "start": (fetch.first - _PROCESSED_BEFORE).isoformat(),
            "end": (fetch.last + _PROCESSED_WITHIN).isoformat(),
        }
    else:
        params |= {"start": iso(fetch.start), "end": _just_before(fetch.end), **endpoint.params}
        if endpoint.timeframe:
            params["timeframe"] = endpoint.timeframe
    if endpoint.path.startswith("/v2/stocks/"):
        params["feed"] = fetch.source.partition(".")[2]
    if token:
        params["page_token"] = token
    return Request(path=endpoint.path, params=params)


def _just_before(end: Instant) -> str:
    return f"{iso(end - SECOND).removesuffix('Z')}.999999999Z"


def _read(
    fetch: FetchRequest,
    names: Names,
    symbols: Sequence[str],
    response: Response,
    seen: set[str],
    *,
    first: bool,
) -> tuple[PageResult, _Envelope | None]:
    if response.status != 200:
        refusal = _refusal(response, first=first)
        ours = {names.ours.get(theirs, theirs) for theirs in refusal.symbols}
        return replace(refusal, symbols=tuple(ours & set(symbols))), None
    try:
        page = _envelope.decode(response.body)
        spellings = _found(fetch, page)
        complete_through = _complete_through(fetch, names, symbols, page)
    except UNREADABLE as error:
        return envelopes.malformed(f"not a page of {fetch.dataset}: {error}"), None
    strangers = sorted(spellings - set(names.ours))
    if strangers:
        return envelopes.malformed(f"rows of {', '.join(strangers)}, which were not asked for"), None
    seen.update(names.ours[theirs] for theirs in spellings)
    token = page.next_page_token
    if not token and _unseen(fetch, symbols, seen):
        token = LOOK_UP
    cursor = Cursor(token=token, symbols=tuple(symbols), seen=tuple(sorted(seen))) if token else None
    answer = PageResult(
        outcome=Outcome.ROWS if spellings else Outcome.EMPTY,
        keep=True,
        cursor=cursor,
        complete_through=complete_through,
        allowed_per_minute=envelopes.whole_number(response.headers.get("x-ratelimit-limit")),
    )
    return answer, page


def _found(fetch: FetchRequest, page: _Envelope) -> set[str]:
    """The spellings that have rows on a page; `ValueError` where it is a page of something else."""
    if fetch.dataset == "corporate_actions":
        if page.corporate_actions is None:
            raise ValueError("it has no corporate_actions")
        return {action.symbol for action in announced_actions(page.corporate_actions)} & set(
            symbology.names(fetch, str).ours
        )
    key = ENDPOINTS[fetch.dataset].key
    rows: _Rows = getattr(page, key)
    if rows is None:
        raise ValueError(f"it has no {key}")
    return {symbol for symbol, raw in rows.items() if bytes(raw).strip() != b"[]"}


def _complete_through(
    fetch: FetchRequest, names: Names, symbols: Sequence[str], page: _Envelope
) -> tuple[CompleteThrough, ...]:
    if not page.next_page_token:
        return tuple(CompleteThrough(symbol=symbol, through=fetch.last) for symbol in symbols)
    rows: _Rows = getattr(page, ENDPOINTS[fetch.dataset].key)
    present = list(rows or ())
    if not present or present != sorted(present):
        return ()
    last = present[-1]
    done = tuple(
        CompleteThrough(symbol=symbol, through=fetch.last)
        for symbol in symbols
        if names.vendor_symbols[symbol] < last
    )
    try:
        timestamps = [parse_timestamp(timestamp.t) for timestamp in _stamps.decode((rows or {})[last])]
    except UNREADABLE:
        return done  # the rows are judged when they are decoded; until the end nothing is settled
    rule = datasets.get(fetch.dataset).session_of(ENDPOINTS[fetch.dataset].capability.timestamp_zone)
    if last not in names.ours:
        return done
    return done + bars.complete_before(fetch, names.ours[last], timestamps, rule)


def _refusal(response: Response, *, first: bool) -> PageResult:
    text = envelopes.error_text(response, "message")
    reason = envelopes.reason(text, response.status)
    if response.status in envelopes.TOO_MANY:
        reset = envelopes.whole_number(response.headers.get("x-ratelimit-reset"))
        answer = envelopes.rate_limited(response, reason)
        return answer if reset is None else replace(answer, retry_at=reset * SECOND)
    if trouble := envelopes.server_trouble(response, text):
        return trouble
    if _TOO_RECENT in response.body or "recent SIP data" in text:
        return PageResult(outcome=Outcome.NOT_YET, reason=reason)
    if response.status == 401 or (response.status == 403 and "forbidden" in text.casefold()):
        return PageResult(outcome=Outcome.BAD_CREDENTIALS, reason=reason)
    if response.status in (402, 403) and ("subscription" in text or "permit" in text):
        return PageResult(outcome=Outcome.NOT_ENTITLED, reason=reason)
    if response.status in (400, 422) and (invalid := _INVALID_SYMBOL.search(text)):
        named = tuple(part for part in re.split(r"[,\s\"']+", invalid[1]) if part)
        return PageResult(outcome=Outcome.BAD_REQUEST, symbols=named, reason=reason)
    if response.status == 400 and not first and "page_token" in text:
        return PageResult(outcome=Outcome.CURSOR_REFUSED, reason=reason)
    return envelopes.undocumented(response, reason)


def _look_up(symbols: Iterable[str], names: Names) -> Conversation:
    """Unknown and empty look the same in bars; the asset endpoint tells them apart (404 is unknown).

    Keys of live and of paper accounts have hosts of their own; where neither knows our key, or the answer is not about
    the symbol, nothing is confirmed and nothing is refused.
    """
    for symbol in symbols:
        path = f"/v2/assets/{urllib.parse.quote(names.vendor_symbols[symbol], safe='')}"
        for host in ("trading", "paper"):
            answer = yield from envelopes.retried(
                Request(path=path, host=host),
                lambda response, ours=symbol: _asset(ours, names.vendor_symbols[ours], response),  # type: ignore[misc]
            )
            if answer.confirmed or answer.symbols:
                break


def _asset(symbol: str, wire: str, response: Response) -> PageResult:
    if response.status == 404 and envelopes.error_text(response, "message") and response.body[:1] == b"{":
        return PageResult(
            outcome=Outcome.UNKNOWN_SYMBOL, symbols=(symbol,), reason=f"{symbol}: no such asset"
        )
    if response.status == 200:
        try:
            named = msgspec.json.decode(response.body, type=_Asset).symbol
        except UNREADABLE as error:
            return replace(envelopes.malformed(f"not an asset: {error}"), keep=False)
        return PageResult(outcome=Outcome.EMPTY, confirmed=(symbol,) if named == wire else ())
    refusal = _refusal(response, first=True)
    return (
        refusal if refusal.outcome in RETRYABLE else PageResult(outcome=Outcome.EMPTY, reason=refusal.reason)
    )


def decode(pages: Sequence[Page]) -> Decoded:
    """One slice for each symbol of each page; actions as columns."""
    slices: list[Slice] = []
    tables: list[Table] = []
    rejected: list[Rejected] = []
    for page in pages:
        names = symbology.names(page.fetch, str)
        try:
            envelope = _envelope.decode(page.body)
        except UNREADABLE as error:
            rejected.append(Rejected(page=page.number, symbol=None, session=None, rows=0, reason=str(error)))
            continue
        tables += actions.tables(
            page, names.ours, announced_actions(envelope.corporate_actions or {}), rejected
        )
        rows: _Rows = getattr(envelope, ENDPOINTS[page.fetch.dataset].key)
        for theirs, raw in (rows or {}).items():
            symbol = names.ours.get(theirs)
            if symbol is not None:
                option = page.fetch.dataset.startswith("options")
                fixed = assets.contract_columns(theirs) if option else {}
                row_format = _SHAPES.get(page.fetch.dataset, _SHAPE)
                slices.append(
                    Slice(page=page.number, symbol=symbol, rows=raw, fixed=fixed, row_format=row_format)
                )
    return Decoded(slices=tuple(slices), tables=tuple(tables), rejected=tuple(rejected))
