"""Which months and years are closed. Pure."""

from __future__ import annotations

import datetime as dt


def folders(first: dt.date, last: dt.date | None, following: dt.date | None) -> list[str]:
    """Years and, of the year that is not closed, months of which all sessions are over: `first` is the first wanted session,
    `last` the last one that is final (None: none is), `following` the session after it."""
    if last is None or following is None:
        return []
    closed = [f"year={year}" for year in range(first.year, following.year)]
    begin = first.month if first.year == following.year else 1
    return closed + [f"month={following.year}-{month:02d}" for month in range(begin, following.month)]
