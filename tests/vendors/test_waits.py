"""How long a vendor says to stay away, in every form in which it can be said."""

from __future__ import annotations

import email.utils

import pytest

from fulltape.contract import envelopes
from fulltape.contract.vendor import Outcome, Response
from fulltape.market.time import SECOND

NOW = 1_700_000_000 * SECOND


def answer(headers: dict[str, str], status: int = 429) -> Response:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Response(status=status, headers=named, body=b"", received_at=NOW)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "300"}, 300),
        ({"retry_after": " 7 "}, 7),
        ({"retry_after": email.utils.formatdate(1_700_000_300, usegmt=True)}, 300),
        ({"retry_after": email.utils.formatdate(1_700_000_300, localtime=False)}, 300),
        ({"retry_after_ms": "1500", "retry_after": "2"}, 1.5),
    ],
)
def test_a_wait_is_read_in_seconds_as_a_date_and_in_milliseconds(
    headers: dict[str, str], seconds: float
) -> None:
    assert envelopes.retry_at(answer(headers)) == NOW + seconds * SECOND


@pytest.mark.parametrize("ahead", [-7_200, 7_200])
def test_a_wait_until_a_date_is_as_long_as_by_the_vendors_clock(ahead: int) -> None:
    """Our clock is two hours wrong: the vendor says when it answers, and until when to stay away."""
    theirs = 1_700_000_000 - ahead
    headers = {"date": email.utils.formatdate(theirs, usegmt=True)}
    headers["retry_after"] = email.utils.formatdate(theirs + 300, usegmt=True)
    assert envelopes.retry_at(answer(headers)) == NOW + 300 * SECOND


@pytest.mark.parametrize("text", ["", "soon", "-5", "99999999999999", "Tue, 99 Foo 2026 00:00:00 GMT"])
def test_words_that_are_no_wait_are_none(text: str) -> None:
    assert envelopes.retry_at(answer({"retry_after": text})) is None


def test_a_server_that_names_a_time_is_left_alone_until_then() -> None:
    told = envelopes.server_trouble(answer({"retry_after": "300"}, 503), "busy")
    assert told is not None
    assert (told.outcome, told.retry_at) == (Outcome.RATE_LIMITED, NOW + 300 * SECOND)
    silent = envelopes.server_trouble(answer({}, 503), "busy")
    assert silent is not None
    assert silent.outcome is Outcome.TRANSIENT
