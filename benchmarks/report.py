"""Tables and JSON of the benchmarks, and whether the demanded figures were reached."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


@dataclass
class Report:
    """Figures by name, and the demands on them."""

    name: str
    figures: dict[str, object] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)
    checked: int = 0

    def demand(
        self, what: str, value: float, *, at_most: float | None = None, at_least: float | None = None
    ) -> bool:
        """Note a figure that is demanded; False if it is not reached."""
        self.checked += 1
        good = (at_most is None or value <= at_most) and (at_least is None or value >= at_least)
        limit = f"at most {at_most:g}" if at_most is not None else f"at least {at_least:g}"
        self.figures[f"demand: {what}"] = {"value": value, "limit": limit, "reached": good}
        if not good:
            self.missed.append(f"{what}: {value:.4g}, demanded {limit}")
        return good

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table."""
        table = Table(title=title, title_justify="left")
        for at, name in enumerate(columns):
            table.add_column(name, justify="left" if at == 0 else "right")
        for row in rows:
            table.add_row(*(_shown(cell) for cell in row))
        Console(width=140).print(table)

    def end(self) -> None:
        """Write the JSON, say what was missed, and exit with 1 if anything was."""
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{self.name}.json"
        machine = {"machine": platform.machine(), "python": platform.python_version()}
        path.write_text(json.dumps({**machine, **self.figures}, indent=2, default=str) + "\n")
        print(
            f"{self.checked - len(self.missed)} of {self.checked} demanded figures reached; written to {path.name}"
        )
        for line in self.missed:
            print(f"MISSED {line}")
        sys.exit(1 if self.missed else 0)


def _shown(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:,.3f}" if abs(cell) < 100 else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
