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
import hashlib
import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from fulltape.core import bars, envelopes, spelling
from fulltape.core.envelopes import UNREADABLE
from fulltape.core.plans import Connecting, Limits
from fulltape.core.time import DAY, LATEST, MINUTE, Instant, midnight, utc_date
from fulltape.core.vendor import (
    RETRYABLE,
    Answer,
    Ask,
    Conversation,
    Cursor,
    Outcome,
    Request,
    Response,
    Serves,
    Settled,
    Source,
    VendorSpec,
)
from fulltape.vendors.binance.decoding import decode as decode
from fulltape.vendors.binance.live import meaning as meaning
from fulltape.vendors.binance.live import streams as streams

_MILLISECOND = 1_000
_ROWS_PER_PAGE = 1_000
_SINCE = dt.date(2017, 7, 14)
_PUBLISHED_AFTER = 36 * 3_600
_LATE = 7 * DAY
"""For so long after its day a file that is missing may still come."""
_CODE = re.compile(rb'\{"code": ?-(?:1121|1100)\b')
_DIGEST = re.compile(rb"[0-9a-f]{64}\s")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """How a dataset is asked for: its name in the archive, what one of its files holds, and the API's endpoint ('' for
    none), interval, step in microseconds and weight."""

    archive: str
    file: Literal["month", "day", ""]
    path: str
    interval: str = ""
    step: Instant = 1
    weight: int = 2


_KLINES = "/api/v3/klines"
_KINDS = {
    "crypto_bars_day": _Kind(archive="klines", file="", path=_KLINES, interval="1d", step=DAY),
    "crypto_bars_minute": _Kind(archive="klines", file="month", path=_KLINES, interval="1m", step=MINUTE),
    "crypto_aggtrades": _Kind(archive="aggTrades", file="day", path="/api/v3/aggTrades", weight=4),
    "crypto_trades": _Kind(archive="trades", file="day", path=""),
}


def _serves(dataset: str, kind: _Kind) -> Serves:
    return Serves(
        dataset=dataset,
        history_from=_SINCE,
        symbols_per_request=1,
        # A file holds whatever its span has; the API's pages are smaller.
        rows_per_page={"month": 50_000, "day": 1_000_000, "": _ROWS_PER_PAGE}[kind.file],
        volume_unit="base units",
        # A day's file and its digest.
        requests_per_session=2 if kind.file == "day" else 0,
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
            serves=tuple(_serves(dataset, kind) for dataset, kind in _KINDS.items()),
        ),
    ),
    documents=(
        "https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md",
        "https://github.com/binance/binance-public-data",
    ),
)

_Step = Generator[Request | Answer, Response | None, "_Place | None"]


_STEP_BACK = MINUTE
"""Trades come in the order of their ids, and one may bear an earlier time than the one before it (0.9 s was seen)."""


class _Agg(msgspec.Struct):
    a: int
    T: int


_klines = msgspec.json.Decoder(list[list[object]])
_aggs = msgspec.json.Decoder(list[_Agg])


def ticker(symbol: str) -> str:
    """`BTC/USDT` as the vendor writes it: `BTCUSDT`."""
    return "".join(spelling.pair(symbol)).upper()


def history(ask: Ask, resume: Cursor | None) -> Conversation:
    """Files of the archive where they save requests, pages of the API for the rest."""
    kind = _KINDS[ask.dataset]
    wire = spelling.wire(ask, ticker)
    place: _Place | None = _Place.read(resume.token) if resume else _Place(at=ask.start)
    while place is not None:
        day = utc_date(place.at)
        stop = _file_stop(kind, day)
        archived = day >= place.archived_from and place.at == midnight(day)
        if place.next_id < 0 and archived and stop and midnight(stop) <= ask.end:
            place = yield from _from_archive(ask, kind, wire, place, stop)
        elif kind.path:
            place = yield from _from_api(ask, kind, wire, place)
        else:
            return


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a conversation stands: the instant from which rows are lacking, the id to go on with (-1: by time), and
    the day before which the archive has nothing."""

    at: Instant
    next_id: int = -1
    archived_from: dt.date = dt.date.min

    @property
    def token(self) -> str:
        """As a cursor."""
        return f"{self.at}:{self.next_id}:{self.archived_from.isoformat()}"

    @staticmethod
    def read(token: str) -> _Place:
        """From a cursor."""
        at, next_id, archived_from = token.split(":")
        return _Place(at=int(at), next_id=int(next_id), archived_from=dt.date.fromisoformat(archived_from))


def _file_stop(kind: _Kind, day: dt.date) -> dt.date | None:
    """The day after the last one in the file that begins with `day`, None where none does."""
    if kind.file == "day":
        return day + dt.timedelta(days=1)
    if kind.file == "month" and day.day == 1:
        return (day + dt.timedelta(days=32)).replace(day=1)
    return None


def _bound(ask: Ask, kind: _Kind, place: _Place) -> Instant:
    """Up to where the API is asked: the next instant from which the archive may have a file, or the end."""
    day = utc_date(place.at)
    if place.archived_from > day:
        return min(midnight(place.archived_from), ask.end)
    if kind.file == "month":
        following = (day.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
        stop = _file_stop(kind, following)
        if stop and midnight(stop) <= ask.end:
            return midnight(following)
    return ask.end


def _moved(ask: Ask, place: _Place, answer: Answer, until: Instant) -> tuple[Answer, _Place | None]:
    """The answer with what it settles up to `until` and where to go on, None at the end of the ask."""
    if until >= ask.end:
        return replace(answer, settled=bars.settled_whole(ask)), None
    through = utc_date(until) - dt.timedelta(days=1)
    settled = (Settled(symbol=ask.symbols[0], through=through),) if through >= ask.first else ()
    cursor = Cursor(token=place.token, seen=ask.symbols if answer.outcome is Outcome.ROWS else ())
    return replace(answer, settled=settled, cursor=cursor), place


def _from_archive(ask: Ask, kind: _Kind, wire: str, place: _Place, stop: dt.date) -> _Step:
    """One file, if it is there; without it the API is asked up to the file's end."""
    day = utc_date(place.at)
    span, label = ("monthly", f"{day:%Y-%m}") if kind.file == "month" else ("daily", day.isoformat())
    middle = f"{kind.interval}/" if kind.interval else ""
    name = f"{wire}-{kind.interval or kind.archive}-{label}.zip"
    path = f"/data/spot/{span}/{kind.archive}/{wire}/{middle}{name}"
    digest = ""
    resumed = place.at > ask.start

    def checksum(response: Response) -> Answer:
        nonlocal digest
        if response.status == 404:
            young = response.received_at and response.received_at - midnight(stop) < _LATE
            if young and not kind.path:
                return Answer(outcome=Outcome.NOT_YET, reason=f"{name} is not published yet")
            return Answer(outcome=Outcome.EMPTY, keep=not kind.path, reason=f"{name} is not published")
        if response.status != 200:
            return _refusal(response, ask.symbols)
        if not _DIGEST.match(response.body):
            return replace(envelopes.malformed("a checksum that is none"), keep=False)
        digest = response.body[:64].decode()
        return Answer(outcome=Outcome.EMPTY)

    asked = Request(path=f"{path}.CHECKSUM", host="archive")
    while True:
        response = yield asked
        assert response is not None
        answer = checksum(response)
        missing = answer.outcome is Outcome.EMPTY and not digest
        following: _Place | None = replace(place, archived_from=stop)
        if missing and not kind.path:
            answer, following = _moved(ask, _Place(at=midnight(stop)), answer, midnight(stop))
        yield answer
        if answer.outcome in RETRYABLE:
            continue
        if missing:
            if not kind.path and not resumed and ask.symbols[0] not in ask.known:
                known = yield from _look_up(ask, wire)
                following = following if known.outcome is Outcome.EMPTY else None
            return following
        if not digest:
            return None
        break
    broken = 0
    while True:
        response = yield Request(path=path, host="archive")
        assert response is not None
        answer, following = _file(ask, response, digest, midnight(stop))
        broken += answer.outcome is Outcome.MALFORMED
        if broken > 1 and kind.path:
            # Fetched twice: the file itself is wrong, and the API has the same rows.
            yield Answer(outcome=Outcome.EMPTY, reason=f"{name}: {answer.reason}, twice; the API is asked")
            return replace(place, archived_from=stop)
        yield answer
        if answer.outcome not in RETRYABLE:
            return following if answer.outcome is Outcome.ROWS else None


def _look_up(ask: Ask, wire: str) -> Generator[Request | Answer, Response | None, Answer]:
    """A symbol without files may be one that nobody has ever listed."""

    def read(response: Response) -> Answer:
        if response.status == 200:
            return Answer(outcome=Outcome.EMPTY, confirmed=ask.symbols)
        refusal = _refusal(response, ask.symbols)
        told = (*RETRYABLE, Outcome.UNKNOWN_SYMBOL)
        return refusal if refusal.outcome in told else Answer(outcome=Outcome.EMPTY, reason=refusal.reason)

    request = Request(path="/api/v3/exchangeInfo", params={"symbol": wire}, cost=20)
    return (yield from envelopes.until_it_stands(request, read))


def _file(ask: Ask, response: Response, digest: str, until: Instant) -> tuple[Answer, _Place | None]:
    if response.status != 200:
        return _refusal(response, ask.symbols), None
    if hashlib.sha256(response.body).hexdigest() != digest:
        return envelopes.malformed("a file that does not match its checksum"), None
    answer = Answer(outcome=Outcome.ROWS, keep=True, confirmed=ask.symbols)
    return _moved(ask, _Place(at=until), answer, until)


def _from_api(ask: Ask, kind: _Kind, wire: str, place: _Place) -> _Step:
    """One page; a short one is not taken for the last."""
    params = {"symbol": wire, "limit": str(min(ask.rows_per_page or _ROWS_PER_PAGE, _ROWS_PER_PAGE))}
    if kind.interval:
        end = str(_bound(ask, kind, place) // _MILLISECOND - 1)
        params |= {"interval": kind.interval, "startTime": str(place.at // _MILLISECOND), "endTime": end}
    elif place.next_id >= 0:
        params["fromId"] = str(place.next_id)
    else:
        params["startTime"] = str(place.at // _MILLISECOND)
    request = Request(path=kind.path, params=params, cost=kind.weight)
    while True:
        response = yield request
        assert response is not None
        answer, following = _page(ask, kind, response, place)
        yield answer
        if answer.outcome not in RETRYABLE:
            return following if answer.outcome in (Outcome.ROWS, Outcome.EMPTY) else None


def _page(ask: Ask, kind: _Kind, response: Response, place: _Place) -> tuple[Answer, _Place | None]:
    if response.status != 200:
        return _refusal(response, ask.symbols), None
    try:
        found = _klines.decode(response.body) if kind.interval else _aggs.decode(response.body)
        stamps, last_id = _stamps(found)
    except (*UNREADABLE, TypeError, IndexError) as error:
        return envelopes.malformed(f"not a page of {ask.dataset}: {error}"), None
    ids = [row.a for row in found if isinstance(row, _Agg)]
    order = ids or stamps
    slack = _STEP_BACK if ids else 0
    if order != sorted(order) or any(stamp < place.at - slack for stamp in stamps):
        return envelopes.malformed("rows that do not go on from where they were asked"), None
    outcome = Outcome.ROWS if stamps else Outcome.EMPTY
    bound = _bound(ask, kind, place)
    # An unknown symbol is an error of its own, so that even an empty page confirms the symbol.
    answer = Answer(outcome=outcome, keep=True, confirmed=ask.symbols, memo=str(bound), positional=True)
    latest = max(stamps, default=0)
    if not stamps or latest + kind.step >= bound + slack:
        return _moved(ask, _Place(at=bound, archived_from=place.archived_from), answer, bound)
    # Some candles lie off the grid: the next one may begin at any later millisecond.
    # Trades stay on this side of the bound until the step is over: what lies beyond it is read with the rest of its day.
    at = latest + _MILLISECOND if kind.interval else min(latest, bound - 1)
    # A trade with a later id may bear a time of the day before: that day is complete only when the step is over.
    return _moved(ask, replace(place, at=at, next_id=last_id), answer, min(latest - slack, ask.end - 1))


def _stamps(found: Sequence[object]) -> tuple[list[Instant], int]:
    """Open times or times of trades in UTC microseconds, and the id to go on with."""
    stamps: list[Instant] = []
    next_id = -1
    for row in found:
        if isinstance(row, _Agg):
            stamps.append(row.T * _MILLISECOND)
            next_id = row.a + 1
        else:
            assert isinstance(row, list)
            if not isinstance(row[0], int) or not 0 <= row[0] < LATEST:
                raise ValueError(f"{row[0]!r} is no time")
            stamps.append(row[0] * _MILLISECOND)
    return stamps, next_id


def _refusal(response: Response, symbols: tuple[str, ...]) -> Answer:
    text = envelopes.error_text(response, "msg")
    reason = envelopes.reason(text, response.status)
    if response.status in envelopes.TOO_MANY:
        return envelopes.rate_limited(response, reason)
    if trouble := envelopes.server_trouble(response, text):
        return trouble
    if response.status == 451:
        return Answer(outcome=Outcome.NOT_ENTITLED, reason=reason)
    if response.status == 400 and _CODE.match(response.body):
        return Answer(outcome=Outcome.UNKNOWN_SYMBOL, symbols=symbols, reason=reason)
    return envelopes.undocumented(response, reason)
