"""Coinbase Exchange: bars and trades of its spot market; no key.

A request for candles carries at most 300 of them and is refused whole if its span holds more; rows may lie before the
start and come newest first; minutes without trades have no row. Trades have ids without gaps and no search by time;
`side` is the maker's, so the aggressor is the other one.

Belongs here: what is asked of the vendor, what its answers mean, and its live streams in a file of their own. Does not
belong here: sockets, clocks, polars, other vendors.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

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
from fulltape.market.time import DAY, MINUTE, SECOND, Instant, iso, parse_timestamp, utc_date
from fulltape.vendors.coinbase.live import meaning as meaning
from fulltape.vendors.coinbase.live import streams as streams

_CANDLES_PER_PAGE = 300
_TRADES_PER_PAGE = 1_000
_GRANULARITY = {"crypto_bars_day": DAY, "crypto_bars_minute": MINUTE}
_TRADES = "crypto_trades"
_NEAR = 500
"""So near to its place a search is done: the trades before the span come with the first page and are left out."""


SPEC = VendorSpec(
    name="coinbase",
    title="Coinbase Exchange",
    hosts={"data": "https://api.exchange.coinbase.com"},
    secrets=(),
    auth={},
    headers={"User-Agent": "fulltape"},  # without one every request is refused
    plans={"public": Limits(per_second=10, counted_by="ip")},
    default_plan="public",
    stream_hosts={"stream": "wss://ws-feed.exchange.coinbase.com"},
    connecting=Connecting(attempts=8, seconds=1),
    sources=(
        Source(
            name="coinbase.exchange",
            feed="exchange",
            scope="single venue",
            capabilities=tuple(
                Capability(
                    dataset=dataset,
                    history_from=dt.date(2015, 1, 19),
                    symbols_per_request=1,
                    rows_per_page=_TRADES_PER_PAGE if dataset == _TRADES else _CANDLES_PER_PAGE,
                    volume_unit="base units",
                )
                for dataset in (*_GRANULARITY, _TRADES)
            ),
        ),
    ),
    documents=(
        "https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-product-candles",
    ),
)
_CANDLE = RowFormat(
    fields=(
        WireField(wire=0, column="timestamp", kind="integer"),
        WireField(wire=1, column="low", kind="decimal"),
        WireField(wire=2, column="high", kind="decimal"),
        WireField(wire=3, column="open", kind="decimal"),
        WireField(wire=4, column="close", kind="decimal"),
        WireField(wire=5, column="volume", kind="decimal"),
    ),
    unit="s",
)
_TRADE = RowFormat(
    fields=(
        WireField(wire="time", column="timestamp", kind="text"),
        WireField(wire="trade_id", column="trade_id", kind="text"),
        WireField(wire="price", column="price", kind="decimal"),
        WireField(wire="size", column="size", kind="decimal"),
        WireField(wire="side", column="aggressor", kind="text"),
    ),
    unit="iso",
    timestamp_kind="text",
    renamed={"aggressor": {"buy": "sell", "sell": "buy"}},
)


class _Trade(msgspec.Struct):
    trade_id: Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
    time: str


_candles = msgspec.json.Decoder(list[list[int | float | str]])
_trades = msgspec.json.Decoder(list[_Trade])


def ticker(symbol: str) -> str:
    """`BTC/USD` as the vendor writes it: `BTC-USD`."""
    return "-".join(assets.pair(symbol)).upper()


def history(fetch: FetchRequest, resume: Cursor | None) -> Conversation:
    """Windows of candles, or pages of trades from the first one of the span on."""
    wire = symbology.vendor_symbol(fetch, ticker)
    if fetch.dataset == _TRADES:
        yield from _all_trades(
            fetch, wire, [int(part) for part in resume.token.split(":")] if resume else None
        )
    else:
        yield from _all_candles(fetch, wire, int(resume.token) if resume else fetch.start)


def _all_candles(fetch: FetchRequest, wire: str, at: Instant) -> Conversation:
    """Windows of at most 300 candles, oldest first: a window is whole, whatever it holds."""
    step = _GRANULARITY[fetch.dataset]
    most = min(fetch.rows_per_page or _CANDLES_PER_PAGE, _CANDLES_PER_PAGE)
    while at < fetch.end:
        stop = min(at + most * step, fetch.end)
        # Both ends count, so the last candle's open is the end.
        params = {"granularity": str(step // SECOND), "start": iso(at), "end": iso(stop - step)}
        request = Request(path=f"/products/{wire}/candles", params=params)
        window = (at, stop)
        answer = yield from envelopes.retried(
            request,
            lambda response, window=window: _window(fetch, response, *window),  # type: ignore[misc]
        )
        if answer.outcome not in (Outcome.ROWS, Outcome.EMPTY):
            return
        at = stop


@dataclass(slots=True)
class _Book:
    """The trades of a product: the last page of them that was read, and the lowest id of all pages."""

    fetch: FetchRequest
    wire: str
    page: list[_Trade] = field(default_factory=list)
    lowest: int = 2**53
    """Below it there may be no trade."""

    def before(self, trade_id: int | None, limit: int) -> Request:
        """So many trades before an id, or the newest ones."""
        after = {"after": str(trade_id)} if trade_id is not None else {}
        return Request(path=f"/products/{self.wire}/trades", params={**after, "limit": str(limit)})

    def read(self, response: Response) -> PageResult:
        """Take a page in."""
        answer, self.page = _page(self.fetch, response)
        self.lowest = min([self.lowest, *(trade.trade_id for trade in self.page)])
        return answer

    def glance(self, response: Response) -> PageResult:
        """Take a page in that only shows the way: its rows come again."""
        return replace(self.read(response), keep=False)


def _all_trades(fetch: FetchRequest, wire: str, begun: list[int] | None) -> Conversation:
    """Ids run without gaps: the first one of the span is searched for, then pages go forward."""
    book = _Book(fetch, wire)
    newest = yield from envelopes.retried(book.before(None, 1), book.glance)
    if newest.outcome is not Outcome.ROWS:
        return
    stop = book.page[0].trade_id + 1
    if begun is None:
        first = yield from _first_id(book, stop)
        if first is None:
            return
        begun = [first]
    yield from _blocks(book, begun, stop)


def _first_id(book: _Book, stop: int) -> Generator[Request | PageResult, Response | None, int | None]:
    """An id at most `_NEAR` before the first trade of the span; None where an answer ends the fetch."""
    start = book.fetch.start
    low, high = 0, stop
    opened, closed = 0, parse_timestamp(book.page[0].time)
    by_halves = False
    while high - low > _NEAR:
        # By proportion as far as trading is even, by halves where it is not.
        share = (start - opened) / max(1, closed - opened) if opened and not by_halves else 0.5
        middle = min(max(low + int((high - low) * share), low + 1), high - 1)
        answer = yield from envelopes.retried(book.before(middle + 1, 1), book.glance)
        if answer.outcome not in (Outcome.ROWS, Outcome.EMPTY):
            return None
        size = high - low
        timestamp = parse_timestamp(book.page[0].time) if book.page else None
        if timestamp is not None and timestamp >= start:
            high, closed = middle, timestamp
        else:
            low, opened = middle, opened if timestamp is None else timestamp
        by_halves = high - low > size // 2
    return low


def _blocks(book: _Book, begun: list[int], stop: int) -> Conversation:
    """Blocks of ids forward; one that the server cuts short is gone through backwards before the next."""
    most = min(book.fetch.rows_per_page or _TRADES_PER_PAGE, _TRADES_PER_PAGE)
    next_id = begun[0]
    following = min(next_id + most, stop)
    upper, newest = begun[1:] or (following, 0)
    while True:
        answer = yield from envelopes.retried(
            book.before(upper, max(1, upper - next_id)),
            functools.partial(_block, book, (next_id, upper, following, stop, newest)),
        )
        if answer.outcome not in (Outcome.ROWS, Outcome.EMPTY) or answer.cursor is None:
            return
        newest = max(newest, parse_timestamp(book.page[0].time) if book.page else 0)
        if book.page and book.page[-1].trade_id > next_id:
            upper = book.page[-1].trade_id
            continue
        next_id, newest = following, 0
        following = upper = min(next_id + most, stop)


def _page(fetch: FetchRequest, response: Response) -> tuple[PageResult, list[_Trade]]:
    if response.status != 200:
        return _refusal(fetch, response), []
    try:
        trades = _trades.decode(response.body)
        timestamps = [parse_timestamp(trade.time) for trade in trades]
    except UNREADABLE as error:
        return envelopes.malformed(f"not a page of trades: {error}"), []
    if timestamps != sorted(timestamps, reverse=True):
        return envelopes.malformed("trades that do not come newest first"), []
    outcome = Outcome.ROWS if trades else Outcome.EMPTY
    return PageResult(outcome=outcome, keep=True, confirmed=fetch.symbols), trades


def _block(book: _Book, place: tuple[int, int, int, int, Instant], response: Response) -> PageResult:
    """A page of a block of ids: whether it is one, where the conversation goes on, and what that settles."""
    next_id, upper, following, stop, newest = place
    fetch, answer = book.fetch, book.read(response)
    trades = book.page
    if answer.outcome not in (Outcome.ROWS, Outcome.EMPTY):
        return answer
    if any(trade.trade_id >= upper for trade in trades):
        return envelopes.malformed(
            f"trades from {trades[0].trade_id} on, though those before {upper} were asked for"
        )
    if not trades and book.lowest < upper:
        return envelopes.malformed(f"no trades before {upper}, though there is one with the id {book.lowest}")
    newest = max(newest, parse_timestamp(trades[0].time) if trades else 0)
    inside = any(fetch.start <= parse_timestamp(trade.time) < fetch.end for trade in trades)
    answer = replace(answer, outcome=Outcome.ROWS if inside else Outcome.EMPTY)
    if trades and trades[-1].trade_id > next_id:
        return replace(answer, cursor=Cursor(token=f"{next_id}:{trades[-1].trade_id}:{newest}"))
    if newest >= fetch.end or following >= stop:
        return replace(answer, complete_through=bars.all_complete(fetch))
    through = utc_date(newest) - dt.timedelta(days=1)
    complete_through = (
        (CompleteThrough(symbol=fetch.symbols[0], through=through),) if through >= fetch.first else ()
    )
    return replace(answer, cursor=Cursor(token=str(following)), complete_through=complete_through)


def _window(fetch: FetchRequest, response: Response, at: Instant, stop: Instant) -> PageResult:
    if response.status != 200:
        return _refusal(fetch, response)
    try:
        rows = _candles.decode(response.body)
        timestamps = [row[0] for row in rows]
        inside = [timestamp for timestamp in timestamps if at <= int(timestamp) * SECOND < stop]
    except (*UNREADABLE, IndexError) as error:
        return envelopes.malformed(f"not a page of candles: {error}")
    through = utc_date(stop) - dt.timedelta(days=1)
    complete_through = bars.all_complete(fetch)
    if stop < fetch.end:
        complete_through = (
            (CompleteThrough(symbol=fetch.symbols[0], through=through),) if through >= fetch.first else ()
        )
    return PageResult(
        outcome=Outcome.ROWS if inside else Outcome.EMPTY,
        keep=True,
        # An unknown product is an error of its own, so that even an empty window confirms it.
        confirmed=fetch.symbols,
        cursor=Cursor(token=str(stop)) if stop < fetch.end else None,
        complete_through=complete_through,
        memo=f"{at}:{stop}",
    )


def _refusal(fetch: FetchRequest, response: Response) -> PageResult:
    text = envelopes.error_text(response, "message")
    reason = envelopes.reason(text, response.status)
    if response.status in envelopes.TOO_MANY:
        return envelopes.rate_limited(response, reason)
    if trouble := envelopes.server_trouble(response, text):
        return trouble
    if (
        response.status == 404
        and response.body[:1] == b"{"
        and "notfound" in text.replace(" ", "").casefold()
    ):
        return PageResult(outcome=Outcome.UNKNOWN_SYMBOL, symbols=fetch.symbols, reason=reason)
    return envelopes.undocumented(response, reason)


def decode(pages: Sequence[Page]) -> Decoded:
    """One slice for each page; rows outside of a window, or of the span, belong to another page."""
    slices = []
    for page in pages:
        at, _, stop = page.memo.partition(":")
        windowed = at.isdigit()
        within = (int(at), int(stop)) if windowed else (page.fetch.start, page.fetch.end)
        row_format = _TRADE if page.fetch.dataset == _TRADES else _CANDLE
        slices.append(
            Slice(
                page=page.number,
                symbol=page.fetch.symbols[0],
                rows=page.body,
                row_format=row_format,
                within=within,
                descending=True,
            )
        )
    return Decoded(slices=tuple(slices))
