"""Steady time of each boot of a machine, shared by its processes, and how far it is ahead of UTC."""

from __future__ import annotations

import datetime as dt
import socket
import zoneinfo

from fulltape.ledger.database import Database, Row
from fulltape.market.time import SECOND, Instant, from_datetime, to_datetime

_DAY = 86_400 * SECOND


class Boots:
    """Steady time of each boot of a machine, shared by its processes, and how far it is ahead of UTC."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._boot = ""

    @property
    def _ahead(self) -> int:
        """How far steady time is ahead of UTC: asked each time, since another process may have learned it meanwhile."""
        row = self._anchored(self._boot) if self._boot else None
        return int(row["ahead_us"]) if row else 0

    def day_ends(self, now: Instant, zone: str) -> Instant:
        """When the day of a zone ends, in steady time, which may be ahead of UTC (see `anchor`)."""
        ahead = self._ahead
        local = to_datetime(now - ahead).astimezone(zoneinfo.ZoneInfo(zone))
        following = (local + dt.timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return from_datetime(following) + ahead

    def anchor(self, boot: str, offset: int, *, since_boot: int, synchronised: bool) -> int:
        """The offset (µs) from the time since boot to UTC that all processes of one boot count with.

        The first process of a boot brings it; later ones take it, whatever their wall clock says by then. It never puts
        steady time before what was sent last. A boot that began with a wrong clock, as machines without a battery do, is
        anchored anew once its time is `synchronised`; what was counted and is waited for moves with it. Where the clock was
        ahead, steady time stays ahead, since it must not step back under what runs; only days end by the true time.
        """
        row = self._anchored(boot)
        if not row or (synchronised and not row["synchronised"]):
            with self._database.write():
                self._database.lock("clock")
                row = self._anchored(boot)
                if not row or not row["synchronised"]:
                    row = self._anchor(row, boot, offset, since_boot=since_boot, synchronised=synchronised)
        self._boot = boot
        return int(row["offset_us"])

    def _anchor(
        self, row: Row | None, boot: str, measured: int, *, since_boot: int, synchronised: bool
    ) -> Row:
        before = int(row["offset_us"]) if row else None
        least = int(self._database.value("newest_send") or 0) - since_boot if before is None else before
        offset = max(measured, least)
        ahead = offset - measured if synchronised else 0
        if before is not None and offset > before:
            self._move(offset - before, since=before, now=before + since_boot)
        elif synchronised:
            # Days that were counted by a wrong midnight end later, never too early; once for each such clock.
            host = f"clock ahead {socket.gethostname()}"
            known = int(self._database.value("identity", name=host) or 0)
            if ahead > known:
                self._database.run("move_days", by=(ahead - known) % _DAY, now=offset + since_boot)
            self._database.run("set_identity", name=host, value=str(ahead))
        self._database.run(
            "set_clock", boot=boot, offset_us=offset, synchronised=int(synchronised), ahead_us=ahead
        )
        return {"offset_us": offset, "ahead_us": ahead}

    def _anchored(self, boot: str) -> Row | None:
        rows = self._database.run("clock", boot=boot)
        return rows[0] if rows else None

    def _move(self, by: int, *, since: Instant, now: Instant) -> None:
        """Steady time jumps: what was sent since the boot was sent later than it seemed, and waits last as long as they
        would have."""
        self._database.run("move_sends", by=by, since=since)
        self._database.run("moved_sends")
        self._database.run("move_identical", by=by, since=since)
        for name in ("move_closures", "move_in_flight", "move_breakers"):
            self._database.run(name, by=by, now=now)
        # A day ends at a midnight: at the next one, or the one after, never too early.
        self._database.run("move_days", by=-(-by // _DAY) * _DAY, now=now)
