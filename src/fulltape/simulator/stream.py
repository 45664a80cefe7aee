"""Live sockets on loopback: a tape, played to its subscribers, with the faults that networks have."""

from __future__ import annotations

import asyncio
import json
import threading
import zlib
from collections.abc import Callable, Iterable
from typing import Protocol, Self

import msgspec
import picows
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, WSUpgradeResponse

from fulltape.simulator.protocol import StreamProtocol, Talk
from fulltape.simulator.recording import Recording
from fulltape.simulator.scenario import Fault, Scenario
from fulltape.simulator.tape import Tape
from fulltape.simulator.ticks import Tick

_STEP = 0.02
_SLOWEST = 32 * 1024 * 1024
"""A client that lets so many bytes wait is thrown out."""
_DEFLATE = "permessage-deflate; client_no_context_takeover"


class ClientHost(Protocol):
    """What a client talks to. `said` is everything that clients have said."""

    wire: StreamProtocol
    sessions: list[ClientSession]
    said: list[object]

    def repeats(self, talk: Talk, symbols: Iterable[str]) -> list[bytes]:
        """What one is told again that has just subscribed to these symbols."""
        ...


class ClientSession(WSListener):
    """One client."""

    def __init__(self, server: ClientHost, request: WSUpgradeRequest, *, compress: bool) -> None:
        self.talk = Talk(path=request.path.decode("ascii", "replace"))
        self._packs = server.wire.packs and request.headers.get("Content-Type") == "application/msgpack"
        self.mute = False
        self._parts = b""
        self.transport: WSTransport | None = None
        self._server = server
        self.compressed = compress
        self._deflate = zlib.compressobj(wbits=-15) if compress else None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Greet."""
        self.transport = transport
        self._server.sessions.append(self)
        self.send(self._server.wire.greet(self.talk))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Answer."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION):
            self._parts += frame.get_payload_as_bytes()
            if frame.fin:
                content, self._parts = self._parts, b""
                self._hear(content)

    def _hear(self, content: bytes) -> None:
        """Answer a whole message; who says what no client of the vendor says is thrown out."""
        before = set(self.talk.subscribed)
        try:
            said = msgspec.msgpack.decode(content) if self._packs else json.loads(content)
            self._server.said.append(said)
            answers = self._server.wire.hear(self.talk, said)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, msgspec.DecodeError):
            self.kick("not understood")
            return
        self.send(answers)
        fresh = {symbol for _, symbol in self.talk.subscribed - before}
        self.send(self._server.repeats(self.talk, fresh))

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002
        """Forget."""
        if self in self._server.sessions:
            self._server.sessions.remove(self)

    def send(self, messages: Iterable[bytes]) -> None:
        """Send, or throw out who does not read."""
        if self.transport is None or self.transport.is_disconnected:
            return
        for message in messages:
            if self._packs:
                self.transport.send(WSMsgType.BINARY, self._server.wire.packed(message))
            elif self._deflate is None:
                self.transport.send(WSMsgType.TEXT, message)
            else:
                packed = self._deflate.compress(message) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
                self.transport.send(WSMsgType.TEXT, packed[:-4], rsv1=True)
        if self.transport.underlying_transport.get_write_buffer_size() > _SLOWEST:
            self.kick("slow consumer")
            self.transport.underlying_transport.abort()  # what waits would keep it

    def kick(self, why: str, code: picows.WSCloseCode = picows.WSCloseCode.POLICY_VIOLATION) -> None:
        """Close, as a server does."""
        if self.transport is not None:
            self.transport.send_close(code, why.encode())
            self.transport.disconnect()

    def cut(self, message: bytes) -> None:
        """Half a frame, and then nothing more."""
        if self.transport is not None:
            head = bytes([0x81, 126]) + len(message).to_bytes(2, "big")
            self.transport.underlying_transport.write(head + message[: len(message) // 2])
            self.transport.disconnect()


def accepted(
    host: ClientHost, request: WSUpgradeRequest, *, compress: bool
) -> ClientSession | picows.WSUpgradeResponseWithListener:
    """A client that is let in, with permessage-deflate where that is on and was offered."""
    offered = request.headers.get("Sec-WebSocket-Extensions", "")
    if not (compress and offered.startswith("permessage-deflate")):
        return ClientSession(host, request, compress=False)
    answer = WSUpgradeResponse.create_101_response({"Sec-WebSocket-Extensions": _DEFLATE})
    return picows.WSUpgradeResponseWithListener(answer, ClientSession(host, request, compress=True))


class StreamServer:
    """One vendor's live socket in a thread of its own; a context manager. `said` is everything that clients have said.

    The tape runs as long as the server does. `pause` stops it, so that what has happened is all there will be. A
    `recording` is played beside it, `speed` times as fast as it was made, from the first subscription on;
    `played` is set at its end.
    """

    def __init__(
        self,
        wire: StreamProtocol,
        tape: Tape,
        scenario: Scenario,
        *,
        port: int = 0,
        compress: bool = False,
        recording: Recording | None = None,
        speed: float = 1.0,
    ) -> None:
        self.wire, self.tape, self.scenario = wire, tape, scenario
        self.sessions: list[ClientSession] = []
        self.said: list[object] = []
        self.sent = 0
        self.connections = 0
        self._repeat = 0
        self._skip = 0
        self.played = threading.Event()
        self._recording, self._speed = recording, speed
        self._began = 0.0
        self._place = 0
        self._compress = compress
        self._port = port
        self._paused = threading.Event()
        self._still = threading.Event()
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"stream-{wire.vendor}", daemon=True)
        self._failure: OSError | None = None

    @property
    def url(self) -> str:
        """The address, without a path: every path is served."""
        return f"ws://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._failure:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def pause(self) -> None:
        """Let nothing more happen; returns once the last tick is sent."""
        self._paused.set()
        self._still.wait()

    def go_on(self) -> None:
        """Let things happen again."""
        self._still.clear()
        self._paused.clear()

    def tell(self, do: Callable[[], None]) -> None:
        """Run something in the server's thread."""
        self._loop.call_soon_threadsafe(do)

    def repeats(self, talk: Talk, symbols: Iterable[str]) -> list[bytes]:
        """What a subscriber is told again, where a fault says so."""
        messages = []
        for symbol in symbols:
            for tick in self.tape.ticks.get(symbol, [])[-self._repeat :] if self._repeat else []:
                message = self.wire.tick(talk, symbol, tick)
                if message is not None:
                    messages.append(message)
        return messages

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            server = self._loop.run_until_complete(
                picows.ws_create_server(self._accept, "127.0.0.1", self._port)
            )
        except OSError as error:
            self._failure = error
            self._ready.set()
            return
        self._port = server.sockets[0].getsockname()[1]
        pump = self._loop.create_task(self._pump())
        self._ready.set()
        self._loop.run_forever()
        pump.cancel()
        for session in list(self.sessions):
            session.kick("the server goes down")
        server.close()
        self._loop.run_until_complete(asyncio.gather(pump, return_exceptions=True))
        self._loop.run_until_complete(server.wait_closed())
        self._loop.close()

    def _accept(self, request: WSUpgradeRequest) -> ClientSession | picows.WSUpgradeResponseWithListener:
        self.connections += 1
        if self.scenario.of_stream(self.wire.vendor, connecting=True):
            refusal = WSUpgradeResponse.create_error_response(429, b"Too many requests")
            return picows.WSUpgradeResponseWithListener(refusal, None)
        return accepted(self, request, compress=self._compress)

    async def _pump(self) -> None:
        while True:
            if self._paused.is_set():
                self._still.set()
            else:
                self._step()
            await asyncio.sleep(_STEP)

    def _step(self) -> None:
        heard = any(session.talk.subscribed for session in self.sessions)
        struck = self.scenario.of_stream(self.wire.vendor, heard=heard)
        more = sum(fault.count for fault in struck if fault.do == "burst")
        ticks, bars = self.tape.step(more)
        for fault in struck:
            ticks = self._disturbed(fault, ticks)
        hidden, self._skip = min(self._skip, len(ticks)), max(0, self._skip - len(ticks))
        ticks = ticks[hidden:]
        recorded = self._recorded()
        for session in list(self.sessions):
            if session.mute:
                continue
            session.send(recorded if session.talk.subscribed else ())
            messages = [self.wire.tick(session.talk, symbol, tick) for symbol, tick in ticks]
            messages += [self.wire.bar(session.talk, symbol, bar) for symbol, bar in bars]
            outgoing = [message for message in messages if message is not None]
            for symbol, tick in ticks:
                outgoing += self.wire.around(session.talk, symbol, tick)
            self.sent += len(outgoing)
            session.send(outgoing)

    def _recorded(self) -> list[bytes]:
        """What of the recording is due."""
        if self._recording is None or not any(session.talk.subscribed for session in self.sessions):
            return []
        self._began = self._began or self._loop.time()
        messages = self._recording.messages
        due = messages[0][0] + (self._loop.time() - self._began) * self._speed * 1e9
        start = self._place
        while self._place < len(messages) and messages[self._place][0] <= due:
            self._place += 1
        if self._place == len(messages):
            self.played.set()
        return [message for _, message in messages[start : self._place]]

    def _disturbed(self, fault: Fault, ticks: list[tuple[str, Tick]]) -> list[tuple[str, Tick]]:
        for session in list(self.sessions):
            if fault.do == "mute":
                session.mute = True
            elif fault.do == "close" and session.transport is not None:
                session.transport.underlying_transport.abort()
            elif fault.do == "kick":
                session.kick("slow consumer")
            elif fault.do == "cut_frame":
                session.cut(self.wire.unknown())
            elif fault.do == "unknown":
                session.send([self.wire.unknown()])
        if fault.do == "hole":
            self._skip += fault.count
        elif fault.do == "repeat":
            self._repeat = fault.count
        elif fault.do == "disorder":
            return ticks[::-1]
        return ticks
