"""What the conditions of trades mean on a node."""

from __future__ import annotations

from pathlib import Path

from fulltape.bars import conditions
from fulltape.bars.conditions import SaleConditions


def read(folder: Path) -> SaleConditions:
    """The package's tables, with those of the node's `conditions.toml` before them. `UsageError` where that cannot be read."""
    path = folder / conditions.FILE
    return conditions.load(path.read_text() if path.is_file() else "")
