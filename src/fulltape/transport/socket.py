"""Websockets, one request and one answer at a time: the only file that imports `websockets` for fetching."""

from __future__ import annotations

import contextlib
import socket
import urllib.parse
from collections.abc import Mapping

import msgspec
from websockets import exceptions
from websockets.sync import client

from fulltape import errors

LARGEST_MESSAGE = 50_000_000
_MOST_STRANGERS = 20


class SocketClient:
    """One connection to one address, opened when first needed and again after anything went wrong."""

    def __init__(self, url: str, *, timeout: float, headers: Mapping[str, str]) -> None:
        self._url = url
        self._timeout = timeout
        self._headers = dict(headers)
        self._connection: client.ClientConnection | None = None
        self._stack = contextlib.ExitStack()

    def send(self, message: Mapping[str, str | int], *, repeats: str = "") -> bytes:
        """The message that answers: the next one, or the next with the same value under `repeats`. `TransportError` where
        none came in time, and then the connection is closed, so that no late answer is taken for another's."""
        try:
            connection = self._open()
            connection.send(msgspec.json.encode(message).decode())
            answer = self._answer(connection, repeats, message.get(repeats))
        except (OSError, TimeoutError, ValueError, exceptions.WebSocketException) as error:
            reached = self._connection is not None
            self.close()
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            if reached:
                raise errors.TransportError(reason) from None
            raise errors.UnreachableError(reason) from None
        return answer.encode() if isinstance(answer, str) else answer

    def _answer(self, connection: client.ClientConnection, key: str, value: str | int | None) -> str | bytes:
        """The next message, past those that answer something else or nothing."""
        for _ in range(_MOST_STRANGERS):
            answer = connection.recv(timeout=self._timeout)
            if not key:
                return answer
            try:
                content = msgspec.json.decode(answer)
            except msgspec.DecodeError:
                return answer  # it cannot be said whose it is: the vendor's file will call it malformed
            if isinstance(content, dict) and content.get(key) == value:
                return answer
        raise TimeoutError(f"{_MOST_STRANGERS} messages, and none that answers")

    def _open(self) -> client.ClientConnection:
        if self._connection is None:
            self._connection = self._stack.enter_context(
                client.connect(
                    self._url,
                    open_timeout=self._timeout,
                    close_timeout=1,
                    max_size=LARGEST_MESSAGE,
                    additional_headers=self._headers,
                    proxy=None,
                    sock=self._dialled(),
                )
            )
        return self._connection

    def _dialled(self) -> socket.socket:
        """A connection to the host of the address. With one given, no redirect is followed: another host would be sent
        our headers, and its answers would be taken for the vendor's."""
        parts = urllib.parse.urlsplit(self._url)
        port = parts.port or (443 if parts.scheme == "wss" else 80)
        return socket.create_connection((parts.hostname or "", port), timeout=self._timeout)

    def close(self) -> None:
        """Close the connection."""
        self._connection = None
        with contextlib.suppress(exceptions.WebSocketException, OSError):
            self._stack.close()
