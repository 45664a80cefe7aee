"""One way of curating, in a process of its own; prints JSON: seconds, peak in megabytes, rows and their digest."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.curate import by_hand, lake
from benchmarks.growth.child import peak
from benchmarks.growth.world import BEGIN, Fixed
from fulltape.curate import run as curate


def main() -> None:
    """`python -m benchmarks.curate.child WAY NODE SYMBOLS SESSIONS`."""
    way, node, symbols, sessions = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    out = Path(tempfile.mkdtemp(prefix="out-", dir=node.parent))
    try:
        if way == "fulltape":
            context = lake.opened(node, symbols, (BEGIN, BEGIN + sessions))
            began = time.perf_counter()
            curate.run_once(context, Fixed(BEGIN + sessions - 1))
            seconds = time.perf_counter() - began
            context.ledger.close()
            written = sorted((node / "lake").rglob("curated/**/*.parquet"))
        else:
            files = by_hand.months(node / "lake")
            began = time.perf_counter()
            (by_hand.polars if way == "polars" else by_hand.duck)(files, out)
            seconds = time.perf_counter() - began
            written = sorted(out.rglob("*.parquet"))
        most = peak()
        rows, digest = by_hand.digest(written)
        print(json.dumps({"seconds": seconds, "peak": most, "rows": rows, "digest": digest}))
    finally:
        shutil.rmtree(out)


if __name__ == "__main__":
    main()
