"""Control of a running service from outside: a socket in the node's folder that only its owner can open. A request is a line of
JSON, and so is its answer."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from fulltape import errors
from fulltape.service.config import ServiceConfig
from fulltape.service.memory import FOLDER

_LONGEST = 65_536
_MOST_CLIENTS = 16
_PATIENCE = 30.0
"""Seconds in which a service answers: reading settings takes a few."""


class ControlRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a service is asked to do: run an entry of its schedule (`name`), read its settings again, or send a message to see whether
    it comes through."""

    do: Literal["run", "reload", "test_message"]
    name: str = ""


class ControlReply(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it is done, and a sentence."""

    ok: bool
    message: str
    hint: str = ""


def run_reply(name: str, there: bool, config: ServiceConfig) -> ControlReply:
    """The answer to who wants an entry to run; `there`: the schedule has one of that name."""
    if there:
        return ControlReply(ok=True, message=f"{name} runs as soon as its lane is free")
    hint = f"It has {', '.join(entry.name for entry in config.entries)}."
    return ControlReply(ok=False, message=f"the schedule has no entry {name!r}.", hint=hint)


Respond = Callable[[ControlReply], None]
"""Answers a request, at once or later."""


def path(folder: Path) -> Path:
    """Where the socket lies."""
    return folder / FOLDER / "control.sock"


def request(folder: Path, wish: ControlRequest) -> ControlReply:
    """Ask the service of the node in `folder`; `UsageError` where none runs."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client, _short(path(folder)) as name:
        client.settimeout(_PATIENCE)
        try:
            client.connect(name)
            client.sendall(msgspec.json.encode(wish) + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                piece = client.recv(_LONGEST)
                if not piece:
                    break
                answer += piece
            return msgspec.json.decode(answer, type=ControlReply)
        except (FileNotFoundError, ConnectionRefusedError):
            raise errors.UsageError(
                f"no service runs in {folder.resolve()}.",
                hint="Start it with `fulltape run`; without it, `fulltape jobs run NAME` runs one job.",
            ) from None
        except (TimeoutError, ConnectionError, msgspec.DecodeError) as error:
            raise errors.StorageError(
                "the service of this node does not answer.", hint="It may be ending; try again."
            ) from error


@contextlib.contextmanager
def _short(where: Path) -> Iterator[str]:
    """A name of a path that fits into a socket's address, however deep it lies."""
    try:
        fd = os.open(where.parent, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        yield str(where)[-90:]
        return
    try:
        yield f"/proc/self/fd/{fd}/{where.name}"
    finally:
        os.close(fd)


class ControlSocket:
    """The service's side: `files` are what to wait for, `came` is called with one on which something came."""

    def __init__(self, folder: Path, handle: Callable[[ControlRequest, Respond], None]) -> None:
        self._path, self._handle = path(folder), handle
        self._path.unlink(missing_ok=True)
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            with _short(self._path) as name:
                self._server.bind(name)
        finally:
            os.umask(before)
        self._server.listen(8)
        self._server.setblocking(False)
        self._clients: dict[int, tuple[socket.socket, bytearray]] = {}

    @property
    def fds(self) -> list[int]:
        """What to wait for."""
        return [self._server.fileno(), *self._clients]

    def came(self, fd: int) -> None:
        """Something came: a client, or what one says."""
        if fd == self._server.fileno():
            self._accept()
            return
        if fd not in self._clients:
            return
        client, text = self._clients[fd]
        try:
            piece = client.recv(_LONGEST)
        except OSError:
            piece = b""
        text += piece
        if piece and b"\n" not in text and len(text) < _LONGEST:
            return
        del self._clients[fd]
        if b"\n" not in text:
            client.close()
            return

        def respond(reply: ControlReply) -> None:
            with contextlib.suppress(OSError):
                client.sendall(msgspec.json.encode(reply) + b"\n")
            client.close()

        try:
            request = msgspec.json.decode(bytes(text.split(b"\n")[0]), type=ControlRequest)
        except msgspec.DecodeError as error:
            respond(ControlReply(ok=False, message=f"this is no request: {error}"))
            return
        self._handle(request, respond)

    def _accept(self) -> None:
        """Take a client; of too many, those that have said nothing for longest go."""
        try:
            client, _ = self._server.accept()
        except OSError:
            return
        client.settimeout(1.0)
        self._clients[client.fileno()] = client, bytearray()
        while len(self._clients) > _MOST_CLIENTS:
            oldest = next(iter(self._clients))
            self._clients.pop(oldest)[0].close()

    def close(self) -> None:
        """Answer no more."""
        for client, _ in self._clients.values():
            client.close()
        self._server.close()
        self._path.unlink(missing_ok=True)
