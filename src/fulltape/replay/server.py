"""One source's recording behind a websocket on loopback, for clients of the vendor."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

import msgspec
import picows
from picows import WSUpgradeRequest

from fulltape import errors
from fulltape.replay.plan import Key, Played, RecordedGap
from fulltape.replay.reading import RecordedSource
from fulltape.simulator.protocol import ANY, StreamProtocol, Talk
from fulltape.simulator.stream import ClientSession, accepted

_PATIENCE, _POLL = 5.0, 0.01
"""For so many seconds a client may read nothing of what waits for it."""


class ReplayServer:
    """Talks to clients as the vendor does, and hands them what was recorded. See `simulator.stream.ClientHost`."""

    def __init__(self, recorded: RecordedSource, wire: StreamProtocol, port: int) -> None:
        self.source, self.symbols = recorded.source, sorted(recorded.symbols)
        self.wire, self._port = wire, port
        self.sessions: list[ClientSession] = []
        self.said: list[object] = []
        self.sent = 0
        self.unreadable = 0
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The address, without a path: every path is served."""
        return f"ws://127.0.0.1:{self._port}"

    @property
    def subscribed(self) -> int:
        """How many subscriptions clients have."""
        return sum(len(session.talk.subscribed) for session in self.sessions)

    async def open(self) -> None:
        """Listen; `UsageError` where the port is taken."""
        try:
            self._server = await picows.ws_create_server(self._accept, "127.0.0.1", self._port)
        except OSError as error:
            raise errors.UsageError(
                f"no server can be started at port {self._port}: {error.strerror}.",
                hint="Choose another --port.",
            ) from None
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End, as a server that goes down does, once clients have read what was sent; who reads nothing any more is not waited for."""
        loop = asyncio.get_running_loop()
        before, since = -1, loop.time()
        while (waiting := self._waiting()) and loop.time() < since + _PATIENCE:
            if waiting != before:
                before, since = waiting, loop.time()
            await asyncio.sleep(_POLL)
        for session in list(self.sessions):
            session.kick("the recording is over", picows.WSCloseCode.GOING_AWAY)
        if self._server is not None:
            self._server.close()
            until = loop.time() + _PATIENCE
            while self.sessions and loop.time() < until:
                await asyncio.sleep(_POLL)
            for session in list(self.sessions):
                if session.transport is not None:
                    session.transport.underlying_transport.abort()
            await self._server.wait_closed()

    def _waiting(self) -> int:
        """So many bytes clients have not read yet."""
        transports = [session.transport for session in self.sessions if session.transport is not None]
        return sum(transport.underlying_transport.get_write_buffer_size() for transport in transports)

    def repeats(self, talk: Talk, symbols: Iterable[str]) -> list[bytes]:
        """See `ClientHost`: nothing is told again."""
        del talk, symbols
        self.said.clear()
        return []

    def pieces(self, content: bytes) -> list[tuple[Key, bytes]]:
        """See `plan.Wire`; a message that is none of the vendor's is counted, and passed over."""
        try:
            return [
                ((piece.kinds, piece.symbol), piece.identity)
                for piece in self.wire.pieces(content)
                if piece.kinds
            ]
        except (ValueError, TypeError, KeyError, AttributeError, msgspec.DecodeError):
            self.unreadable += 1
            return []

    def without(self, content: bytes, gone: Collection[int]) -> bytes:
        """See `plan.Wire`."""
        counted = enumerate(piece for piece in self.wire.pieces(content) if piece.kinds)
        return self.wire.joined(content, [piece for place, piece in counted if place not in gone])

    def play(self, item: Played) -> None:
        """Send a message to who has subscribed to it: as it came, or of a mixed one what the client wants."""
        if not self.sessions:
            return
        pieces = self.wire.pieces(item.content)
        for session in list(self.sessions):
            wanted = [piece for piece in pieces if piece.wanted(session.talk)]
            if not wanted:
                continue
            whole = item.content if len(wanted) == len(pieces) else self.wire.joined(item.content, wanted)
            message = self.wire.addressed(session.talk, whole)
            if message is not None:
                session.send([message])
                self.sent += 1

    def cut(self, gap: RecordedGap) -> None:
        """Let the connections of those go that have subscribed to what was lost, once they have read what came before."""
        for session in list(self.sessions):
            lost = any(gap.concerns(kind, symbol, ANY) for kind, symbol in session.talk.subscribed)
            if lost and session.transport is not None:
                session.transport.underlying_transport.close()

    def _accept(self, request: WSUpgradeRequest) -> ClientSession | picows.WSUpgradeResponseWithListener:
        return accepted(self, request, compress=False)
