"""Coverage of a node as a drawing."""

from __future__ import annotations

from fulltape.cli import picture
from fulltape.node import state
from fulltape.stores import Stores


def coverage(stores: Stores, now: int, *, synthetic: frozenset[str] = frozenset()) -> list[str]:
    """Every dataset by months, then by sessions of its last quarter; `synthetic` datasets are named so."""
    rows: dict[str, list[picture.Row]] = {}
    for wanted, instrument, shown in state.pictures(stores, now):
        rows.setdefault(wanted.dataset.name, []).append((instrument, shown))
    lines: list[str] = []
    for name, found in rows.items():
        calendar = stores.wanted[name].calendar
        title = f"{name} (synthetic)" if name in synthetic else name
        lines += [f"{title} by month", *picture.months(calendar, found), ""]
        lines += [f"{title}, the last quarter by session", *picture.sessions(calendar, found), ""]
    return [*lines, picture.LEGEND]
