"""Deriv: ticks and candles of its synthetic indices and of forex, over a websocket; no key.

`ticks_history` answers with the newest rows of a span, and how many it sends at most is not documented: so a stretch is
asked for from its end backwards until its beginning is reached, and settled when it is. Stretches go forward. Candles
are stamped at their opening, there is no volume, prices are Deriv's own. The address, with its path, is the host's:
the older service (`wss://ws.derivws.com/websockets/v3?app_id=1089`) answers the same requests.

Belongs here: what is asked of the vendor, what its answers mean, and its live streams in a file of their own. Does not
belong here: sockets, clocks, polars, other vendors.
"""

from __future__ import annotations

import datetime as dt
import functools
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
    Table,
    VendorSpec,
    WireField,
)
from fulltape.decoding import bars
from fulltape.market import datasets
from fulltape.market.time import DAY, MINUTE, SECOND, Instant
from fulltape.vendors.deriv.live import meaning as meaning
from fulltape.vendors.deriv.live import streams as streams

_ROWS_PER_PAGE = 5_000
_SINCE = dt.date(2017, 1, 1)
_CANDLES = {"day": DAY, "minute": MINUTE}
_STRETCH = {"day": 1_000 * DAY, "minute": 2 * DAY, "tick": DAY}


def _serves(dataset: str) -> Capability:
    return Capability(
        dataset=dataset,
        history_from=_SINCE,
        symbols_per_request=1,
        rows_per_page=_ROWS_PER_PAGE,
        price_kind="mid",
    )


SPEC = VendorSpec(
    name="deriv",
    title="Deriv",
    hosts={"data": "wss://api.derivws.com/trading/v1/options/ws/public"},
    secrets=(),
    auth={},
    # 220 a minute and 14,400 an hour, counted by connection.
    plans={"public": Limits(per_minute=200, per_hour=14_400, counted_by="ip")},
    default_plan="public",
    stream_hosts={"stream": "wss://api.derivws.com/trading/v1/options/ws/public"},
    connecting=Connecting(attempts=20, seconds=60),
    sources=(
        Source(
            name="deriv.synthetic",
            feed="synthetic",
            scope="OTC",
            capabilities=tuple(
                _serves(name) for name in ("synthetic_ticks", "synthetic_bars_minute", "synthetic_bars_day")
            ),
        ),
        Source(
            name="deriv.forex",
            feed="forex",
            scope="OTC",
            capabilities=tuple(_serves(name) for name in ("forex_ticks", "forex_bars_minute")),
        ),
    ),
    documents=("https://developers.deriv.com/docs/data/ticks-history/",),
)
_CANDLE = RowFormat(
    fields=(
        WireField(wire="epoch", column="timestamp", kind="integer"),
        WireField(wire="open", column="open"),
        WireField(wire="high", column="high"),
        WireField(wire="low", column="low"),
        WireField(wire="close", column="close"),
    ),
    unit="s",
)


_ABSENT = msgspec.Raw(b"")


class _Error(msgspec.Struct):
    code: str = ""
    message: str = ""


class _History(msgspec.Struct):
    prices: list[float]
    times: list[int]


class _Epoch(msgspec.Struct):
    epoch: int


class _Envelope(msgspec.Struct):
    echo_req: dict[str, object] = {}
    msg_type: str = ""
    error: _Error | None = None
    history: _History | None = None
    candles: msgspec.Raw = _ABSENT


_envelope = msgspec.json.Decoder(_Envelope)
_epochs = msgspec.json.Decoder(list[_Epoch])


def ticker(dataset: str, symbol: str) -> str:
    """`EURUSD` is written `frxEURUSD`; synthetic indices as they are (`R_100`, `1HZ100V`)."""
    return f"frx{symbol.replace('/', '')}" if dataset.startswith("forex") else symbol


def history(fetch: FetchRequest, resume: Cursor | None) -> Conversation:
    """Stretch by stretch forward, each from its end backwards."""
    wire = symbology.vendor_symbol(fetch, functools.partial(ticker, fetch.dataset))
    start, _, end = resume.token.partition(":") if resume else (str(fetch.start), "", "")
    at = int(start)
    upto = int(end) if end else 0
    while at < fetch.end:
        stop = min(at + _STRETCH[datasets.get(fetch.dataset).grain], fetch.end)
        upto = upto or stop
        answer = yield from envelopes.retried(
            _request(fetch, wire, at, upto),
            functools.partial(_read, fetch, wire, at, upto, stop),
        )
        if answer.outcome not in (Outcome.ROWS, Outcome.EMPTY) or answer.cursor is None:
            return
        start, _, end = answer.cursor.token.partition(":")
        at, upto = int(start), int(end)


def _request(fetch: FetchRequest, wire: str, start: Instant, upto: Instant) -> Request:
    """The rows of [start, upto): both ends count at the vendor, and the end is text. The answer repeats `req_id`."""
    step = _CANDLES.get(datasets.get(fetch.dataset).grain)
    message: dict[str, str | int] = {
        "ticks_history": wire,
        "start": start // SECOND,
        "end": str(upto // SECOND - 1),
        "count": min(fetch.rows_per_page or _ROWS_PER_PAGE, _ROWS_PER_PAGE),
        "style": "candles" if step else "ticks",
        "req_id": upto // SECOND % 2**31,
    }
    if step:
        message["granularity"] = step // SECOND
    return Request(path="/", message=message, repeats="req_id")


def _read(
    fetch: FetchRequest, wire: str, start: Instant, upto: Instant, stop: Instant, response: Response
) -> PageResult:
    try:
        page = _envelope.decode(response.body)
        if page.error:
            return _refusal(fetch, page.error)
        about = page.echo_req.get("ticks_history", wire)
        if about != wire:
            raise ValueError(f"it is about {about}")
        times = _times(fetch, page)
    except UNREADABLE as error:
        return envelopes.malformed(f"not a page of {fetch.dataset}: {error}")
    if times != sorted(times) or (times and not start <= times[0] <= times[-1] < upto):
        return envelopes.malformed("rows out of order or out of the span that was asked for")
    answer = PageResult(outcome=Outcome.ROWS if times else Outcome.EMPTY, keep=True, confirmed=fetch.symbols)
    if times and times[0] > start:
        # There may be more before the first row: only an empty answer shows that there is not. A second may hold
        # several ticks, some of them cut off: unless the page has nothing else, its first second is asked for again.
        again = times[0] + SECOND if times[0] < times[-1] and not _is_candles(fetch) else times[0]
        memo = str(again) if again > times[0] else ""
        return replace(answer, cursor=Cursor(token=f"{start}:{again}"), memo=memo)
    if stop >= fetch.end:
        return replace(answer, complete_through=bars.all_complete(fetch))
    through = datasets.get(fetch.dataset).session_of()(stop) - dt.timedelta(days=1)
    complete_through = (
        (CompleteThrough(symbol=fetch.symbols[0], through=through),) if through >= fetch.first else ()
    )
    following = min(stop + _STRETCH[datasets.get(fetch.dataset).grain], fetch.end)
    return replace(answer, complete_through=complete_through, cursor=Cursor(token=f"{stop}:{following}"))


def _is_candles(fetch: FetchRequest) -> bool:
    return datasets.get(fetch.dataset).grain in _CANDLES


def _times(fetch: FetchRequest, page: _Envelope) -> list[Instant]:
    if datasets.get(fetch.dataset).grain == "tick":
        if page.history is None or len(page.history.prices) != len(page.history.times):
            raise ValueError("it has no history of prices and times")
        return [time * SECOND for time in page.history.times]
    if not bytes(page.candles):
        raise ValueError("it has no candles")
    return [candle.epoch * SECOND for candle in _epochs.decode(page.candles)]


def _refusal(fetch: FetchRequest, error: _Error) -> PageResult:
    reason = f"{error.code}: {error.message}"[:200]
    if error.code == "RateLimit":
        return PageResult(outcome=Outcome.RATE_LIMITED, reason=reason)
    if error.code == "InvalidSymbol":
        return PageResult(outcome=Outcome.UNKNOWN_SYMBOL, symbols=fetch.symbols, reason=reason)
    if error.code in ("NoRealtimeQuotes", "AuthorizationRequired"):
        return PageResult(outcome=Outcome.NOT_ENTITLED, symbols=fetch.symbols, reason=reason)
    if error.code in ("InvalidToken", "InvalidAppID"):
        return PageResult(outcome=Outcome.BAD_CREDENTIALS, reason=reason)
    if error.code == "MarketIsClosed":
        return PageResult(outcome=Outcome.NOT_YET, reason=reason)
    if error.code in ("WrongResponse", "InternalServerError"):
        return PageResult(outcome=Outcome.TRANSIENT, reason=reason)
    return PageResult(outcome=Outcome.BAD_REQUEST, reason=reason)


def decode(pages: Sequence[Page]) -> Decoded:
    """Candles as a slice, ticks as columns."""
    slices: list[Slice] = []
    tables: list[Table] = []
    rejected: list[Rejected] = []
    for page in pages:
        symbol, dataset = page.fetch.symbols[0], page.fetch.dataset
        fixed: dict[str, object] = {"price_kind": "mid"} if dataset.startswith("forex") else {}
        try:
            if datasets.get(dataset).grain == "tick":
                tick_history = _envelope.decode(page.body).history or _History(prices=[], times=[])
                if len(tick_history.times) != len(tick_history.prices):
                    raise ValueError(f"{len(tick_history.times)} times and {len(tick_history.prices)} prices")
                since = int(page.memo or 0)  # what lies before comes again, whole, with the next page
                ticks = [
                    (time * SECOND, price)
                    for time, price in zip(tick_history.times, tick_history.prices, strict=True)
                    if time * SECOND >= since
                ]
                timestamps: list[object] = [time for time, _ in ticks]
                columns: dict[str, list[object]] = {
                    "timestamp": timestamps,
                    "price": [price for _, price in ticks],
                }
                columns |= {name: [value] * len(timestamps) for name, value in fixed.items()}
                tables.append(Table(page=page.number, symbol=symbol, columns=columns))
            else:
                rows = bytes(_envelope.decode(page.body).candles)
                slices.append(
                    Slice(page=page.number, symbol=symbol, rows=rows, row_format=_CANDLE, fixed=fixed)
                )
        except UNREADABLE as error:
            rejected.append(
                Rejected(page=page.number, symbol=symbol, session=None, rows=0, reason=str(error))
            )
    return Decoded(slices=tuple(slices), tables=tuple(tables), rejected=tuple(rejected))
