"""What all HTTP vendors' conversations share: retryable statuses, and error texts cut to a line."""

from __future__ import annotations

import datetime as dt
import email.utils
import re
from collections.abc import Callable, Generator, Mapping
from typing import TypeVar

import msgspec

from fulltape.contract.vendor import RETRYABLE, Outcome, PageResult, Request, Response
from fulltape.market.time import SECOND, Instant

T = TypeVar("T")
UNREADABLE = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)
"""All that decoding a stranger's bytes may raise."""

_LONGEST_REASON = 200
_LONGEST_NUMBER = 12


_NO_NUMBER = re.compile(rb"(?<=[:\[,])(\s*)-?(?:NaN|Infinity)(?=\s*[,\]}])")


def read(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """A body. Where it is no JSON only for numbers that are none (NaN, Infinity), those are read as null."""
    try:
        return decoder.decode(body)
    except msgspec.DecodeError:
        sound = _NO_NUMBER.sub(rb"\1null", body)
        if sound == body:
            raise
        return decoder.decode(sound)


def reason(text: str, status: int) -> str:
    """A vendor's error text as one short line."""
    line = re.sub(r"\s+", " ", text).strip()[:_LONGEST_REASON]
    return f"HTTP {status}: {line}" if line else f"HTTP {status}"


def server_trouble(response: Response, text: str) -> PageResult | None:
    """TRANSIENT for server errors, RATE_LIMITED where one says how long to stay away, None for everything else."""
    if response.status == 503 and (until := retry_at(response)) is not None:
        return PageResult(outcome=Outcome.RATE_LIMITED, reason=reason(text, 503), retry_at=until)
    if response.status >= 500 or response.status in (408, 425):
        return PageResult(outcome=Outcome.TRANSIENT, reason=reason(text, response.status))
    return None


TOO_MANY = (418, 429)
"""Statuses that mean too many requests; 418 is a ban for going on after 429."""


def rate_limited(response: Response, why: str) -> PageResult:
    """The answer to a refusal for the rate: with the time that the vendor names, if it names one."""
    return PageResult(outcome=Outcome.RATE_LIMITED, reason=why, retry_at=retry_at(response))


def retry_at(response: Response) -> Instant | None:
    """From when on the vendor has room again, on our clock; None if it does not say."""
    pause = wait(response.headers, now=response.received_at)
    return None if pause is None else response.received_at + pause


def wait(headers: Mapping[str, str], *, now: Instant) -> int | None:
    """For how many microseconds a vendor says to stay away, by its `Retry-After` (RFC 9110: seconds, or a date) or by a
    header that counts milliseconds; None if it does not say. Names of headers are in lower case."""
    for name in _MILLISECONDS:
        if (number := whole_number(headers.get(name))) is not None:
            return number * (SECOND // 1_000)
    text = (headers.get("retry-after") or "").strip()
    if (number := whole_number(text)) is not None:
        return number * SECOND
    until = _date(text)
    if until is None:
        return None
    # How long it is by the vendor's own clock, where it tells it: ours may be wrong.
    begun = _date(headers.get("date") or "")
    return max(0, until - (now if begun is None else begun))


def _date(text: str) -> Instant | None:
    """A moment as HTTP writes it, None if it is none."""
    try:
        parsed = email.utils.parsedate_to_datetime(text)
        # A zone of -0000 makes a date without one; RFC 9110 means UTC.
        return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)).timestamp()) * SECOND
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


_MILLISECONDS = ("retry-after-ms", "x-retry-after-ms")


def whole_number(text: str | None) -> int | None:
    """A header's number, None if it is none that could be meant."""
    if text and text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER:
        return int(text)
    return None


def undocumented(response: Response, why: str) -> PageResult:
    """A refusal: a wrong request for 400 and 422; any other status is no answer to our question (a proxy, a
    captive portal, a wrong address) and proves nothing."""
    outcome = Outcome.BAD_REQUEST if response.status in (400, 422) else Outcome.TRANSIENT
    return PageResult(outcome=outcome, reason=why)


def malformed(what: str) -> PageResult:
    """The answer to a success whose body does not have the documented shape: keep the bytes, ask again."""
    return PageResult(outcome=Outcome.MALFORMED, keep=True, reason=what)


def error_text(response: Response, *keys: str) -> str:
    """What an error answer says: the first of these keys with text in a JSON object, else the body's beginning."""
    try:
        content = msgspec.json.decode(response.body)
    except UNREADABLE:
        content = None
    if not isinstance(content, dict):
        return response.body[:200].decode(errors="replace")
    return next((text for key in keys if isinstance(text := content.get(key), str) and text), "")


def retried(
    request: Request, read: Callable[[Response], PageResult]
) -> Generator[Request | PageResult, Response | None, PageResult]:
    """One request, repeated after every retryable answer; returns the answer that stands."""
    while True:
        response = yield request
        assert response is not None
        answer = read(response)
        yield answer
        if answer.outcome not in RETRYABLE:
            return answer
