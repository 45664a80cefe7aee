"""Kraken spot: day bars of the last two years, and every trade back to the listing; no key.

Candles reach back 720 intervals whatever is asked, so minutes of whole sessions are not to be had: they are built from
trades. Trades come 1,000 at a time, oldest first, from a cursor in nanoseconds; `b` and `s` are the taker's side.
Errors come with HTTP 200. Candles without trades are rows with volume 0, and the last one is still forming.

Belongs here: what is asked of the vendor, what its answers mean, and its live streams in a file of their own. Does not
belong here: sockets, clocks, polars, other vendors.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from fulltape.contract import envelopes, symbology
from fulltape.contract.envelopes import UNREADABLE
from fulltape.contract.plans import Connecting, Limits
from fulltape.contract.vendor import (
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
    RowFormat,
    Slice,
    Source,
    VendorSpec,
    WireField,
)
from fulltape.decoding import bars
from fulltape.market import assets
from fulltape.market.time import DAY, LATEST, MINUTE, SECOND, Instant, utc_date
from fulltape.vendors.kraken.live import meaning as meaning
from fulltape.vendors.kraken.live import streams as streams

_CANDLES = 720
_TRADES_PER_PAGE = 1_000
_BARS, _TRADES = "crypto_bars_day", "crypto_trades"
SPEC = VendorSpec(
    name="kraken",
    title="Kraken",
    hosts={"data": "https://api.kraken.com"},
    secrets=(),
    auth={},
    plans={"public": Limits(per_second=1, counted_by="ip")},
    default_plan="public",
    stream_hosts={"stream": "wss://ws.kraken.com"},
    connecting=Connecting(attempts=140, seconds=600),
    sources=(
        Source(
            name="kraken.spot",
            feed="spot",
            scope="single venue",
            capabilities=(
                Capability(
                    dataset=_BARS,
                    history_from=dt.date(2013, 9, 10),
                    history_days=_CANDLES - 3,
                    symbols_per_request=1,
                    rows_per_page=_CANDLES,
                    volume_unit="base units",
                ),
                Capability(
                    dataset=_TRADES,
                    history_from=dt.date(2013, 9, 10),
                    symbols_per_request=1,
                    rows_per_page=_TRADES_PER_PAGE,
                    volume_unit="base units",
                ),
            ),
        ),
    ),
    documents=(
        "https://docs.kraken.com/api/docs/rest-api/get-ohlc-data",
        "https://docs.kraken.com/api/docs/rest-api/get-recent-trades",
    ),
)
_CANDLE = RowFormat(
    fields=(
        WireField(wire=0, column="timestamp", kind="integer"),
        WireField(wire=1, column="open", kind="decimal"),
        WireField(wire=2, column="high", kind="decimal"),
        WireField(wire=3, column="low", kind="decimal"),
        WireField(wire=4, column="close", kind="decimal"),
        WireField(wire=5, column="vwap", kind="decimal"),
        WireField(wire=6, column="volume", kind="decimal"),
        WireField(wire=7, column="trade_count", kind="integer"),
    ),
    unit="s",
)
_TRADE = RowFormat(
    fields=(
        WireField(wire=0, column="price", kind="decimal"),
        WireField(wire=1, column="size", kind="decimal"),
        WireField(wire=2, column="timestamp", kind="float"),
        WireField(wire=3, column="aggressor", kind="text"),
        WireField(wire=6, column="trade_id", kind="text"),
    ),
    unit="s",
    timestamp_kind="float",
    renamed={"aggressor": {"b": "buy", "s": "sell"}},
)
_OTHER_NAMES = {"BTC": "XBT", "DOGE": "XDG"}


class _Envelope(msgspec.Struct):
    error: list[str] = []
    result: dict[str, msgspec.Raw] = {}


_envelope = msgspec.json.Decoder(_Envelope)
_rows = msgspec.json.Decoder(list[list[object]])
_last = msgspec.json.Decoder(int | str)


def ticker(symbol: str) -> str:
    """`BTC/USD` as the vendor writes it: `XBTUSD`."""
    return "".join(_OTHER_NAMES.get(part, part) for part in assets.pair(symbol))


def history(fetch: FetchRequest, resume: Cursor | None) -> Conversation:
    """One page of candles, or pages of trades until the span ends or the cursor no longer moves."""
    wire = symbology.vendor_symbol(fetch, ticker)
    if fetch.dataset == _BARS:
        # What lies before `since` is not sent, so that it must lie before the first candle.
        params = {"pair": wire, "interval": "1440", "since": str((fetch.start - DAY) // SECOND)}
        yield from envelopes.retried(
            Request(path="/0/public/OHLC", params=params), lambda response: _candles(fetch, response)
        )
        return
    since = resume.token if resume else str(fetch.start * 1_000 - 1)
    count = str(min(fetch.rows_per_page or _TRADES_PER_PAGE, _TRADES_PER_PAGE))
    while True:
        params = {"pair": wire, "since": since, "count": count}
        answer = yield from envelopes.retried(
            Request(path="/0/public/Trades", params=params),
            lambda response, before=since: _trades(fetch, response, before),  # type: ignore[misc]
        )
        if answer.outcome not in (Outcome.ROWS, Outcome.EMPTY) or answer.cursor is None:
            return
        since = answer.cursor.token


def _opened(fetch: FetchRequest, response: Response) -> tuple[msgspec.Raw, str]:
    """The rows and the cursor of an answer; `ValueError` where it is none."""
    result = _envelope.decode(response.body).result
    last = _last.decode(result["last"]) if "last" in result else ""
    names = [name for name in result if name != "last"]
    if len(names) != 1 or last == "":
        raise ValueError(f"{len(names)} pairs in an answer about {fetch.symbols[0]}, last {last!r}")
    return result[names[0]], str(last)


def _candles(fetch: FetchRequest, response: Response) -> PageResult:
    if refusal := _refusal(fetch, response):
        return refusal
    try:
        rows = _rows.decode(_opened(fetch, response)[0])
        opens = [_seconds(row[0]) for row in rows]
    except (*UNREADABLE, IndexError) as error:
        return envelopes.malformed(f"not a page of candles: {error}")
    if len(rows) >= _CANDLES and opens[0] > fetch.start:
        reason = f"only the newest {_CANDLES} candles are served, and they begin later"
        return PageResult(outcome=Outcome.NOT_SUPPORTED, reason=reason)
    inside = any(fetch.start <= opened < fetch.end for opened in opens)
    return PageResult(
        outcome=Outcome.ROWS if inside else Outcome.EMPTY,
        keep=True,
        confirmed=fetch.symbols,
        complete_through=bars.all_complete(fetch),
    )


def _seconds(value: object) -> Instant:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < LATEST // SECOND:
        raise ValueError(f"{value!r} is no time")
    return int(value * SECOND)


_STEP_BACK = MINUTE
"""Trades come in the order in which the venue wrote them, and one may bear an earlier time than the one before it."""


def _trades(fetch: FetchRequest, response: Response, before: str) -> PageResult:
    if refusal := _refusal(fetch, response):
        return refusal
    try:
        raw, last = _opened(fetch, response)
        times = [_seconds(row[2]) for row in _rows.decode(raw)]
        moved = int(last) > int(before)
    except (*UNREADABLE, IndexError) as error:
        return envelopes.malformed(f"not a page of trades: {error}")
    inside = any(fetch.start <= time < fetch.end for time in times)
    answer = PageResult(outcome=Outcome.ROWS if inside else Outcome.EMPTY, keep=True, confirmed=fetch.symbols)
    latest = max(times, default=0)
    if times and latest < fetch.end and not moved:
        return envelopes.malformed(f"trades whose cursor does not move on from {before}")
    if not times or latest >= fetch.end + _STEP_BACK or not moved:
        return replace(answer, complete_through=bars.all_complete(fetch))
    through = utc_date(latest - _STEP_BACK) - dt.timedelta(days=1)
    complete_through = (
        (CompleteThrough(symbol=fetch.symbols[0], through=through),) if through >= fetch.first else ()
    )
    return replace(answer, cursor=Cursor(token=last), complete_through=complete_through)


def _refusal(fetch: FetchRequest, response: Response) -> PageResult | None:
    """What an error says; None for a success."""
    text = ""
    if response.status == 200:
        try:
            text = "; ".join(
                word for word in _envelope.decode(response.body).error if not word.startswith("W")
            )
        except UNREADABLE as error:
            return envelopes.malformed(f"no envelope: {error}")
        if not text:
            return None
    reason = envelopes.reason(text or response.body[:200].decode(errors="replace"), response.status)
    if "asset pair" in text:
        return PageResult(outcome=Outcome.UNKNOWN_SYMBOL, symbols=fetch.symbols, reason=reason)
    if (
        response.status in envelopes.TOO_MANY
        or "Too many requests" in text
        or "Rate limit" in text
        or "lockout" in text
    ):
        answer = envelopes.rate_limited(response, reason)
        if answer.retry_at is None and "lockout" in text:
            answer = replace(answer, retry_at=response.received_at + 15 * 60 * SECOND)
        return answer
    if "Invalid arguments" in text:
        return PageResult(outcome=Outcome.BAD_REQUEST, reason=reason)
    if response.status != 200:
        return envelopes.server_trouble(response, text) or envelopes.undocumented(response, reason)
    return PageResult(outcome=Outcome.TRANSIENT, reason=reason)


def decode(pages: Sequence[Page]) -> Decoded:
    """One slice for each page; the forming candle and trades after the span are left out."""
    slices: list[Slice] = []
    rejected: list[Rejected] = []
    for page in pages:
        try:
            raw, _ = _opened(page.fetch, Response(status=200, headers={}, body=page.body, received_at=0))
        except UNREADABLE as error:
            rejected.append(Rejected(page=page.number, symbol=None, session=None, rows=0, reason=str(error)))
            continue
        rows, row_format = (bytes(raw), _CANDLE) if page.fetch.dataset == _BARS else _exact(bytes(raw))
        within = (page.fetch.start, page.fetch.end)
        slices.append(
            Slice(
                page=page.number,
                symbol=page.fetch.symbols[0],
                rows=rows,
                row_format=row_format,
                within=within,
            )
        )
    return Decoded(slices=tuple(slices), rejected=tuple(rejected))


_TIMESTAMP = re.compile(rb',(\d{1,11})(?:\.(\d{1,9}))?,(?="[bs]")')


def _exact(rows: bytes) -> tuple[bytes, RowFormat]:
    """Trades with stamps as whole nanoseconds, which a floating-point number of seconds cannot hold."""
    exact, count = _TIMESTAMP.subn(
        lambda timestamp: b",%b%b," % (timestamp[1], (timestamp[2] or b"").ljust(9, b"0")), rows
    )
    every = rows.count(b'"b"') + rows.count(b'"s"')
    return (exact, replace(_TRADE, unit="ns", timestamp_kind="integer")) if count == every else (rows, _TRADE)
