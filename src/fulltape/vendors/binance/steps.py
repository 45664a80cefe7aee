"""What all steps of a conversation with Binance share: how a dataset is asked for, where one stands, what refusals mean."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from fulltape.contract import envelopes
from fulltape.contract.vendor import (
    CompleteThrough,
    Cursor,
    FetchRequest,
    Outcome,
    PageResult,
    Request,
    Response,
)
from fulltape.decoding import bars
from fulltape.market.time import DAY, MINUTE, Instant, midnight, utc_date

MILLISECOND = 1_000
KLINE_PAGE = msgspec.json.Decoder(list[list[object]])
_CODE = re.compile(rb'\{"code": ?-(?:1121|1100)\b')


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How a dataset is asked for: its name in the archive, what one of its files holds, and the API's endpoint ('' for
    none), interval, step in microseconds and weight."""

    archive: str
    file: Literal["month", "day", ""]
    path: str
    interval: str = ""
    step: Instant = 1
    weight: int = 2


KLINES = "/api/v3/klines"
KINDS = {
    "crypto_bars_day": Kind(archive="klines", file="", path=KLINES, interval="1d", step=DAY),
    "crypto_bars_minute": Kind(archive="klines", file="month", path=KLINES, interval="1m", step=MINUTE),
    "crypto_aggtrades": Kind(archive="aggTrades", file="day", path="/api/v3/aggTrades", weight=4),
    "crypto_trades": Kind(archive="trades", file="day", path=""),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
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
    def read(token: str) -> Place:
        """From a cursor."""
        at, next_id, archived_from = token.split(":")
        return Place(at=int(at), next_id=int(next_id), archived_from=dt.date.fromisoformat(archived_from))


def file_stop(kind: Kind, day: dt.date) -> dt.date | None:
    """The day after the last one in the file that begins with `day`, None where none does."""
    if kind.file == "day":
        return day + dt.timedelta(days=1)
    if kind.file == "month" and day.day == 1:
        return (day + dt.timedelta(days=32)).replace(day=1)
    return None


def bound(fetch: FetchRequest, kind: Kind, place: Place) -> Instant:
    """Up to where the API is asked: the next instant from which the archive may have a file, or the end."""
    day = utc_date(place.at)
    if place.archived_from > day:
        return min(midnight(place.archived_from), fetch.end)
    if kind.file == "month":
        following = (day.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
        stop = file_stop(kind, following)
        if stop and midnight(stop) <= fetch.end:
            return midnight(following)
    return fetch.end


def moved(
    fetch: FetchRequest, place: Place, answer: PageResult, until: Instant
) -> tuple[PageResult, Place | None]:
    """The answer with what it settles up to `until` and where to go on, None at the end of the fetch."""
    if until >= fetch.end:
        return replace(answer, complete_through=bars.all_complete(fetch)), None
    through = utc_date(until) - dt.timedelta(days=1)
    complete_through = (
        (CompleteThrough(symbol=fetch.symbols[0], through=through),) if through >= fetch.first else ()
    )
    cursor = Cursor(token=place.token, seen=fetch.symbols if answer.outcome is Outcome.ROWS else ())
    return replace(answer, complete_through=complete_through, cursor=cursor), place


def refusal(response: Response, symbols: tuple[str, ...]) -> PageResult:
    """What an answer that is no success means; `symbols` are those that it is about."""
    text = envelopes.error_text(response, "msg")
    reason = envelopes.reason(text, response.status)
    if response.status in envelopes.TOO_MANY:
        return envelopes.rate_limited(response, reason)
    if trouble := envelopes.server_trouble(response, text):
        return trouble
    if response.status == 451:
        return PageResult(outcome=Outcome.NOT_ENTITLED, reason=reason)
    if response.status == 400 and _CODE.match(response.body):
        return PageResult(outcome=Outcome.UNKNOWN_SYMBOL, symbols=symbols, reason=reason)
    return envelopes.undocumented(response, reason)


Step = Generator[Request | PageResult, Response | None, "Place | None"]
