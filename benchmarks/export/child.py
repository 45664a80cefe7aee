"""One export in a process of its own; prints JSON: seconds, peak in megabytes, bytes of the bundle."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from benchmarks.growth import world
from benchmarks.growth.child import peak
from benchmarks.growth.world import BEGIN, DAYS, MINUTES, Fixed
from fulltape.export import run as export


def main() -> None:
    """`python -m benchmarks.export.child NODE SYMBOLS LAST`."""
    folder, symbols, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    context = world.node(folder, [DAYS, MINUTES], symbols, last=last, first=BEGIN).context
    began = time.perf_counter()
    report = export.run_once(context, Fixed(last))
    seconds = time.perf_counter() - began
    context.ledger.close()
    assert report is not None
    assert report.written
    print(json.dumps({"seconds": seconds, "peak": peak(), "bytes": report.bytes, "path": report.path}))


if __name__ == "__main__":
    main()
