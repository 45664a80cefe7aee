"""How much room a disk has, and for how long it will do."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Tier = Literal["enough", "low", "least"]
_LEAST_BYTES, _LEAST_SHARE, _MOST_BYTES = 2_000_000_000, 0.05, 50_000_000_000
_FLOOR = 4
"""With less than this part of the wanted room nights stop, so that live capture can go on."""
_GB = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Bytes that are free on a disk, of `total`, and that should be; `grown` were added in the last `days`."""

    free: int
    total: int
    wanted: int
    grown: int = 0
    days: float = 0.0

    @property
    def tier(self) -> Tier:
        """Whether there is enough; `low`: nothing more is fetched; `least`: there is room for live capture only."""
        if self.free >= self.wanted:
            return "enough"
        return "low" if self.free >= self.wanted // _FLOOR else "least"

    @property
    def days_left(self) -> float | None:
        """In how many days it will be low if the lake grows on as in these days; None where it is not known to grow."""
        if self.days < 1 or self.grown <= 0:
            return None
        return max(0.0, self.free - self.wanted) / (self.grown / self.days)

    def fields(self) -> dict[str, object]:
        """For programs."""
        return {name: getattr(self, name) for name in ("free", "total", "wanted", "tier", "days_left")}

    @property
    def sentence(self) -> str:
        """The same for people."""
        space = f"{self.free / _GB:,.1f} of {self.total / _GB:,.1f} GB free"
        if self.tier == "low":
            return f"{space}, less than node.min_free ({self.wanted / _GB:,.1f} GB): nothing more is fetched"
        if self.tier == "least":
            return f"{space}, less than a quarter of node.min_free ({self.wanted / _GB:,.1f} GB): nights stop, live capture goes on"
        if self.days_left is None or self.days_left > 3_650:
            return space
        per_day = self.grown / self.days / _GB
        return f"{space}; at {per_day:,.2f} GB a day it is low in {self.days_left:,.0f} days"


def measured(place: Path, wanted: int | None) -> Room:
    """The room on the disk of a folder, which may not be there yet; `wanted` None: 5 % of the disk, from 2 to 50 GB."""
    while not place.exists():
        place = place.parent
    usage = shutil.disk_usage(place)
    if wanted is None:
        wanted = min(max(_LEAST_BYTES, int(usage.total * _LEAST_SHARE)), _MOST_BYTES)
    return Room(free=usage.free, total=usage.total, wanted=wanted)
