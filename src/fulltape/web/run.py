"""`python -m fulltape.web`: the web process, as the supervisor starts it; it ends with its standard input."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import uvicorn

from fulltape.service import web_process
from fulltape.service.config import WebSettingsConfig
from fulltape.settings import load
from fulltape.web.app import application
from fulltape.web.browsing import BrowseProcess
from fulltape.web.pages import Pages
from fulltape.web.poller import Poller

NICE = 5
"""How much it lets others go first."""
_GRACE = 2
"""Seconds in which open answers may end."""


def main() -> None:
    """Serve until the input ends, or SIGTERM."""
    os.nice(NICE)
    first = sys.stdin.buffer.readline()
    if first:
        asyncio.run(_serve(msgspec.json.decode(first, type=WebSettingsConfig)))


class _Server(uvicorn.Server):
    """Leaves signals to us: its own way ends the process before what reads for the pages is ended."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """See `uvicorn.Server`."""
        yield


async def _serve(config: WebSettingsConfig) -> None:
    loaded = load.load(Path(config.folder), asking=False, text=config.text)
    poller = Poller(loaded)
    browse = BrowseProcess(config)
    app, pages = application(config, loaded, poller, browse)
    if problem := web_process.unusable(config.host, config.port):
        sys.exit(problem)
    server = _Server(
        uvicorn.Config(
            app,
            host=config.host,
            port=config.port,
            root_path=config.base_path,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE,
            lifespan="off",
            ws="none",
        )
    )
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), _ended, server, pages)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _ended, server, pages)
    poller.start()
    try:
        await server.serve()
    finally:
        pages.closing.set()
        poller.close()
        await browse.close()


def _ended(server: uvicorn.Server, pages: Pages) -> None:
    """Something came after the orders, which only the end of the input does, or a signal."""
    asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
    pages.closing.set()
    server.should_exit = True
