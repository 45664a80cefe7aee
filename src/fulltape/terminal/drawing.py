"""Coverage of a node as a drawing."""

from __future__ import annotations

from fulltape.context import NodeContext
from fulltape.terminal import picture
from fulltape.views import state


def coverage(context: NodeContext, now: int) -> list[str]:
    """Every dataset by months, then by sessions of its last quarter; events, of which most sessions have none, by months."""
    rows: dict[str, list[picture.Row]] = {}
    for wanted, instrument, shown in state.pictures(context, now):
        rows.setdefault(wanted.dataset.name, []).append((instrument, shown))
    lines: list[str] = []
    for name, drawn in rows.items():
        wanted = context.wanted[name]
        lines += [f"{wanted.title} by month", *picture.months(wanted.calendar, drawn), ""]
        if wanted.dataset.expectation == "events":
            continue
        lines += [
            f"{wanted.title}, the last quarter by session",
            *picture.sessions(wanted.calendar, drawn),
            "",
        ]
    return [*lines, picture.LEGEND]
