"""The clients, each in a process of its own: `python -m benchmarks.live.clients NAME PORT COUNT FOLDER`.

Prints seconds from the first message to the last one handled, and the processor's seconds of the whole process.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections.abc import Sequence

import msgspec
import picows
import uvloop

from benchmarks.live import flood
from fulltape.capture import config
from fulltape.contract.events import ConnectionEvent
from fulltape.contract.streams import Subscription
from fulltape.lake.messages import Block


class _Data(msgspec.Struct, gc=False):
    e: str
    E: int
    s: str
    a: int
    p: str
    q: str
    f: int
    l: int  # noqa: E741 — the vendor's name
    T: int
    m: bool
    M: bool


class Message(msgspec.Struct, gc=False):
    stream: str
    data: _Data


async def bare(port: int, count: int) -> float:
    """picows and msgspec: every message decoded, none kept."""
    decode = msgspec.json.Decoder(Message).decode
    done: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    class Listener(picows.WSListener):
        seen = 0
        began = 0.0

        def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
            if not self.seen:
                self.began = time.perf_counter()
                self.seen = 1
                return  # the acknowledgement
            decode(frame.get_payload_as_memoryview())
            if self.seen == 1:
                self.began = time.perf_counter()
            self.seen += 1
            if self.seen > count:
                done.set_result(time.perf_counter() - self.began)

    transport, _ = await picows.ws_connect(Listener, f"ws://127.0.0.1:{port}/stream")
    transport.send(picows.WSMsgType.TEXT, b"{}")
    took = await done
    transport.disconnect(graceful=False)
    return took


async def capture(port: int, count: int, folder: str) -> float:
    """fulltape: every message durable."""
    from fulltape.capture import run
    from fulltape.clock import SystemClock

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    seen, first, last = 0, 0, 0

    def synced(items: Sequence[Block | ConnectionEvent], at_ns: int) -> None:
        nonlocal seen, first, last
        for item in items:
            if isinstance(item, Block):
                first = first or item.received[1 if len(item.received) > 1 else 0]
                seen += len(item.received)
        if seen >= count:
            last = time.time_ns()
            loop.call_soon_threadsafe(stop.set)

    eager = msgspec.structs.replace(
        told(port, folder, symbols=flood.SYMBOLS), flush_interval=0.1, queue_bytes=512_000_000
    )
    await run.capture(eager, SystemClock(), stop, synced=synced)
    return (last - first) / 1e9


async def paced(port: int, count: int, folder: str) -> list[float]:
    """fulltape with its own interval of a second: how long each message waited until it was durable, in seconds."""
    from fulltape.capture import run
    from fulltape.clock import SystemClock

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    waits: list[float] = []

    def synced(items: Sequence[Block | ConnectionEvent], at_ns: int) -> None:
        for item in items:
            if isinstance(item, Block):
                waits.extend((at_ns - received) / 1e9 for received in item.received)
        if len(waits) >= count:
            loop.call_soon_threadsafe(stop.set)

    await run.capture(told(port, folder, symbols=500), SystemClock(), stop, synced=synced)
    return waits


def told(port: int, folder: str, *, symbols: int) -> config.CaptureConfig:
    """Orders to capture so many symbols with the default settings; fifty of them speak."""
    feed = config.SourceConfig(
        source="binance.spot",
        vendor="binance",
        subscriptions=tuple(
            Subscription(dataset="crypto_aggtrades", symbol=f"{flood.wire(at)[:-4]}/USDT")
            for at in range(symbols)
        ),
        url=f"ws://127.0.0.1:{port}",
    )
    return config.CaptureConfig(lake=folder, writer="bench.capture", feeds=(feed,))


def main() -> None:
    """Run one client."""
    name, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if name == "paced":
        waits = sorted(uvloop.run(paced(port, count, sys.argv[4])))
        print(waits[len(waits) // 2], waits[int(0.99 * len(waits))], waits[-1], flush=True)
        return
    took = uvloop.run(bare(port, count) if name == "bare" else capture(port, count, sys.argv[4]))
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(took, used.ru_utime + used.ru_stime, flush=True)


if __name__ == "__main__":
    main()
