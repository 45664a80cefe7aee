"""In a process of its own: what finding the files of a symbol's year costs, on a large catalogue. Prints JSON."""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

from benchmarks.growth.child import peak
from benchmarks.growth.world import MINUTES
from fulltape.market.time import SECOND, to_datetime
from fulltape.reading import selection
from fulltape.reading.node import OpenedNode


def main(folder: Path, year: int) -> None:
    """Look up the first symbol's year."""
    node = OpenedNode.at(folder)
    first, last = (
        to_datetime(0).date().replace(year=year),
        to_datetime(SECOND).date().replace(year=year, month=12, day=31),
    )
    imports = peak()
    spans = []
    files = 0
    for _ in range(9):
        began = time.perf_counter()
        with node.opened() as ledger:
            files = len(selection.parts(ledger, node.layout, MINUTES, first, last, ["S0000"]))
        spans.append(time.perf_counter() - began)
    print(json.dumps({"seconds": statistics.median(spans), "mb": peak() - imports, "files": files}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
