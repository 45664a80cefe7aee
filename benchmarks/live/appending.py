"""Appending to the journal, beside the same bytes by write and fdatasync."""

from __future__ import annotations

import os
import statistics
import time
from array import array
from pathlib import Path

from benchmarks.live import flood
from fulltape.clock import SystemClock
from fulltape.lake import messages
from fulltape.lake.journal import Journal, RecordKind
from fulltape.lake.layout import Layout

_BLOCK = 1_400


def timed(folder: Path, rounds: int) -> tuple[float, float, int]:
    """Median seconds of one commit of a block by the journal and by bare calls, in turns; bytes of a commit."""
    found = [flood.message(at) for at in range(_BLOCK)]
    received = array("q", range(_BLOCK))
    journal = Journal(Layout(root=folder), writer="bench.capture", source="bench", clock=SystemClock())
    bare = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    payload = b"".join(bytes(piece) for piece in messages.encode_block(messages.block(7, 1, found, received)))
    head = bytes(25)
    ours: list[float] = []
    plain: list[float] = []
    for number in range(rounds):
        block = messages.block(7, number, found, received)
        began = time.perf_counter()
        journal.append(RecordKind.MESSAGES, *messages.encode_block(block))
        journal.sync()
        between = time.perf_counter()
        os.write(bare, head + payload)
        os.fdatasync(bare)
        plain.append(time.perf_counter() - between)
        ours.append(between - began)
    os.close(bare)
    journal.close()
    return statistics.median(ours), statistics.median(plain), len(payload) + len(head)
