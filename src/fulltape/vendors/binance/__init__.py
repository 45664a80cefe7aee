"""Binance spot: bars, trades and aggregate trades; no key.

The public archive comes first where it saves requests: a whole month of minutes, and every day of trades, is one file and
its checksum; the API serves the rest and what is not published yet. Single trades come from the archive only. Files may
be replaced later, so each is held against its published checksum. During maintenance there are no rows at all; some
open times of 2017 and 2018 lie off the minute. Times are microseconds in archives from 2025 on and milliseconds before:
told apart by their size. A buyer that was the maker means that the aggressor sold.

Belongs here: what is asked of Binance and its archive; what the bytes of both mean, in a file of its own. Does not
belong here: sockets, clocks, polars, other vendors.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from fulltape.contract import envelopes, symbology
from fulltape.contract.envelopes import UNREADABLE
from fulltape.contract.plans import Connecting, Limits
from fulltape.contract.vendor import (
    LOOK_UP,
    RETRYABLE,
    Capability,
    Conversation,
    Cursor,
    FetchRequest,
    Outcome,
    PageResult,
    Request,
    Response,
    Source,
    VendorSpec,
)
from fulltape.market import assets
from fulltape.market.time import LATEST, MINUTE, Instant, midnight, utc_date
from fulltape.vendors.binance.archive import from_archive, look_up
from fulltape.vendors.binance.decoding import decode as decode
from fulltape.vendors.binance.live import meaning as meaning
from fulltape.vendors.binance.live import streams as streams
from fulltape.vendors.binance.steps import (
    KINDS,
    KLINE_PAGE,
    MILLISECOND,
    Kind,
    Place,
    Step,
    bound,
    file_stop,
    moved,
    refusal,
)

_ROWS_PER_PAGE = 1_000
_SINCE = dt.date(2017, 7, 14)
_PUBLISHED_AFTER = 36 * 3_600


def _serves(dataset: str, kind: Kind) -> Capability:
    return Capability(
        dataset=dataset,
        history_from=_SINCE,
        symbols_per_request=1,
        # A file holds whatever its span has; the API's pages are smaller.
        rows_per_page={"month": 50_000, "day": 1_000_000, "": _ROWS_PER_PAGE}[kind.file],
        volume_unit="base units",
        # A day's file and its digest.
        requests_per_session=2 if kind.file == "day" else 0,
        # A month's file, its digest, and a page of the API that it is held against.
        requests_per_page=3 if kind.file == "month" else 1,
        delay=0 if kind.path else _PUBLISHED_AFTER,
        spans=bool(kind.path),
    )


SPEC = VendorSpec(
    name="binance",
    title="Binance",
    # The hosts for market data only: they take no key and are reported to answer where the main ones answer 451.
    hosts={"data": "https://data-api.binance.vision", "archive": "https://data.binance.vision"},
    secrets=(),
    auth={},
    plans={"public": Limits(weight_per_minute=6_000, per_second=20, counted_by="ip")},
    default_plan="public",
    stream_hosts={"stream": "wss://data-stream.binance.vision"},
    connecting=Connecting(attempts=250, seconds=300, after_refusal=120),
    sources=(
        Source(
            name="binance.spot",
            feed="spot",
            scope="single venue",
            capabilities=tuple(_serves(dataset, kind) for dataset, kind in KINDS.items()),
        ),
    ),
    documents=(
        "https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md",
        "https://github.com/binance/binance-public-data",
    ),
)

_STEP_BACK = MINUTE
"""Trades come in the order of their ids, and one may bear an earlier time than the one before it (0.9 s was seen)."""


class _Agg(msgspec.Struct):
    a: int
    T: int


_aggs = msgspec.json.Decoder(list[_Agg])


def ticker(symbol: str) -> str:
    """`BTC/USDT` as the vendor writes it: `BTCUSDT`."""
    return "".join(assets.pair(symbol)).upper()


def history(fetch: FetchRequest, resume: Cursor | None) -> Conversation:
    """Files of the archive where they save requests, pages of the API for the rest."""
    kind = KINDS[fetch.dataset]
    wire = symbology.vendor_symbol(fetch, ticker)
    if resume and resume.token == LOOK_UP:
        yield from look_up(fetch, wire)
        return
    place: Place | None = Place.read(resume.token) if resume else Place(at=fetch.start)
    while place is not None:
        day = utc_date(place.at)
        stop = file_stop(kind, day)
        archived = day >= place.archived_from and place.at == midnight(day)
        if place.next_id < 0 and archived and stop and midnight(stop) <= fetch.end:
            place = yield from from_archive(fetch, kind, wire, place, stop)
        elif kind.path:
            place = yield from _from_api(fetch, kind, wire, place)
        else:
            return


def _from_api(fetch: FetchRequest, kind: Kind, wire: str, place: Place) -> Step:
    """One page; a short one is not taken for the last."""
    params = {"symbol": wire, "limit": str(min(fetch.rows_per_page or _ROWS_PER_PAGE, _ROWS_PER_PAGE))}
    if kind.interval:
        end = str(bound(fetch, kind, place) // MILLISECOND - 1)
        params |= {"interval": kind.interval, "startTime": str(place.at // MILLISECOND), "endTime": end}
    elif place.next_id >= 0:
        params["fromId"] = str(place.next_id)
    else:
        params["startTime"] = str(place.at // MILLISECOND)
    request = Request(path=kind.path, params=params, cost=kind.weight)
    while True:
        response = yield request
        assert response is not None
        answer, following = _page(fetch, kind, response, place)
        yield answer
        if answer.outcome not in RETRYABLE:
            return following if answer.outcome in (Outcome.ROWS, Outcome.EMPTY) else None


def _page(
    fetch: FetchRequest, kind: Kind, response: Response, place: Place
) -> tuple[PageResult, Place | None]:
    if response.status != 200:
        return refusal(response, fetch.symbols), None
    try:
        rows = KLINE_PAGE.decode(response.body) if kind.interval else _aggs.decode(response.body)
        timestamps, last_id = _stamps(rows)
    except (*UNREADABLE, TypeError, IndexError) as error:
        return envelopes.malformed(f"not a page of {fetch.dataset}: {error}"), None
    ids = [row.a for row in rows if isinstance(row, _Agg)]
    order = ids or timestamps
    slack = _STEP_BACK if ids else 0
    if order != sorted(order) or any(timestamp < place.at - slack for timestamp in timestamps):
        return envelopes.malformed("rows that do not go on from where they were asked"), None
    outcome = Outcome.ROWS if timestamps else Outcome.EMPTY
    until = bound(fetch, kind, place)
    # An unknown symbol is an error of its own, so that even an empty page confirms the symbol.
    answer = PageResult(outcome=outcome, keep=True, confirmed=fetch.symbols, memo=str(until), positional=True)
    latest = max(timestamps, default=0)
    if not timestamps or latest + kind.step >= until + slack:
        return moved(fetch, Place(at=until, archived_from=place.archived_from), answer, until)
    # Some candles lie off the grid: the next one may begin at any later millisecond.
    # Trades stay on this side of the bound until the step is over: what lies beyond it is read with the rest of its day.
    at = latest + MILLISECOND if kind.interval else min(latest, until - 1)
    # A trade with a later id may bear a time of the day before: that day is complete only when the step is over.
    return moved(fetch, replace(place, at=at, next_id=last_id), answer, min(latest - slack, fetch.end - 1))


def _stamps(rows: Sequence[object]) -> tuple[list[Instant], int]:
    """Open times or times of trades in UTC microseconds, and the id to go on with."""
    timestamps: list[Instant] = []
    next_id = -1
    for row in rows:
        if isinstance(row, _Agg):
            timestamps.append(row.T * MILLISECOND)
            next_id = row.a + 1
        else:
            assert isinstance(row, list)
            if not isinstance(row[0], int) or not 0 <= row[0] < LATEST:
                raise ValueError(f"{row[0]!r} is no time")
            timestamps.append(row[0] * MILLISECOND)
    return timestamps, next_id
