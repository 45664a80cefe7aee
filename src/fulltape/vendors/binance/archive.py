"""Binance's public archive: a file, its checksum, and a page of the API that it is held against."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Generator, Mapping
from dataclasses import replace

from fulltape.contract import envelopes
from fulltape.contract.envelopes import UNREADABLE
from fulltape.contract.vendor import (
    LOOK_UP,
    RETRYABLE,
    Cursor,
    FetchRequest,
    Outcome,
    PageResult,
    Request,
    Response,
)
from fulltape.market.time import DAY, MINUTE, Instant, midnight, utc_date
from fulltape.vendors.binance import sampling
from fulltape.vendors.binance.steps import KLINE_PAGE, MILLISECOND, Kind, Place, Step, moved, refusal

_LATE = 7 * DAY
"""For so long after its day a file that is missing may still come."""
_DIGEST = re.compile(rb"[0-9a-f]{64}\s")
_Sampled = dict[Instant, sampling.Prices | None]


def from_archive(fetch: FetchRequest, kind: Kind, wire: str, place: Place, stop: dt.date) -> Step:
    """One file, if it is there; without it the API is asked up to the file's end."""
    day = utc_date(place.at)
    span, label = ("monthly", f"{day:%Y-%m}") if kind.file == "month" else ("daily", day.isoformat())
    middle = f"{kind.interval}/" if kind.interval else ""
    name = f"{wire}-{kind.interval or kind.archive}-{label}.zip"
    path = f"/data/spot/{span}/{kind.archive}/{wire}/{middle}{name}"
    digest, answer = yield from _digest(fetch, f"{path}.CHECKSUM", kind, stop)
    if digest:
        return (yield from _taken(fetch, kind, wire, place, stop, path, digest))
    if answer.outcome is not Outcome.EMPTY:
        yield answer
        return None
    following: Place | None = replace(place, archived_from=stop)
    if not kind.path:
        answer, following = moved(fetch, Place(at=midnight(stop)), answer, midnight(stop))
    looks_up = not kind.path and place.at <= fetch.start and fetch.symbols[0] not in fetch.known
    yield replace(answer, cursor=Cursor(token=LOOK_UP)) if looks_up and following is None else answer
    if looks_up:
        known = yield from look_up(fetch, wire)
        return following if known.outcome is Outcome.EMPTY else None
    return following


def _digest(
    fetch: FetchRequest, path: str, kind: Kind, stop: dt.date
) -> Generator[Request | PageResult, Response | None, tuple[str, PageResult]]:
    """A file's checksum, or '' and the answer that says why there is none: the caller yields that."""
    name = path.rpartition("/")[2].removesuffix(".CHECKSUM")
    while True:
        response = yield Request(path=path, host="archive")
        assert response is not None
        digest, answer = _checksum(fetch, response, name, kind, stop)
        if not digest and answer.outcome not in RETRYABLE:
            return "", answer
        yield answer
        if digest:
            return digest, answer


def _checksum(
    fetch: FetchRequest, response: Response, name: str, kind: Kind, stop: dt.date
) -> tuple[str, PageResult]:
    if response.status == 404:
        young = response.received_at and response.received_at - midnight(stop) < _LATE
        if young and not kind.path:
            return "", PageResult(outcome=Outcome.NOT_YET, reason=f"{name} is not published yet")
        return "", PageResult(outcome=Outcome.EMPTY, keep=not kind.path, reason=f"{name} is not published")
    if response.status != 200:
        return "", refusal(response, fetch.symbols)
    if not _DIGEST.match(response.body):
        return "", replace(envelopes.malformed("a checksum that is none"), keep=False)
    return response.body[:64].decode(), PageResult(outcome=Outcome.EMPTY)


def _taken(
    fetch: FetchRequest, kind: Kind, wire: str, place: Place, stop: dt.date, path: str, digest: str
) -> Step:
    """A file that is held against its checksum, and a month's against the API: where it is wrong, the API is asked."""
    name, end = path.rpartition("/")[2], midnight(stop)
    sampled: _Sampled = {}
    if kind.file == "month":
        at = sampling.anywhere(name, place.at, end)
        sampled[at] = yield from _sample(fetch, kind, wire, at)
    broken = 0
    while True:
        response = yield Request(path=path, host="archive")
        assert response is not None
        answer, following = _file(fetch, response, digest, end)
        broken += answer.outcome is Outcome.MALFORMED
        wrong, gap = "", None
        if answer.outcome is Outcome.ROWS and sampled:
            wrong, gap = _held_against(response.body, sampled, place.at, end)
        elif broken > 1 and kind.path:
            # Fetched twice: the file itself is wrong, and the API has the same rows.
            wrong = f"{answer.reason}, twice"
        if wrong:
            yield PageResult(outcome=Outcome.EMPTY, reason=f"{name}: {wrong}; the API is asked")
            return replace(place, archived_from=stop)
        if gap is not None:
            yield PageResult(
                outcome=Outcome.EMPTY, reason=f"{name} is held against the API where it lacks minutes"
            )
            sampled[gap] = yield from _sample(fetch, kind, wire, gap)
            continue
        yield answer
        if answer.outcome not in RETRYABLE:
            return following if answer.outcome is Outcome.ROWS else None


def _sample(
    fetch: FetchRequest, kind: Kind, wire: str, at: Instant
) -> Generator[Request | PageResult, Response | None, sampling.Prices | None]:
    """A page of the API to hold a file against; None where it gives none (a symbol that is no longer listed)."""
    sample: sampling.Prices | None = None

    def read(response: Response) -> PageResult:
        nonlocal sample
        if response.status != 200:
            refused = refusal(response, fetch.symbols)
            retryable = refused.outcome in RETRYABLE
            return refused if retryable else PageResult(outcome=Outcome.EMPTY, reason=refused.reason)
        try:
            sample = sampling.prices(KLINE_PAGE.decode(response.body))
        except (*UNREADABLE, TypeError) as error:
            return envelopes.malformed(f"not a page of {fetch.dataset}: {error}")
        return PageResult(outcome=Outcome.EMPTY, reason="a sample, to hold a file against")

    until = at + sampling.PAGE * MINUTE
    params = {"symbol": wire, "limit": str(sampling.PAGE), "interval": kind.interval,
              "startTime": str(at // MILLISECOND), "endTime": str(until // MILLISECOND - 1)}  # fmt: skip
    yield from envelopes.retried(Request(path=kind.path, params=params, cost=kind.weight), read)
    return sample


def _held_against(
    body: bytes, sampled: Mapping[Instant, sampling.Prices | None], start: Instant, stop: Instant
) -> tuple[str, Instant | None]:
    """What is wrong with a file, '' where nothing is known to be; and where it is still to be held against the API."""
    try:
        file = sampling.rows(body)
    except ValueError:
        return "", None  # that it cannot be read is found where it is decoded
    for at, page in sampled.items():
        if page is not None and (wrong := sampling.disagreement(file, page, at)):
            return wrong, None
    if any(page is None for page in sampled.values()):
        return "", None
    at, minutes = sampling.gap(file, start, stop)
    return "", at if minutes and at not in sampled else None


def look_up(fetch: FetchRequest, wire: str) -> Generator[Request | PageResult, Response | None, PageResult]:
    """A symbol without files may be one that was never listed."""

    def read(response: Response) -> PageResult:
        if response.status == 200:
            return PageResult(outcome=Outcome.EMPTY, confirmed=fetch.symbols)
        refused = refusal(response, fetch.symbols)
        passed_on = (*RETRYABLE, Outcome.UNKNOWN_SYMBOL)
        return (
            refused
            if refused.outcome in passed_on
            else PageResult(outcome=Outcome.EMPTY, reason=refused.reason)
        )

    request = Request(path="/api/v3/exchangeInfo", params={"symbol": wire}, cost=20)
    return (yield from envelopes.retried(request, read))


def _file(
    fetch: FetchRequest, response: Response, digest: str, until: Instant
) -> tuple[PageResult, Place | None]:
    if response.status != 200:
        return refusal(response, fetch.symbols), None
    if hashlib.sha256(response.body).hexdigest() != digest:
        return envelopes.malformed("a file that does not match its checksum"), None
    answer = PageResult(outcome=Outcome.ROWS, keep=True, confirmed=fetch.symbols)
    return moved(fetch, Place(at=until), answer, until)
