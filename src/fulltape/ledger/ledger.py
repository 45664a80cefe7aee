"""The ledger as stages receive it: one database and its rooms."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fulltape.ledger import backup
from fulltape.ledger.acceptances import Acceptances
from fulltape.ledger.boots import Boots
from fulltape.ledger.breakers import Breakers
from fulltape.ledger.budgets import Budgets
from fulltape.ledger.captures import Captures
from fulltape.ledger.catalogue import Catalogue
from fulltape.ledger.changes import Changes
from fulltape.ledger.consumers import Consumers
from fulltape.ledger.coverage import Coverage
from fulltape.ledger.damages import Damages
from fulltape.ledger.database import Database, Row
from fulltape.ledger.eligibility import Eligibility, Requests
from fulltape.ledger.intents import Intents
from fulltape.ledger.intervals import Intervals
from fulltape.ledger.queue import Queue
from fulltape.ledger.reference import Reference
from fulltape.ledger.repairs import Repairs
from fulltape.ledger.restatements import Restatements
from fulltape.ledger.sent import SentFiles
from fulltape.ledger.streams import Streams
from fulltape.ledger.tasks import Tasks
from fulltape.ledger.touched import Touched
from fulltape.ledger.verdicts import Verdicts
from fulltape.market.time import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Bytes that were kept because they could not be taken as data; `path` relative to the lake."""

    fetch_id: str
    page: int
    source: str
    reason: str
    rows: int
    path: str


class Ledger:
    """What the node knows. `with ledger.write():` makes everything inside one transaction."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.catalogue = Catalogue(self.database)
        self.intents = Intents(self.database)
        self.damages = Damages(self.database)
        self.changes = Changes(self.database)
        self.touched = Touched(self.database)
        self.coverage = Coverage(self.database, self.changes, self.touched)
        self.verdicts = Verdicts(self.database, self.changes)
        self.acceptances = Acceptances(self.database)
        self.tasks = Tasks(self.database)
        self.queue = Queue(self.database)
        self.boots = Boots(self.database)
        self.budgets = Budgets(self.database, self.boots)
        self.eligibility = Eligibility(self.database)
        self.requests = Requests(self.database)
        self.breakers = Breakers(self.database)
        self.reference = Reference(self.database)
        self.streams = Streams(self.database)
        self.consumers = Consumers(self.database)
        self.captures = Captures(self.database)
        self.intervals = Intervals(self.database)
        self.restatements = Restatements(self.database)
        self.repairs = Repairs(self.database)
        self.sent = SentFiles(self.database)

    @contextlib.contextmanager
    def write(self) -> Iterator[None]:
        """A transaction; nested ones join it."""
        with self.database.write():
            yield

    def back_up(self, path: Path) -> None:
        """Write a copy of this moment to a new SQLite file."""
        backup.write(self.database, path)

    def back_up_daily(self, folder: Path, day: str) -> bool:
        """Write the day's copy into a folder if there is none, and keep the newest seven."""
        return backup.daily(self.database, folder, day)

    def restore(self, path: Path) -> None:
        """Become what a backup was."""
        backup.restore(self.database, path)

    def close(self) -> None:
        """Let go of the file."""
        self.database.close()

    def bookmark(self, stage: str, log: str) -> int:
        """How far a stage has read a log; 0 at the beginning."""
        return int(self.database.value("bookmark", stage=stage, log=log) or 0)

    def bookmarks(self, stage: str) -> list[str]:
        """The logs of which a stage has a bookmark."""
        return [row["log"] for row in self.database.run("bookmarks_of_stage", stage=stage)]

    def set_bookmark(self, stage: str, log: str, position: int) -> None:
        """Move a bookmark, inside a transaction."""
        self.database.run("set_bookmark", stage=stage, log=log, position=position)

    def drop_bookmark(self, stage: str, log: str) -> None:
        """Forget a bookmark whose log is gone, inside a transaction."""
        self.database.run("drop_bookmark", stage=stage, log=log)

    def stage_started(self, stage: str, now: Instant) -> bool:
        """Note that a stage runs; returns whether its last run ended cleanly."""
        with self.write():
            before = self.database.run("stage_run", stage=stage)
            self.database.run("stage_started", stage=stage, now=now)
        return not before or before[0]["finished_at"] is not None

    def stage_finished(self, stage: str, now: Instant) -> None:
        """Note that a stage ended cleanly."""
        with self.write():
            self.database.run("stage_finished", stage=stage, now=now)

    def identity(self, name: str) -> str:
        """A fact about the node itself, such as its id; '' unknown."""
        return str(self.database.value("identity", name=name) or "")

    def set_identity(self, name: str, value: str) -> None:
        """Note a fact about the node itself, inside a transaction."""
        self.database.run("set_identity", name=name, value=value)

    @property
    def knows_anything(self) -> bool:
        """Whether anything was ever asked for, captured or registered."""
        return bool(self.database.value("knows_anything"))

    def reject(self, rejection: Rejection, *, now: Instant) -> None:
        """Count bytes that were kept under `rejected/`, inside a transaction."""
        self.database.run(
            "record_rejection",
            fetch_id=rejection.fetch_id,
            page=rejection.page,
            source=rejection.source,
            reason=rejection.reason,
            row_count=rejection.rows,
            path=rejection.path,
            at=now,
        )

    def rejections(self) -> list[Row]:
        """Rejected pages by source and reason."""
        return self.database.run("rejections_by_source")

    def export_of(self, day: str) -> Row | None:
        """The export recorded for a day."""
        rows = self.database.run("export_of", day=day)
        return rows[0] if rows else None

    def exports(self) -> list[Row]:
        """Every export, by day."""
        return self.database.run("exports")

    def forget_export(self, day: str) -> None:
        """The bundle of a day counts no more, inside a transaction."""
        self.database.run("forget_export", day=day)

    def rejected_paths(self) -> set[str]:
        """Where all rejected bytes are kept, relative to the lake."""
        return {row["path"] for row in self.database.run("rejected_paths")}

    def forget_rejected(self, path: str) -> None:
        """Rejected bytes are kept no more; that they were rejected stays, inside a transaction."""
        self.database.run("forget_rejected", path=path)

    def newest_export(self) -> Row | None:
        """The newest export."""
        rows = self.database.run("newest_export")
        return rows[0] if rows else None

    def record_export(self, *, day: str, path: str, digest: str, at: Instant) -> None:
        """Note an export, inside a transaction."""
        self.database.run("record_export", day=day, path=path, digest=digest, at=at)
