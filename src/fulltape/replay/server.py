"""One source's recording behind a websocket on loopback, for clients of the vendor."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import picows
from picows import WSUpgradeRequest

from fulltape import errors
from fulltape.replay.plan import Played, RecordedGap
from fulltape.simulator.protocol import Piece, StreamProtocol, Talk
from fulltape.simulator.stream import ClientSession, accepted


class ReplayServer:
    """Talks to clients as the vendor does, and hands them what was recorded. See `simulator.stream.ClientHost`."""

    def __init__(self, source: str, wire: StreamProtocol, port: int) -> None:
        self.source, self.wire, self._port = source, wire, port
        self.sessions: list[ClientSession] = []
        self.said: list[object] = []
        self.sent = 0
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
        """End, as a server that goes down does."""
        for session in list(self.sessions):
            session.kick("the recording is over")
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def repeats(self, talk: Talk, symbols: Iterable[str]) -> list[bytes]:
        """See `ClientHost`: nothing is told again."""
        del talk, symbols
        self.said.clear()
        return []

    def play(self, item: Played) -> None:
        """Send a message to who has subscribed to it: as it came, or of a mixed one what the client wants."""
        if not self.sessions:
            return
        pieces = self.wire.pieces(item.content)
        for session in list(self.sessions):
            wanted = [piece for piece in pieces if piece.wanted(session.talk)]
            if wanted and (message := self._message(session.talk, item.content, pieces, wanted)) is not None:
                session.send([message])
                self.sent += 1

    def cut(self, gap: RecordedGap) -> None:
        """Let the connections of those go that have subscribed to what was lost."""
        for session in list(self.sessions):
            lost = any(symbol in gap.symbols for _, symbol in session.talk.subscribed)
            if lost and session.transport is not None:
                session.transport.underlying_transport.abort()

    def _message(self, talk: Talk, content: bytes, pieces: list[Piece], wanted: list[Piece]) -> bytes | None:
        whole = content if len(wanted) == len(pieces) else self.wire.joined(content, wanted)
        return self.wire.addressed(talk, whole)

    def _accept(self, request: WSUpgradeRequest) -> ClientSession | picows.WSUpgradeResponseWithListener:
        return accepted(self, request, compress=False)
