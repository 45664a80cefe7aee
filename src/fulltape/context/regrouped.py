"""Which files hold wanted rows: those of days, or of closed months and years by instrument. Never both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from fulltape.lake import layout
from fulltape.ledger.part import Part

LAYER: Final = "by_instrument"
LEAST_DAYS = 5
"""Of fewer days the files of days are read as quickly."""
_FEW = 20
"""Of more symbols than this a folder is read only where a good part of its days is wanted."""
_GOOD_PART = {"year": 60, "month": 10}


def complete(parts: Sequence[Part], days: Sequence[Part]) -> dict[str, list[Part]]:
    """By folder the parts of those folders that are all there, and that have as many rows as their days; `days` are all
    current ones of these folders."""
    folders: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        folders[part.folder].append(part)
    return {
        key: some
        for key, some in folders.items()
        if len(some) == some[0].of_parts
        and sum(part.rows for part in some) == sum(day.rows for day in days if _holds(key, day))
    }


def _holds(key: str, day: Part) -> bool:
    """Whether a year or a month holds a day."""
    return day.folder.partition("=")[2].startswith(f"{key.partition('=')[2]}-")


def chosen(
    days: Sequence[Part],
    folders: Mapping[str, Sequence[Part]],
    *,
    symbols: int | None,
    mine: Collection[int],
) -> list[Part]:
    """The parts to read in the order of time: of `folders` those that are `mine`, and days that lie in none; for so many
    `symbols` (None: all, and all parts are mine)."""
    few = symbols is not None and symbols <= _FEW
    dated = [(part.folder.partition("=")[2], part) for part in days]
    for key in sorted(folders, key=len):  # a year comes before its months
        first = layout.days_of(layout.kind_of(key), key)[0].isoformat()
        inside = {day for day, part in dated if part.layer == "curated" and _holds(key, part)}
        if len(inside) < (LEAST_DAYS if few else _GOOD_PART[layout.kind_of(key)]):
            continue
        dated = [(day, part) for day, part in dated if day not in inside]
        dated += [(first, part) for part in folders[key] if symbols is None or part.part_id in mine]
    return [part for _, part in sorted(dated, key=lambda pair: pair[0])]
