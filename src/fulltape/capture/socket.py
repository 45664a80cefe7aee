"""One websocket: what it delivers is gathered into blocks. The only file that imports picows."""

from __future__ import annotations

import os
import re
import ssl
import zlib
from array import array
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import picows
from picows import WSFrame, WSListener, WSMsgType, WSTransport

from fulltape import errors
from fulltape.contract import envelopes
from fulltape.decoding.captured import LIVE
from fulltape.lake import messages
from fulltape.market.time import SECOND

if TYPE_CHECKING:
    from fulltape.lake.messages import Block

LARGEST_MESSAGE = 16 * 1024 * 1024
_BLOCK = 256 * 1024
"""A block is cut when it holds so many bytes, or when it is time to write."""
_DEFLATE = "permessage-deflate; client_no_context_takeover; server_max_window_bits=15"
_TAIL = b"\x00\x00\xff\xff"
_ENDS = (_TAIL, b"\x00" + _TAIL)
"""What is left of a message whose stream was finished: an empty block, which begins nothing."""
_EMPTY = (b"\x00", b"\x03\x00", b"\x03\x00\x00", b"\x02\x00")

Stamp = Callable[[], int]


class TooManyError(errors.TransportError):
    """The vendor says that there are too many connections or requests; stay away for a while: `seconds`, where it says
    how long."""

    def __init__(self, words: str, seconds: float = 0) -> None:
        super().__init__(words)
        self.seconds = seconds


class RefusedError(errors.TransportError):
    """The vendor refuses these credentials."""


class Socket(WSListener):
    """One connection from its beginning to its end.

    `on_open` is called first, `on_control` with every control message, `on_end` last; `on_full` when a block is worth writing before
    anybody asks for it. `timestamp` gives wall time in nanoseconds.
    """

    def __init__(
        self,
        *,
        data: tuple[bytes, ...],
        control: re.Pattern[bytes],
        on_open: Callable[[Socket], None],
        on_control: Callable[[Socket, bytes], None],
        on_end: Callable[[Socket], None],
        on_full: Callable[[Block], None],
        timestamp: Stamp,
    ) -> None:
        self.connection = int.from_bytes(os.urandom(4), "little") | LIVE
        self.count = 0
        self.bytes = 0
        self.last_ns = 0
        self.ended = ""
        self.transport: WSTransport | None = None
        self._data = self._prefixes = data
        self._is_control = control.match
        self._on_open, self._on_end = on_open, on_end
        self._on_control, self._on_full, self.timestamp = on_control, on_full, timestamp
        self._messages: list[bytes] = []
        self._append = self._messages.append
        self._received = array("q")
        self._size = 0
        self._number = 0
        self._parts: list[bytes] = []
        self._packed = False
        self._inflate: zlib._Decompress | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The handshake is over."""
        self.transport = transport
        if transport.response.headers.get("Sec-WebSocket-Extensions", "").startswith("permessage-deflate"):
            self._inflate = zlib.decompressobj(-15)
        self._on_open(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """A frame: a whole message, a part of one, or the end.

        What begins as data does is a whole message of data unless it is a fragment: that is settled first, since it is
        what nearly all frames are. Messages that came in one read of the socket share its stamp.
        """
        message = frame.get_payload_as_bytes()
        if message.startswith(self._data) and frame.fin:
            self._append(message)
        else:
            self._other(transport, frame, message)
        if frame.last_in_buffer:
            self._stamped()

    def _other(self, transport: WSTransport, frame: WSFrame, message: bytes) -> None:
        kind = frame.msg_type
        if kind == WSMsgType.TEXT and frame.fin and not frame.rsv1:
            self._message(message)
        elif kind in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION):
            self._part(kind, frame, message)
        elif kind == WSMsgType.CLOSE:
            code = frame.get_close_code()
            reason = (frame.get_close_message() or b"").decode(errors="replace")
            self.ended = f"closed by the vendor ({getattr(code, 'value', code)} {reason})".replace(" )", ")")
            transport.send_close(code, b"")
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002
        """The connection is over, on whichever side."""
        self.ended = self.ended or "the connection broke"
        self._on_end(self)

    def say(self, text: str) -> None:
        """Send a message; nothing happens on a connection that is over."""
        if self.transport is not None and not self.transport.is_disconnected:
            self.transport.send(WSMsgType.TEXT, text.encode())

    def close(self, why: str) -> None:
        """End the connection."""
        self.ended = self.ended or why
        if self.transport is not None:
            if not self.transport.is_disconnected:
                self.transport.send_close(picows.WSCloseCode.OK, b"")
            self.transport.disconnect(graceful=False)

    def keep(self, message: bytes) -> None:
        """Take a message as data."""
        self._append(message)

    def _stamped(self) -> None:
        """Stamp what has come since the last time."""
        fresh = len(self._messages) - len(self._received)
        if not fresh:
            return
        self.last_ns = self.timestamp()
        self._received.extend(array("q", (self.last_ns,)) * fresh)
        self._size += sum(map(len, self._messages[-fresh:]))
        if self._size >= _BLOCK:
            self._on_full(self.cut())  # type: ignore[arg-type]

    def cut(self) -> Block | None:
        """What has come since the last cut, as a block; None if nothing has."""
        if len(self._received) < len(self._messages):
            self._stamped()
        if not self._messages:
            return None
        delivered, received = self._messages, self._received
        self._messages, self._received = [], array("q")
        self._append = self._messages.append
        self.count += len(delivered)
        self.bytes += self._size
        self._size = 0
        self._number += 1
        return messages.block(self.connection, self._number, delivered, received)

    def _message(self, message: bytes) -> None:
        if self._is_control(message):
            self._on_control(self, message)
        else:
            self.keep(message)

    def _part(self, kind: WSMsgType, frame: WSFrame, content: bytes) -> None:
        """A fragment or something compressed: put together, unpacked, and then a message like any other."""
        if kind != WSMsgType.CONTINUATION:
            self._parts, self._packed = [], frame.rsv1
        self._parts.append(content)
        self._data = self._prefixes if frame.fin else ()  # what follows a fragment is a fragment
        if sum(map(len, self._parts)) > LARGEST_MESSAGE:
            self.close("a message was too large")
        elif frame.fin:
            whole = b"".join(self._parts)
            self._parts = []
            try:
                self._message(self._unpacked(whole) if self._packed else whole)
            except (zlib.error, errors.TransportError) as error:
                self.close(f"a message that cannot be unpacked: {error}")

    def _unpacked(self, content: bytes) -> bytes:
        if self._inflate is None:
            raise errors.TransportError("a compressed message, which was not agreed on")
        unpacked, rest = b"", content + _TAIL
        while rest and rest not in _ENDS:
            unpacked += self._inflate.decompress(rest, LARGEST_MESSAGE + 1 - len(unpacked))
            if len(unpacked) > LARGEST_MESSAGE:
                raise errors.TransportError("a message was too large")
            if not self._inflate.eof:
                break
            # The sender has finished its stream (RFC 7692, 7.2.3.4): what follows is a new one.
            rest, self._inflate = self._inflate.unused_data, zlib.decompressobj(-15)
        if not unpacked and content not in _EMPTY:
            raise errors.TransportError("a compressed message came to nothing")
        return unpacked


async def connect(
    socket: Socket, url: str, *, headers: Mapping[str, str], timeout: float, compress: bool, known: bool
) -> None:
    """Open a connection; `TransportError` says why there is none. `known` says that we come with a key."""
    extra = {**headers, **({"Sec-WebSocket-Extensions": _DEFLATE} if compress else {})}
    try:
        await picows.ws_connect(
            lambda: socket,
            url,
            extra_headers=extra,
            websocket_handshake_timeout=timeout,
            max_frame_size=LARGEST_MESSAGE,
            max_redirects=0,
            enable_auto_ping=True,
            auto_ping_idle_timeout=20,
            auto_ping_reply_timeout=20,
            ssl_context=ssl.create_default_context() if url.startswith("wss:") else None,
        )
    except picows.WSError as error:
        _raise_for(error, known=known, timestamp=socket.timestamp)
    except (OSError, TimeoutError, EOFError) as error:
        raise errors.UnreachableError(f"{type(error).__name__}: {error}".rstrip(": ")) from None
    if socket.transport is None or socket.transport.is_disconnected:
        raise errors.UnreachableError("the connection ended during its handshake")


def _raise_for(error: Exception, *, known: bool, timestamp: Stamp) -> None:
    response = getattr(error, "response", None)
    status = int(getattr(response, "status", 0) or 0)
    words = f"{type(error).__name__}: {error}"[:200]
    if status == 401 and known:
        raise RefusedError(words) from None
    headers = getattr(response, "headers", None) or {}
    wait = envelopes.wait(
        {str(name).lower(): str(value) for name, value in headers.items()}, now=timestamp() // 1_000
    )
    if status in (401, 403, 418, 429) or (status == 503 and wait):
        # A firewall in front of a vendor says 403 to who comes too often.
        raise TooManyError(words, (wait or 0) / SECOND) from None
    raise errors.TransportError(words) from None
