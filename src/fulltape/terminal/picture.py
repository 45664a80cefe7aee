"""The coverage picture: symbols × months, then × sessions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence

from fulltape.coverage.series import Picture
from fulltape.market import ranges
from fulltape.market.ranges import Range
from fulltape.market.sessions import Calendar

LEGEND = "█ held   ▒ partly   ░ missing   o confirmed empty   × no vendor has it   · not wanted (closed, not listed)"
_WIDTH = 72

Row = tuple[str, Picture]


def months(calendar: Calendar, rows: Sequence[Row]) -> list[str]:
    """One line a symbol and one column a month, in blocks of six years."""
    wanted = _extent(rows)
    if wanted is None:
        return []
    first, last = calendar.label(wanted[0]), calendar.label(wanted[1] - 1)
    spans = [_month(calendar, year, month) for year, month in _months(first, last)]
    names = [
        f"{year}" if month == 1 or at == 0 else "" for at, (year, month) in enumerate(_months(first, last))
    ]
    return _blocks(rows, spans, names)


def monthly(calendar: Calendar, rows: Sequence[Row]) -> tuple[list[tuple[int, int]], list[tuple[str, str]]]:
    """All months that are wanted of anybody, and per instrument its signs."""
    wanted = _extent(rows)
    if wanted is None:
        return [], []
    months = _months(calendar.label(wanted[0]), calendar.label(wanted[1] - 1))
    spans = [_month(calendar, year, month) for year, month in months]
    return months, [(name, "".join(_sign(shown, span) for span in spans)) for name, shown in rows]


def sessions(calendar: Calendar, rows: Sequence[Row], *, days: int = 92) -> list[str]:
    """One line a symbol and one column a session, for the last quarter that is wanted."""
    wanted = _extent(rows)
    if wanted is None:
        return []
    last = calendar.label(wanted[1] - 1)
    start, stop = calendar.between(last - dt.timedelta(days=days - 1), last)
    spans = [(position, position + 1) for position in range(max(start, wanted[0]), stop)]
    names = []
    for at, (position, _) in enumerate(spans):
        label = calendar.label(position)
        fresh = at == 0 or label.month != calendar.label(position - 1).month
        names.append(f"{label:%b %Y}" if fresh else "")
    return _blocks(rows, spans, names)


def _extent(rows: Iterable[Row]) -> Range | None:
    spans = [span for _, shown in rows for span in shown.wanted]
    return (min(start for start, _ in spans), max(stop for _, stop in spans)) if spans else None


def _months(first: dt.date, last: dt.date) -> list[tuple[int, int]]:
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    return [
        (first.year + (first.month - 1 + at) // 12, (first.month - 1 + at) % 12 + 1) for at in range(count)
    ]


def _month(calendar: Calendar, year: int, month: int) -> Range:
    first = dt.date(year, month, 1)
    return calendar.between(first, (first + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1))


def _blocks(rows: Sequence[Row], spans: Sequence[Range], names: Sequence[str]) -> list[str]:
    margin = max(len(name) for name, _ in rows) + 1
    lines: list[str] = []
    for at in range(0, len(spans), _WIDTH):
        block = spans[at : at + _WIDTH]
        lines.append(" " * margin + _ruler(names[at : at + _WIDTH]))
        lines += [f"{name:<{margin}}" + "".join(_sign(shown, span) for span in block) for name, shown in rows]
    return lines


def _ruler(names: Sequence[str]) -> str:
    """Names above the columns where they begin; one that would run into the next is left out."""
    line = ""
    begins = [at for at, name in enumerate(names) if name]
    for at, following in zip(begins, [*begins[1:], len(names) + 9], strict=True):
        if at + len(names[at]) < following:
            line = f"{line:<{at}}{names[at]}"
    return line


def _sign(shown: Picture, span: Range) -> str:
    def inside(where: ranges.Ranges) -> int:
        return ranges.size(ranges.clip(where, *span))

    signs: list[tuple[str, Callable[[], int]]] = [
        ("×", lambda: inside(shown.unobtainable)),
        ("o", lambda: inside(shown.empty)),
    ]
    wanted = inside(shown.wanted)
    if not wanted:
        return "·"
    if inside(shown.held) + inside(shown.empty) == wanted and inside(shown.held):
        return "█"
    if inside(shown.held) or inside(shown.partial):
        return "▒"
    return next((sign for sign, count in signs if count() == wanted), "░")
