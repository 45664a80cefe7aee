"""Alpaca Market Data: equities bars, day and minute, many symbols a request.

Prices unadjusted (`adjustment=raw`), symbol mapping switched off (`asof=-`: its default relabels history by today's
tickers). `end` is inclusive at the vendor, exclusive with us: we ask up to a nanosecond before it. Rows come sorted by
symbol, then time, and `limit` counts over all symbols, so a page settles every symbol before its last one, and of that
last one every session before its last row's.
"""

from __future__ import annotations

import datetime as dt
import re
import urllib.parse
import zoneinfo
from collections.abc import Iterable, Sequence
from dataclasses import replace

import msgspec

from fulltape.core import bars, envelopes
from fulltape.core.envelopes import UNREADABLE
from fulltape.core.time import SECOND, Instant, iso, parse_stamp, to_datetime
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
_HISTORY_FROM = dt.date(2016, 1, 1)
_ROWS_PER_PAGE = 10_000
_TIMEFRAMES = {"equities_bars_day": "1Day", "equities_bars_minute": "1Min"}
_INVALID_SYMBOL = re.compile(r"invalid symbols?: ?([^:]+)")
_TOO_RECENT = 42210000


def _serves(symbols_per_request: int, delay: int) -> tuple[Serves, ...]:
    return tuple(
        Serves(
            dataset=dataset,
            history_from=_HISTORY_FROM,
            symbols_per_request=symbols_per_request,
            rows_per_page=_ROWS_PER_PAGE,
            stamp_zone=_NEW_YORK if timeframe == "1Day" else "UTC",
            delay=delay,
        )
        for dataset, timeframe in _TIMEFRAMES.items()
    )


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
    sources=(
        # SIP history is closed for the last 15 minutes on the free plan; 20 leave room for corrected bars.
        Source(name="alpaca.sip", feed="sip", scope="consolidated", serves=_serves(100, 1_200)),
        Source(name="alpaca.iex", feed="iex", scope="single venue", serves=_serves(100, 1_200)),
    ),
    documents=("https://docs.alpaca.markets/reference/stockbars",),
)


class _Envelope(msgspec.Struct):
    bars: dict[str, msgspec.Raw]
    next_page_token: str | None = None


class _Stamp(msgspec.Struct):
    t: str


class _Bar(msgspec.Struct):
    t: str
    o: float
    h: float
    l: float  # noqa: E741
    c: float
    v: float
    n: bars.Count | None = None
    vw: float | None = None


class _Asset(msgspec.Struct):
    symbol: str


class _Error(msgspec.Struct):
    message: str = ""
    code: int = 0


_envelope = msgspec.json.Decoder(_Envelope)
_stamps = msgspec.json.Decoder(list[_Stamp])
_bars = msgspec.json.Decoder(list[_Bar])
_slices = msgspec.json.Decoder(list[msgspec.Raw])
_bar = msgspec.json.Decoder(_Bar)


def history(ask: Ask, resume: Cursor | None) -> Conversation:
    """Pages of bars until the token ends; a symbol that the vendor names as invalid is dropped and the rest asked
    again; symbols never seen and without rows are looked up once."""
    symbols = resume.symbols if resume else tuple(sorted(ask.symbols))
    token = resume.token if resume else ""
    seen = set(resume.seen) if resume else set()
    while symbols:
        response = yield _request(ask, symbols, token)
        assert response is not None
        answer, page = _read(ask, symbols, response, seen, first=not token)
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
    yield from _look_up(symbol for symbol in symbols if symbol not in seen and symbol not in ask.known)


def _request(ask: Ask, symbols: Sequence[str], token: str) -> Request:
    params = {
        "symbols": ",".join(symbols),
        "timeframe": _TIMEFRAMES[ask.dataset],
        "start": iso(ask.start),
        "end": _just_before(ask.end),
        "limit": str(ask.rows_per_page or _ROWS_PER_PAGE),
        "adjustment": "raw",
        "asof": "-",
        "feed": ask.source.partition(".")[2],
        "sort": "asc",
    }
    if token:
        params["page_token"] = token
    return Request(path="/v2/stocks/bars", params=params)


def _just_before(end: Instant) -> str:
    return f"{iso(end - SECOND).removesuffix('Z')}.999999999Z"


def _read(
    ask: Ask, symbols: Sequence[str], response: Response, seen: set[str], *, first: bool
) -> tuple[Answer, _Envelope | None]:
    if response.status != 200:
        refusal = _refusal(response, first=first)
        return replace(refusal, symbols=tuple(set(refusal.symbols) & set(symbols))), None
    try:
        page = _envelope.decode(response.body)
        settled = _settled(ask, symbols, page)
    except UNREADABLE as error:
        return envelopes.malformed(f"not a page of bars: {error}"), None
    strangers = sorted(set(page.bars) - set(symbols))
    if strangers:
        return envelopes.malformed(f"bars of {', '.join(strangers)}, which were not asked for"), None
    seen.update(symbol for symbol, raw in page.bars.items() if bytes(raw).strip() != b"[]")
    cursor = (
        Cursor(token=page.next_page_token, symbols=tuple(symbols), seen=tuple(sorted(seen)))
        if page.next_page_token
        else None
    )
    answer = Answer(
        outcome=Outcome.ROWS if seen & set(page.bars) else Outcome.EMPTY,
        keep=True,
        cursor=cursor,
        settled=settled,
        allowed_per_minute=envelopes.whole_number(response.headers.get("x-ratelimit-limit")),
    )
    return answer, page


def _settled(ask: Ask, symbols: Sequence[str], page: _Envelope) -> tuple[Settled, ...]:
    if not page.next_page_token:
        return tuple(Settled(symbol=symbol, through=ask.last) for symbol in symbols)
    present = list(page.bars)
    if not present or present != sorted(present):
        return ()
    last = present[-1]
    done = [Settled(symbol=symbol, through=ask.last) for symbol in symbols if symbol < last]
    try:
        stamps = [parse_stamp(stamp.t) for stamp in _stamps.decode(page.bars[last])]
    except UNREADABLE:
        return tuple(
            done
        )  # the rows are judged one by one when they are decoded; until the end nothing is settled
    if stamps and stamps == sorted(stamps):
        through = _session_of(ask, stamps[-1]) - dt.timedelta(days=1)
        if through >= ask.first:
            done.append(Settled(symbol=last, through=through))
    return tuple(done)


def _session_of(ask: Ask, stamp: Instant) -> dt.date:
    """The session in whose midst the page ended: a minute after 20:00 New York belongs to the next."""
    local = to_datetime(stamp).astimezone(zoneinfo.ZoneInfo(_NEW_YORK))
    return (local + dt.timedelta(hours=4)).date() if ask.dataset == "equities_bars_minute" else local.date()


def _refusal(response: Response, *, first: bool) -> Answer:
    text, code = _error_text(response)
    reason = envelopes.reason(text, response.status)
    if response.status == 429:
        reset = envelopes.whole_number(response.headers.get("x-ratelimit-reset"))
        retry_at = reset * SECOND if reset is not None else None
        return Answer(outcome=Outcome.RATE_LIMITED, reason=reason, retry_at=retry_at)
    if trouble := envelopes.server_trouble(response, text):
        return trouble
    if code == _TOO_RECENT or "recent SIP data" in text:
        return Answer(outcome=Outcome.NOT_YET, reason=reason)
    if response.status == 401 or (response.status == 403 and "forbidden" in text.casefold()):
        return Answer(outcome=Outcome.BAD_CREDENTIALS, reason=reason)
    if response.status in (402, 403) and ("subscription" in text or "permit" in text):
        return Answer(outcome=Outcome.NOT_ENTITLED, reason=reason)
    if response.status in (400, 422) and (invalid := _INVALID_SYMBOL.search(text)):
        named = tuple(part for part in re.split(r"[,\s\"']+", invalid[1]) if part)
        return Answer(outcome=Outcome.BAD_REQUEST, symbols=named, reason=reason)
    if response.status == 400 and not first and "page_token" in text:
        return Answer(outcome=Outcome.CURSOR_REFUSED, reason=reason)
    return envelopes.undocumented(response, reason)


def _error_text(response: Response) -> tuple[str, int]:
    try:
        error = msgspec.json.decode(response.body, type=_Error)
    except UNREADABLE:
        return response.body[:200].decode(errors="replace"), 0
    return error.message, error.code


def _look_up(symbols: Iterable[str]) -> Conversation:
    """Unknown and empty look the same in bars; the asset endpoint tells them apart (404 is unknown).

    Keys of live and of paper accounts have hosts of their own; where neither knows our key, or the answer is not about
    the symbol, nothing is confirmed and nothing is refused.
    """
    for symbol in symbols:
        for host in ("trading", "paper"):
            answer = Answer(outcome=Outcome.TRANSIENT)
            while answer.outcome in RETRYABLE:
                response = yield Request(path=f"/v2/assets/{urllib.parse.quote(symbol, safe='')}", host=host)
                assert response is not None
                answer = _asset(symbol, response)
                yield answer
            if answer.confirmed or answer.symbols:
                break


def _asset(symbol: str, response: Response) -> Answer:
    if response.status == 404:
        return Answer(outcome=Outcome.UNKNOWN_SYMBOL, symbols=(symbol,), reason=f"{symbol}: no such asset")
    if response.status == 200:
        try:
            named = msgspec.json.decode(response.body, type=_Asset).symbol
        except UNREADABLE as error:
            return replace(envelopes.malformed(f"not an asset: {error}"), keep=False)
        return Answer(outcome=Outcome.EMPTY, confirmed=(symbol,) if named == symbol else ())
    refusal = _refusal(response, first=True)
    return refusal if refusal.outcome in RETRYABLE else Answer(outcome=Outcome.EMPTY, reason=refusal.reason)


def decode(pages: Sequence[Page]) -> Decoded:
    """Bars of all pages; a slice with a bad row is taken row by row, and what is bad is reported."""
    columns = bars.columns()
    rejected: list[Rejected] = []
    for page in pages:
        try:
            envelope = _envelope.decode(page.body)
        except UNREADABLE as error:
            rejected.append(Rejected(page=page.number, symbol=None, session=None, rows=0, reason=str(error)))
            continue
        for symbol, raw in envelope.bars.items():
            found, stamps = _rows(page, symbol, raw, rejected)
            bars.append(columns, page=page.number, symbol=symbol, stamps=stamps, bars=found)
    return Decoded(columns=columns, rejected=tuple(rejected))


def _rows(
    page: Page, symbol: str, raw: msgspec.Raw, rejected: list[Rejected]
) -> tuple[list[_Bar], list[Instant]]:
    try:
        found = _bars.decode(raw)
        return found, [parse_stamp(bar.t) for bar in found]
    except UNREADABLE:
        return _row_by_row(page, symbol, raw, rejected)


def _row_by_row(
    page: Page, symbol: str, raw: msgspec.Raw, rejected: list[Rejected]
) -> tuple[list[_Bar], list[Instant]]:
    found: list[_Bar] = []
    stamps: list[Instant] = []
    try:
        rows = _slices.decode(raw)
    except UNREADABLE as error:
        rejected.append(Rejected(page=page.number, symbol=symbol, session=None, rows=0, reason=str(error)))
        return found, stamps
    for row in rows:
        try:
            bar = _bar.decode(row)
            stamp = parse_stamp(bar.t)
        except UNREADABLE as error:
            session = _session_of_broken(page.ask, row)
            rejected.append(
                Rejected(page=page.number, symbol=symbol, session=session, rows=1, reason=str(error))
            )
        else:
            found.append(bar)
            stamps.append(stamp)
    return found, stamps


def _session_of_broken(ask: Ask, row: msgspec.Raw) -> dt.date | None:
    try:
        return _session_of(ask, parse_stamp(msgspec.json.decode(row, type=_Stamp).t))
    except UNREADABLE:
        return None
