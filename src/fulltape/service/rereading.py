"""Reading the settings again while the service runs, in a child."""

from __future__ import annotations

from pathlib import Path

import msgspec

from fulltape.service import web_process
from fulltape.service.calls import ChildCall
from fulltape.service.config import Prepared, ServiceConfig, Setup
from fulltape.service.control import ControlReply, Respond

_MODULE = "fulltape.service.prepare"


def read_settings(folder: Path) -> Prepared:
    """Read the settings and wait for them."""
    return _result(*ChildCall(_MODULE, Setup(folder=str(folder), text="")).wait())


class SettingsReader:
    """Reads settings, once at a time; who has asked is answered when it is known whether they are taken."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._call: ChildCall | None = None
        self._respond: Respond | None = None
        self.anew = False
        """Whether the file is read; else only what follows from the settings that we have."""

    @property
    def fds(self) -> list[int]:
        """What to wait for."""
        return [self._call.fd] if self._call else []

    def begin(self, respond: Respond | None, *, text: str = "") -> None:
        """Read the file, or with `text` what follows from it."""
        if self._call:
            if respond:
                respond(ControlReply(ok=False, message="the settings are being read just now; try again"))
            return
        self._respond, self.anew = respond, not text
        self._call = ChildCall(_MODULE, Setup(folder=str(self._folder), text=text))

    def came(self) -> Prepared | None:
        """What it came to, once it is known."""
        if self._call is None or not self._call.came():
            return None
        call, self._call = self._call, None
        return _result(*call.result())

    def answer(self, problem: str, hint: str) -> None:
        """Tell who has asked whether the settings are taken."""
        if self._respond:
            taken = "the settings are read; what has changed applies from now on"
            reply = ControlReply(ok=not problem, message=problem or taken, hint=hint)
            self._respond(reply)
        self._respond = None

    def close(self) -> None:
        """Read no more."""
        if self._call:
            self._call.kill()


def _result(status: int, said: bytes) -> Prepared:
    try:
        return msgspec.json.decode(said, type=Prepared)
    except msgspec.DecodeError:
        return Prepared(error=f"reading the settings ended with status {status}.", exit_code=70)


def fixed(before: ServiceConfig, after: ServiceConfig) -> str:
    """What cannot be taken while the service runs, in words; '' where all of it can."""
    if (before.lake, before.writer) != (after.lake, after.writer):
        return "node.lake and node.worker cannot change while the service runs; stop it, and start it again."
    if after.web and (
        before.web is None or (before.web.host, before.web.port) != (after.web.host, after.web.port)
    ):
        return web_process.unusable(after.web.host, after.web.port)
    return ""
