"""Massive's reference: who a ticker is, since when and until when it was listed, and under which symbols before."""

from __future__ import annotations

import datetime as dt
import functools
import urllib.parse
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from fulltape.contract import envelopes
from fulltape.contract.envelopes import UNREADABLE
from fulltape.contract.vendor import Conversation, Outcome, PageResult, Request, Response
from fulltape.market.reference import ReferenceEntry, ReferenceFacts
from fulltape.vendors.massive.endpoints import SINCE

_ORIGIN = "massive"


class _Details(msgspec.Struct):
    ticker: str
    type: str = ""
    primary_exchange: str = ""
    currency_name: str = ""
    list_date: dt.date | None = None
    delisted_utc: str = ""
    composite_figi: str = ""


class _Found(msgspec.Struct):
    results: _Details


class _Change(msgspec.Struct):
    ticker: str


class _Event(msgspec.Struct):
    date: dt.date
    type: str = ""
    ticker_change: _Change | None = None


class _Events(msgspec.Struct):
    events: list[_Event] = []


class _Told(msgspec.Struct):
    results: _Events


def reference(symbols: Sequence[str]) -> Conversation:
    """Two requests a symbol: its details, and the symbols that it had before."""
    for symbol in symbols:
        details: list[_Details] = []
        wire = urllib.parse.quote(symbol, safe="")
        yield from envelopes.retried(
            Request(path=f"/v3/reference/tickers/{wire}"), functools.partial(_details, symbol, details)
        )
        if not details:
            continue
        name = details[0].composite_figi or wire
        params = {"types": "ticker_change"}
        request = Request(path=f"/vX/reference/tickers/{name}/events", params=params)
        yield from envelopes.retried(request, functools.partial(_events, symbol, details[0]))


def _details(symbol: str, into: list[_Details], response: Response) -> PageResult:
    if response.status == 404:
        return PageResult(
            outcome=Outcome.UNKNOWN_SYMBOL, symbols=(symbol,), reason=f"{symbol}: ticker not found"
        )
    if response.status != 200:
        return _refusal(response)
    try:
        into[:] = [msgspec.json.decode(response.body, type=_Found).results]
    except UNREADABLE as error:
        return replace(envelopes.malformed(f"no ticker's details: {error}"), keep=False)
    return PageResult(outcome=Outcome.EMPTY, confirmed=(symbol,))


def _events(symbol: str, details: _Details, response: Response) -> PageResult:
    events: list[_Event] = []
    if response.status == 200:
        try:
            events = msgspec.json.decode(response.body, type=_Told).results.events
        except UNREADABLE as error:
            return replace(envelopes.malformed(f"no ticker's events: {error}"), keep=False)
    elif response.status != 404:
        return _refusal(response)
    entries = listings(
        symbol, details, [(event.date, event.ticker_change.ticker) for event in events if event.ticker_change]
    )
    return PageResult(outcome=Outcome.ROWS, listings=tuple(entries))


def _refusal(response: Response) -> PageResult:
    text = envelopes.error_text(response, "error", "message")
    reason = envelopes.reason(text, response.status)
    if response.status in envelopes.TOO_MANY:
        return envelopes.rate_limited(response, reason)
    if response.status == 401:
        return PageResult(outcome=Outcome.BAD_CREDENTIALS, reason=reason)
    if response.status == 403:
        return PageResult(outcome=Outcome.NOT_ENTITLED, reason=reason)
    return envelopes.server_trouble(response, text) or envelopes.undocumented(response, reason)


def listings(symbol: str, details: _Details, changes: Sequence[tuple[dt.date, str]]) -> list[ReferenceEntry]:
    """The dated symbols of one instrument: each from its change to the day before the next, the newest to the delisting.

    The instrument is called by the first symbol that it was known by. Details that say it was listed before its first
    event may mean another company that had the ticker before: then the event counts, but for one on the first day of
    the vendor's data, which is no evidence of a beginning.
    """
    known = sorted(set(changes))
    names = [name for _, name in known] or [symbol]
    begins: list[dt.date | None] = [day for day, _ in known] or [details.list_date]
    conflict = ""
    if details.list_date is not None and begins[0] is not None and details.list_date < begins[0]:
        if begins[0] <= SINCE:
            begins[0] = details.list_date
        else:
            conflict = (
                f"its details say it was listed on {details.list_date}, its first event is of {begins[0]}"
            )
    delisted = dt.date.fromisoformat(details.delisted_utc[:10]) if details.delisted_utc else None
    facts = ReferenceFacts(
        type=details.type,
        venue=details.primary_exchange,
        currency=details.currency_name.upper(),
        conflict=conflict,
    )
    entries = []
    for at, name in enumerate(names):
        following = begins[at + 1] if at + 1 < len(begins) else None
        last = delisted if following is None else following - dt.timedelta(days=1)
        entries.append(
            ReferenceEntry(
                instrument=names[0], symbol=name, first=begins[at], last=last, facts=facts, origin=_ORIGIN
            )
        )
    return entries
