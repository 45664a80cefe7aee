"""HTTP: the only file that imports httpx2. Where a host is a websocket, `socket.py` carries the request.

Credentials are added here and nowhere else, and taken out of whatever a server echoes, before anybody sees it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx2

from fulltape import errors
from fulltape.contract import redaction
from fulltape.contract.vendor import Request, Response, VendorSpec
from fulltape.market.time import SECOND, Clock

if TYPE_CHECKING:
    from fulltape.transport.socket import SocketClient

logging.getLogger("httpx2").setLevel(logging.WARNING)  # it logs URLs
LARGEST_BODY = 200_000_000
_SLOWEST = 10
"""A body may take this many times the time-out for a single read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """How to reach one vendor: its hosts, and its secrets, which never leave the transport."""

    hosts: Mapping[str, str]
    auth: Mapping[str, str]
    secrets: Mapping[str, str]
    timeout: float
    auth_params: Mapping[str, str] = field(default_factory=dict)
    extra_headers: Mapping[str, str] = field(default_factory=dict)
    any_host: bool = False
    base_url: str = ""

    def host(self, name: str) -> str:
        """The address of a host; where the vendor has no fixed ones, what the request names, if it is encrypted."""
        if name in self.hosts:
            return self.hosts[name]
        if self.any_host and (self.base_url or name.startswith("https://")):
            return self.base_url or name
        raise errors.TransportError(f"{name!r} is no host of this vendor.")

    def __repr__(self) -> str:
        return f"Account(hosts={dict(self.hosts)}, secrets={sorted(self.secrets)})"

    @property
    def headers(self) -> dict[str, str]:
        """The authentication headers, and those that the vendor wants with every request."""
        keys = {name: template.format(**self.secrets) for name, template in self.auth.items()}
        return {**self.extra_headers, **keys}

    @property
    def params(self) -> dict[str, str]:
        """The authentication in the query, where a vendor knows no other."""
        return {name: template.format(**self.secrets) for name, template in self.auth_params.items()}

    def redact(self, content: bytes) -> bytes:
        """`content` without any secret, however it is spelt."""
        return redaction.of(*self.secrets.values())(content)


def account(spec: VendorSpec, *, base_url: str, secrets: Mapping[str, str], timeout: float) -> Account:
    """The account of a vendor; `base_url` replaces all of its hosts."""
    hosts = {name: base_url.rstrip("/") or url for name, url in spec.hosts.items()}
    return Account(
        hosts=hosts,
        auth=spec.auth,
        secrets=secrets,
        timeout=timeout,
        auth_params=spec.auth_params,
        extra_headers=spec.headers,
        any_host=spec.any_host,
        base_url=base_url.rstrip("/"),
    )


class HttpClient:
    """Sends requests of one vendor, one at a time; keeps its connections."""

    def __init__(self, account: Account, clock: Clock) -> None:
        self._account = account
        self._clock = clock
        self._sockets: dict[str, SocketClient] = {}
        self._client = httpx2.Client(
            timeout=account.timeout, follow_redirects=False, headers=account.headers, trust_env=False
        )

    def send(self, request: Request) -> Response:
        """The answer, whatever its status; `TransportError` where none or only a part of one came."""
        if not request.path.startswith("/"):
            # Anything else could turn the host into a user name and send the key to a stranger.
            raise errors.TransportError(f"{request.path!r} is no path.")
        host = self._account.host(request.host)
        if host.startswith(("ws://", "wss://")):
            return self._over_socket(request)
        url = f"{host}{request.path}"
        params = {**request.params, **self._account.params}
        try:
            with self._client.stream(
                request.method,
                url,
                params=params,
                headers=dict(request.headers),
                content=request.body or None,
            ) as answer:
                body = self._read(answer)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise errors.UnreachableError(self._told(error)) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise errors.TransportError(self._told(error)) from None
        return Response(
            status=answer.status_code,
            headers={name.lower(): self._text(value) for name, value in answer.headers.items()},
            body=self._account.redact(body),
            received_at=self._clock.now(),
        )

    def _read(self, answer: httpx2.Response) -> bytes:
        """The whole body; a server that drips or never ends is cut off."""
        chunks: list[bytes] = []
        size = 0
        deadline = self._clock.steady() + int(_SLOWEST * self._account.timeout * SECOND)
        for chunk in answer.iter_bytes():
            chunks.append(chunk)
            size += len(chunk)
            if size > LARGEST_BODY:
                raise errors.TransportError(f"the answer is larger than {LARGEST_BODY // 1_000_000} MB.")
            if self._clock.steady() > deadline:
                raise errors.TransportError("the answer came too slowly to its end.")
        return b"".join(chunks)

    def _over_socket(self, request: Request) -> Response:
        from fulltape.transport.socket import SocketClient

        url = self._account.host(request.host)
        if url not in self._sockets:
            self._sockets[url] = SocketClient(
                url, timeout=self._account.timeout, headers=self._account.extra_headers
            )
        body = self._sockets[url].send(request.message, repeats=request.repeats)
        redacted = self._account.redact(body)
        return Response(status=200, headers={}, body=redacted, received_at=self._clock.now())

    def close(self) -> None:
        """Close its connections."""
        self._client.close()
        for socket in self._sockets.values():
            socket.close()

    def _told(self, error: Exception) -> str:
        return f"{type(error).__name__}: {self._text(str(error))}"

    def _text(self, value: str) -> str:
        return self._account.redact(value.encode()).decode(errors="replace")
