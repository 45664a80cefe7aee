"""The connections of one stream: how they are made, what comes over them, and how they end."""

from __future__ import annotations

import re
from collections.abc import Callable

from fulltape import errors
from fulltape.capture import socket
from fulltape.capture.connection import Connection, ConnectionAttempts, VendorAddress
from fulltape.capture.queue import MessageQueue, Router
from fulltape.capture.socket import RefusedError, Socket, TooManyError
from fulltape.capture.subscriptions import StreamStatus, Subscriptions
from fulltape.contract.streams import Stream
from fulltape.lake.messages import Block


class Connections:
    """Usually one; two while one is renewed. `put` writes events after all that was delivered before; `on_full` takes a
    block that is full."""

    def __init__(
        self,
        stream: Stream,
        status: StreamStatus,
        subscriptions: Subscriptions,
        *,
        address: VendorAddress,
        queue: MessageQueue,
        admission: ConnectionAttempts,
        router: Router,
        timestamp: Callable[[], int],
        put: Callable[..., None],
        on_full: Callable[[Block], None],
    ) -> None:
        self._stream, self._status, self._subscriptions = stream, status, subscriptions
        self._address, self._queue, self._admission = address, queue, admission
        self._router, self._timestamp, self._put, self._on_full = router, timestamp, put, on_full
        self._control = re.compile(stream.control)
        self.all: list[Connection] = []

    async def open(self) -> Connection | None:
        """A new connection, with the conversation begun; None where there is none, and why is told."""
        await self._admission.enter()
        websocket = Socket(
            data=self._stream.data,
            control=self._control,
            on_open=self._opened,
            on_control=self._controlled,
            on_end=self._ended,
            on_full=self._on_full,
            timestamp=self._timestamp,
        )
        steps = self._stream.converse(self._stream.channels)
        connection = Connection(
            socket=websocket, address=self._address, timestamp=self._timestamp, steps=steps
        )
        headers = {name: self._address.fill(text) for name, text in self._stream.headers.items()}
        self._queue.routers[websocket.connection] = self._router
        self.all.append(connection)
        try:
            await socket.connect(
                websocket,
                f"{self._address.url}{self._stream.path}",
                headers=headers,
                timeout=self._address.timeout,
                compress=self._stream.compress,
                known=any(self._address.secrets.values()),
            )
        except errors.TransportError as error:
            return self._failed(connection, error)
        return connection

    def _failed(self, connection: Connection, error: errors.TransportError) -> Connection | None:
        """There is no connection, or it ended before it was taken for one: then what it delivered and said counts, and it is
        returned as one that is over."""
        if connection.opened:
            self.gone(connection)
            self._status.reason = connection.step.reason or str(error)
            connection.over.set()
            return connection
        self.all.remove(connection)
        self._queue.routers.pop(connection.socket.connection, None)
        self._status.reason = str(error)
        if isinstance(error, TooManyError):
            self._admission.stay_away(error.seconds)
        if isinstance(error, RefusedError) and not self.all:
            self._status.word = "barred"
        return None

    def gone(self, connection: Connection) -> None:
        """A connection is over: what it delivered last, and since when nothing came."""
        if connection not in self.all:
            return
        self._put(
            connection.event(
                "disconnected",
                channels=tuple(sorted(connection.live)),
                since=connection.socket.last_ns,
                reason=connection.step.reason or connection.socket.ended,
            ),
        )
        self.all.remove(connection)
        self._queue.routers.pop(connection.socket.connection, None)
        if self.all:
            return
        self._status.reason = connection.step.reason or connection.socket.ended
        if self._status.word != "barred":
            self._status.word = "connecting"

    def drop_all(self, why: str) -> None:
        """Leave every connection as it is, and say why."""
        for connection in list(self.all):
            connection.socket.close(why)
            self.gone(connection)
        self._status.reason = why

    def _controlled(self, websocket: Socket, message: bytes) -> None:
        connection = next((connection for connection in self.all if connection.socket is websocket), None)
        if connection is None:
            return
        try:
            step = connection.steps.send(message)
        except Exception as error:  # noqa: BLE001 — a defect in one vendor's file must cost its connection only
            websocket.close(f"{type(error).__name__}: {error}")
            return
        if step.keep:
            websocket.keep(self._address.redact(message))
        self._subscriptions.take(connection, step)

    def _opened(self, websocket: Socket) -> None:
        connection = next(connection for connection in self.all if connection.socket is websocket)
        connection.opened = True
        self._put(connection.event("connected"))
        self._subscriptions.take(connection, next(connection.steps))

    def _ended(self, websocket: Socket) -> None:
        for connection in (connection for connection in self.all if connection.socket is websocket):
            connection.over.set()
