"""What hosts answer instead of a vendor: no redirect is followed, and a handshake that is refused says for how long."""

from __future__ import annotations

import asyncio
import http.server
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fulltape import errors
from fulltape.capture import socket
from fulltape.clock import SystemClock
from fulltape.contract.vendor import Request
from fulltape.transport.http import Account, HttpClient
from fulltape.transport.socket import SocketClient


@contextmanager
def server(status: int, headers: dict[str, str], seen: list[str]) -> Iterator[int]:
    """Answers everything alike, and keeps what it was asked for with which headers."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            seen.append(f"{self.path} {dict(self.headers)}")
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as one:
        thread = threading.Thread(target=one.serve_forever, daemon=True)
        thread.start()
        try:
            yield one.server_port
        finally:
            one.shutdown()
            thread.join()


def test_a_websocket_follows_no_redirect() -> None:
    strangers: list[str] = []
    seen: list[str] = []
    with server(200, {}, strangers) as other:
        place = {"Location": f"ws://127.0.0.1:{other}/elsewhere"}
        with server(302, place, seen) as port:
            client = SocketClient(f"ws://127.0.0.1:{port}", timeout=5, headers={"X-Key": "CANARY"})
            with pytest.raises(errors.UnreachableError, match="redirect"):
                client.send({"ping": 1})
            client.close()
    assert len(seen) == 1
    assert strangers == []


def test_a_request_follows_no_redirect() -> None:
    strangers: list[str] = []
    seen: list[str] = []
    with server(200, {}, strangers) as other:
        place = {"Location": f"http://127.0.0.1:{other}/elsewhere"}
        with server(307, place, seen) as port:
            account = Account(
                hosts={"data": f"http://127.0.0.1:{port}"},
                auth={"X-Key": "{key}"},
                secrets={"key": "CANARY"},
                timeout=5,
            )
            client = HttpClient(account, SystemClock())
            assert client.send(Request(path="/bars", params={})).status == 307
            client.close()
    assert len(seen) == 1
    assert strangers == []


@pytest.mark.parametrize(("status", "wait", "seconds"), [(429, "300", 300), (503, "7", 7), (418, "", 0)])
def test_a_refused_handshake_says_how_long_to_stay_away(status: int, wait: str, seconds: float) -> None:
    one = socket.Socket(
        data=(), control=re.compile(b""), on_open=print, on_control=print, on_end=print, on_full=print, timestamp=time.time_ns
    )  # fmt: skip
    with server(status, {"Retry-After": wait} if wait else {}, []) as port:
        url = f"ws://127.0.0.1:{port}/"
        with pytest.raises(socket.TooManyError) as told:
            asyncio.run(socket.connect(one, url, headers={}, timeout=5, compress=False, known=False))
    assert told.value.seconds == seconds
