"""What a vendor says in the moment in which a connection ends counts; a successor that fails is tried again."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fulltape.capture import supervisor
from fulltape.capture.connection import ConnectionAttempts, VendorAddress
from fulltape.capture.queue import MessageQueue
from fulltape.capture.supervisor import StreamSupervisor
from fulltape.contract.events import ConnectionEvent
from fulltape.contract.plans import Connecting
from fulltape.contract.streams import NOTHING, Channel, ProtocolStep, Stream
from fulltape.lake.messages import Block

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HELLO, DATA, FULL = b'{"c":"hello"}', b'{"d":"A","p":1}', b'{"c":"full"}'


def frame(operation: int, content: bytes) -> bytes:
    return bytes([0x80 | operation, len(content)]) + content


async def shake(reader: asyncio.StreamReader) -> bytes:
    """The server's half of the handshake."""
    lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    key = next(line.split(b": ")[1] for line in lines if line.lower().startswith(b"sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return (
        b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + accept
        + b"\r\n\r\n"
    )


def converse(end: Any) -> Callable[[Any], Any]:
    def steps(_: object) -> Any:
        message = yield ProtocolStep()
        while True:
            if isinstance(message, bytes) and b"hello" in message:
                message = yield ProtocolStep(confirmed=("A",))
            elif isinstance(message, bytes) and b"full" in message:
                message = yield ProtocolStep(end=end, reason="too many for CANARY-7")
            else:
                message = yield NOTHING

    return steps


async def watched(
    serve: Serve, end: Any, until: Callable[[StreamSupervisor], bool], *, alert: bytes = b""
) -> tuple[StreamSupervisor, list[Any]]:
    """A supervisor over a server until something is so, and what it has written."""
    handlers: list[asyncio.Task[None]] = []

    async def serving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.append(asyncio.current_task())  # type: ignore[arg-type]
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(serving, "127.0.0.1", 0)
    queue = MessageQueue(10**7)
    stream = Stream(
        source="x.y", host="", path="/",
        channels=(Channel(name="A", dataset="d", symbol="A", wire="A", detail="trades"),),
        control=rb'\{"c"', route=rb'"d":"(\w+)"', data=(b'{"d"',), converse=converse(end), alert=alert,
    )  # fmt: skip
    lines: list[StreamSupervisor] = []
    one = StreamSupervisor(
        stream,
        address=VendorAddress(
            url=f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", secrets={"k": "CANARY-7"}, timeout=5
        ),
        queue=queue,
        admission=ConnectionAttempts(Connecting(attempts=100, seconds=1, after_refusal=60)),
        stale_after=50,
        timestamp=time.time_ns,
        gather=lambda: [item for line in lines for item in line.cut()],
        on_change=lambda: None,
    )
    lines.append(one)
    task = asyncio.create_task(one.run())
    deadline = time.monotonic() + 20
    while not until(one) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
        queue.put(one.cut())
    assert until(one)
    task.cancel()
    one.shut("the test is over")
    for handler in handlers:
        handler.cancel()
    await asyncio.gather(task, *handlers, return_exceptions=True)
    server.close()
    await server.wait_closed()
    return one, list(queue._waiting)


def test_what_comes_with_the_handshake_and_its_end_is_kept_and_heeded() -> None:
    tried = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tried.append(1)
        goodbye = frame(8, (1008).to_bytes(2, "big"))
        writer.write(await shake(reader) + b"".join(frame(1, one) for one in (HELLO, DATA, FULL)) + goodbye)
        await writer.drain()
        writer.close()

    one, written = asyncio.run(watched(serve, "stop", lambda line: line.state == "barred"))
    assert len(tried) == 1, "the vendor said stop"
    assert "CANARY" not in one.reason
    told = [item.what for item in written if isinstance(item, ConnectionEvent)]
    assert told == ["connected", "confirmed", "disconnected"]
    assert DATA in b"\n".join(item.body for item in written if isinstance(item, Block))
    assert written[-1].channels == ("A",)


def test_a_successor_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_RENEW_AGAIN", 0.1)
    tried = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tried.append(1)
        if len(tried) in (2, 3):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        writer.write(await shake(reader) + frame(1, HELLO))
        if len(tried) == 1:
            writer.write(frame(1, DATA + b"SHUTDOWN"))
        while not writer.is_closing():
            writer.write(frame(1, DATA))
            await asyncio.sleep(0.05)

    until = lambda line: len(tried) == 4 and line.state == "live"  # noqa: E731
    asyncio.run(watched(serve, "", until, alert=b"SHUTDOWN"))
    assert len(tried) == 4, "two failed, the third took over"
