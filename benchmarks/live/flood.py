"""A local websocket server that sends the same trades to whoever subscribes: as fast as it can, or at a pace.

Run as a program: `python -m benchmarks.live.flood COUNT RATE`; it prints its port. RATE 0: as fast as it can.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import random
import socket
import struct
import sys
import time

SYMBOLS = 50
_BATCH = 500
AT = 1_795_387_606_629


_WALK = 9_973
_DICE = random.Random(7)
_STEPS = (0, 0, 0, 1, -1, 2, -2, 5, -5, 20, -20)
_PRICES = [20_000 + at / 100 for at in itertools.accumulate(_DICE.choices(_STEPS, k=_WALK))]
_SIZES = [max(0.00001, round(_DICE.lognormvariate(-4, 1.5), 5)) for _ in range(99_991)]


def wire(number: int) -> str:
    """A symbol as the exchange writes it."""
    return f"S{number:03d}USDT"


def message(number: int, *, own: int | None = None) -> bytes:
    """An aggregate trade over a combined stream; `own` is its id, where it is not the number."""
    trade = number if own is None else own
    symbol = wire(number * 7919 % SYMBOLS)
    price, size = _PRICES[number // SYMBOLS % _WALK], _SIZES[number % len(_SIZES)]
    maker = "true" if number % 3 else "false"
    return (
        f'{{"stream":"{symbol.lower()}@aggTrade","data":{{"e":"aggTrade","E":{AT + number},"s":"{symbol}",'
        f'"a":{trade},"p":"{price:.8f}","q":"{size:.8f}","f":{trade},"l":{trade},"T":{AT + number},'
        f'"m":{maker},"M":true}}}}'
    ).encode()


def frame(payload: bytes) -> bytes:
    """A text frame as a server sends it."""
    head = (
        bytes([0x81, len(payload)]) if len(payload) < 126 else b"\x81\x7e" + struct.pack(">H", len(payload))
    )
    return head + payload


def _upgrade(client: socket.socket) -> bool:
    """Shake hands; whether the address says already what is wanted."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += client.recv(4_096)
    key = next(
        line.split(b":", 1)[1].strip()
        for line in request.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key")
    )
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    client.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    return b"?streams=" in request.split(b"\r\n", 1)[0]


def _serve(client: socket.socket, count: int, rate: int) -> None:
    if not _upgrade(client):
        client.recv(65_536)  # the subscription
        client.sendall(frame(b'{"result":null,"id":1}'))
    time.sleep(0.3)
    batch = max(1, rate // 50) if rate else _BATCH
    # As many different messages as fit into memory easily, again and again.
    blobs = [
        b"".join(frame(message(at)) for at in range(start, start + batch))
        for start in range(0, min(count, 20_000), batch)
    ]
    due = time.perf_counter()
    for at in range(count // batch):
        client.sendall(blobs[at % len(blobs)])
        if rate:
            due += batch / rate
            time.sleep(max(0.0, due - time.perf_counter()))
    client.settimeout(600)
    with contextlib.suppress(OSError):
        while client.recv(65_536):
            pass


def main() -> None:
    """Serve one client after the other."""
    count, rate = int(sys.argv[1]), int(sys.argv[2])
    server = socket.create_server(("127.0.0.1", 0))
    print(server.getsockname()[1], flush=True)
    while True:
        client, _ = server.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):
            _serve(client, count, rate)
        client.close()


if __name__ == "__main__":
    main()
