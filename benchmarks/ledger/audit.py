"""In a process of its own, so that its memory is its own: audits of 25 million cells. Prints JSON."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.ledger import world
from fulltape import context as opening
from fulltape.audit import run as audit
from fulltape.clock import SystemClock
from fulltape.coverage.facts import CoverageFact


def main(folder: Path, what: str, times: int) -> None:
    """Measure one thing on the ledger in `folder`, so many times: `seconds` the first time, `again` later."""
    ledger = opening.open_ledger(folder)
    context = world.context(folder, ledger)
    wanted = context.wanted["equities_bars_day"]
    clock = SystemClock()

    def closing() -> None:
        """One more session has come for all instruments: its facts are recorded and the audit looks again."""
        label = world.CALENDAR.label(world.BEGIN + world.SESSIONS)
        facts = [
            CoverageFact(
                dataset="equities_bars_day",
                instrument=name,
                source=world.SOURCE,
                first=label,
                last=label,
                fact="present",
                sound=True,
                final=True,
                since=clock.now(),
                evidence="closing",
            )
            for name in world.names()
        ]
        with ledger.write():
            ledger.coverage.record(facts, wanted.next_session)

    def touch() -> None:
        with ledger.write():
            ledger.database.run_many(
                "touch",
                [{"dataset": "equities_bars_day", "instrument": name} for name in world.names()[:100]],
            )

    acts: dict[str, Callable[[], object]] = {
        "full": lambda: audit.run_once(context, clock),
        "incremental": lambda: audit.run_incremental(context, clock),
        "closing": closing,
    }
    if what == "incremental":
        touch()
    before = _peak()
    spans = []
    for _ in range(times):
        began = time.perf_counter()
        result = acts[what]()
        spans.append(time.perf_counter() - began)
    ledger.close()
    figures = {"seconds": spans[0], "again": statistics.median(spans[1:] or spans)}
    print(json.dumps({**figures, "mb_before": before, "mb": _peak(), "result": str(result)}))


def _peak() -> float:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1_000


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
