"""Bundles from a node's pages."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator

import httpx2

from fulltape import errors
from fulltape.bundle.signature import SIGNATURE

_TIMEOUT = 60.0


class HttpSource:
    """See `sources.BundleSource`. `token`: what the pages want beyond their own machine; '' none."""

    def __init__(self, address: str, token: str) -> None:
        self._address = address
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx2.Client(timeout=_TIMEOUT, headers=headers)

    def days(self) -> list[str]:
        """See `sources.BundleSource`."""
        try:
            answer = self._client.get(f"{self._address}/api/v1/bundles")
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise errors.TransportError(
                f"{self._address} does not answer ({type(error).__name__})."
            ) from error
        self._check(answer.status_code, "api/v1/bundles")
        try:
            return [str(bundle["day"]) for bundle in answer.json()["bundles"]]
        except (ValueError, KeyError, TypeError):
            raise errors.TransportError(f"{self._address} is no fulltape node.") from None

    def read(self, day: str, path: str, offset: int = 0) -> Iterator[bytes]:
        """See `sources.BundleSource`."""
        address = f"{self._address}/bundles/{day}/{urllib.parse.quote(path)}"
        # What is packed on its way has other offsets than what lies there.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
        try:
            with self._client.stream("GET", address, headers=headers) as answer:
                if answer.status_code == 416:
                    return
                self._check(answer.status_code, f"bundles/{day}/{path}")
                if offset and answer.status_code != 206:
                    raise errors.TransportError(f"{self._address} sends no parts of files.")
                yield from answer.iter_bytes()
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise errors.TransportError(f"{self._address} broke off ({type(error).__name__}).") from error

    def signature(self, day: str) -> bytes | None:
        """See `BundleSource`."""
        try:
            answer = self._client.get(f"{self._address}/bundles/{day}/{SIGNATURE}")
        except httpx2.HTTPError as error:
            raise errors.TransportError(f"{self._address} broke off ({type(error).__name__}).") from error
        if answer.status_code == 404:
            return None
        self._check(answer.status_code, f"bundles/{day}/{SIGNATURE}")
        return answer.content

    def close(self) -> None:
        """See `sources.BundleSource`."""
        self._client.close()

    def _check(self, status: int, what: str) -> None:
        if status in (401, 403):
            raise errors.TransportError(
                f"{self._address} wants a token.",
                hint="Set FULLTAPE_TOKEN, or name a file with --token-file.",
            )
        if status >= 400 or status in (301, 302, 303):
            raise errors.TransportError(f"{self._address}/{what}: status {status}.")
