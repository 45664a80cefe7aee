"""HTTP and websockets on loopback; HTTP byte by byte (h11 over asyncio), so that bodies can be cut and answers held.

A simulated vendor turns a `Call` into a `Reply`; the server sends it as the reply's fault demands and writes down what it did.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import h11

from fulltape.simulator.scenario import Fault

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection

_CHUNK = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request as a simulated vendor sees it; header names in lower case."""

    method: str
    path: str
    params: Mapping[str, Any]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a simulated vendor answers. `rows` is for the log; `fault` says how the answer goes wrong on its way."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    rows: int = 0
    fault: Fault | None = None


@dataclass(slots=True, kw_only=True)
class ServedCall:
    """One line of the log: what was asked, and whether the answer left whole."""

    vendor: str
    path: str
    params: Mapping[str, str]
    status: int
    rows: int
    connection: int = 0
    whole: bool = False
    held: bool = False

    @property
    def identity(self) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        """The request and its cursor."""
        return self.vendor, self.path, tuple(sorted(self.params.items()))


Handle = Callable[[Call], Reply]


class Server:
    """One simulated vendor's server on a port of its own, in a thread of its own; a context manager.

    `held` is set while an answer is being held open; `release` lets all held answers go on.
    """

    scheme = "http"

    def __init__(self, vendor: str, handle: Handle, *, port: int = 0) -> None:
        self.vendor = vendor
        self.log: list[ServedCall] = []
        self.held = threading.Event()
        self._connections = itertools.count(1)
        self._handle = handle
        self._port = port
        self._release = threading.Event()
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"simulator-{vendor}", daemon=True)
        self._failure: OSError | None = None

    @property
    def url(self) -> str:
        """Base URL of all of the vendor's hosts."""
        return f"{self.scheme}://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._failure:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        self._release.set()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def release(self) -> None:
        """Let held answers go on, now and in future."""
        self._release.set()

    def latest(self) -> list[ServedCall]:
        """The newest line of each connection. A worker asks over a connection of its own, one request at a time: when
        a node is killed, what it has not yet written down is among these, however many other lines came later."""
        return list({line.connection: line for line in list(self.log)}.values())

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            server = self._loop.run_until_complete(self._start(self._port))
        except OSError as error:
            self._failure = error
            self._ready.set()
            self._loop.close()
            return
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._stop(server))
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _start(self, port: int) -> Any:
        return await asyncio.start_server(self._serve, "127.0.0.1", port)

    async def _stop(self, server: Any) -> None:
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        number = next(self._connections)
        try:
            while await self._one(number, connection, reader, writer):
                connection.start_next_cycle()
        except (ConnectionError, h11.ProtocolError, TimeoutError):
            pass  # the client went away or speaks no HTTP: this connection is over, the server is not
        finally:
            writer.close()

    async def _one(
        self,
        number: int,
        connection: h11.Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """One request and its answer; False when the connection is over."""
        call = await _receive(connection, reader)
        if call is None:
            return False
        reply = self._handle(call)
        line = ServedCall(
            vendor=self.vendor,
            path=call.path,
            params=dict(call.params),
            status=reply.status,
            rows=reply.rows,
            connection=number,
        )
        self.log.append(line)
        headers = [
            *{"content-type": "application/json", **reply.headers}.items(),
            ("content-length", str(len(reply.body))),
        ]
        fault = reply.fault.do if reply.fault else ""
        if reply.fault and fault == "hang":
            await asyncio.sleep(reply.fault.wait)
        if fault == "reset":
            writer.transport.abort()
            return False
        writer.write(connection.send(h11.Response(status_code=reply.status, headers=headers)) or b"")
        half = len(reply.body) // 2
        writer.write(connection.send(h11.Data(data=reply.body[:half])) or b"")
        await writer.drain()
        if fault == "truncate":
            return False
        if fault == "hold":
            line.held = True
            await self._hold()
        if reply.fault and fault == "drip":
            await self._drip(connection, writer, reply.body[half:], reply.fault.wait)
            half = len(reply.body)
        writer.write(connection.send(h11.Data(data=reply.body[half:])) or b"")
        writer.write(connection.send(h11.EndOfMessage()) or b"")
        await writer.drain()
        line.whole = not writer.is_closing()
        return connection.our_state is not h11.MUST_CLOSE

    async def _drip(
        self, connection: h11.Connection, writer: asyncio.StreamWriter, body: bytes, seconds: float
    ) -> None:
        """Send `body` in twenty sips over so many seconds."""
        sip = max(1, len(body) // 20)
        for at in range(0, len(body), sip):
            writer.write(connection.send(h11.Data(data=body[at : at + sip])) or b"")
            await writer.drain()
            await asyncio.sleep(seconds / 20)

    async def _hold(self) -> None:
        self.held.set()
        while not self._release.is_set():
            await asyncio.sleep(0.01)


class SocketServer(Server):
    """A simulated vendor behind a websocket: every message is a call, and its reply is one message."""

    scheme = "ws"

    async def _start(self, port: int) -> Any:
        from websockets.asyncio import server

        return await server.serve(self._talk, "127.0.0.1", port)

    async def _stop(self, server: Any) -> None:
        server.close(close_connections=True)
        await server.wait_closed()

    async def _talk(self, connection: ServerConnection) -> None:
        number = next(self._connections)
        async for message in connection:
            try:
                asked = json.loads(message)
            except ValueError:
                asked = None
            params = asked if isinstance(asked, dict) else {}
            path = connection.request.path if connection.request else "/"
            reply = self._handle(Call(method="WS", path=path, params=params, headers={}))
            logged = {name: str(value) for name, value in params.items() if name != "req_id"}
            line = ServedCall(
                vendor=self.vendor,
                path=path,
                params=logged,
                status=reply.status,
                rows=reply.rows,
                connection=number,
            )
            self.log.append(line)
            fault = reply.fault.do if reply.fault else ""
            if reply.fault and fault in ("hang", "drip"):
                await asyncio.sleep(reply.fault.wait)
            if fault == "reset":
                connection.transport.abort()
                return
            if fault == "hold":
                line.held = True
                await self._hold()
            body = reply.body[: len(reply.body) // 2] if fault == "truncate" else reply.body
            await connection.send(body.decode())
            line.whole = fault != "truncate"


async def _receive(connection: h11.Connection, reader: asyncio.StreamReader) -> Call | None:
    request: h11.Request | None = None
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            target = urllib.parse.urlsplit(request.target.decode())
            return Call(
                method=request.method.decode(),
                path=urllib.parse.unquote(target.path),
                params=dict(urllib.parse.parse_qsl(target.query)),
                headers={name.decode().lower(): value.decode() for name, value in request.headers},
            )
        elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
            return None


class RateLimit:
    """The simulated vendor's own limit: a sliding window over a minute, as a server counts arrivals."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._arrivals: list[float] = []

    def take(self) -> tuple[bool, int, float]:
        """Count an arrival; whether it is allowed, how many are left, and seconds until there is room."""
        now = time.time()
        self._arrivals = [at for at in self._arrivals if at > now - 60]
        if self.per_minute and len(self._arrivals) >= self.per_minute:
            return False, 0, self._arrivals[0] + 60 - now
        self._arrivals.append(now)
        return True, self.per_minute - len(self._arrivals), 60.0
