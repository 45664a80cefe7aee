"""Short messages to addresses that the user has named: no answer is read but its status."""

from __future__ import annotations

from collections.abc import Mapping

import httpx2

from fulltape import errors

_TIMEOUT = 20.0


def post(address: str, message: Mapping[str, object]) -> None:
    """POST a message as JSON; `TransportError`, without the address, which may hold a secret, where it was not taken."""
    _send("POST", address, message)


def ping(address: str) -> None:
    """GET an address; `TransportError` as `post`."""
    _send("GET", address, None)


def _send(method: str, address: str, message: Mapping[str, object] | None) -> None:
    try:
        answer = httpx2.request(method, address, json=message, timeout=_TIMEOUT, follow_redirects=True)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise errors.TransportError(f"no answer ({type(error).__name__})") from None
    if answer.status_code >= 400:
        raise errors.TransportError(f"status {answer.status_code}")
