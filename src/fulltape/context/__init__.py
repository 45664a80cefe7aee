"""The context of a node: its ledger, lake, calendars and configured datasets, as every stage receives them.

Belongs here: what several stages read and write of ledger and lake together. Does not belong here: what one stage decides.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fulltape import errors
from fulltape.calendars import tables
from fulltape.context import ownership
from fulltape.contract.plans import Limits
from fulltape.contract.vendor import Capability, Source, Vendor
from fulltape.lake import files
from fulltape.lake.layout import CAPTURE, Layout
from fulltape.ledger.ledger import Ledger
from fulltape.ledger.part import Layer
from fulltape.ledger.sqlite import Sqlite
from fulltape.market import ranges
from fulltape.market.dataset import Dataset
from fulltape.market.instruments import Instrument
from fulltape.market.ranges import Range, Ranges
from fulltape.market.sessions import Calendar
from fulltape.market.time import SECOND, Clock, Instant, utc_date
from fulltape.settings.rules import Rules
from fulltape.transport.http import Account

CALENDARS = "calendars"
"""The folder of a node's own session tables."""
LEDGER = "ledger.db"
BACKUPS = "backups"
"""The folder of the ledger's copies, in the node's folder."""
_LOOK_AGAIN = 0.2
"""Seconds between two tries for a lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredSource:
    """A source as this node uses it: what it serves, whose budget it spends, within which limits."""

    source: Source
    vendor: str
    limits: Limits
    history_from: dt.date | None
    preference: float = 1.0
    """Its weight in the score beside its cost."""

    def capability(self, dataset: str) -> Capability | None:
        """What it serves of a dataset, with the plan's history."""
        return self.source.of(dataset)

    def first_day(self, dataset: str, now: Instant) -> dt.date:
        """The first day that it serves of a dataset: the settings' word, else the plan's and the vendor's."""
        capability = self.source.of(dataset)
        assert capability is not None
        if self.history_from:
            return self.history_from
        reaches = [days for days in (self.limits.history_days, capability.history_days) if days]
        if not reaches:
            return capability.history_from
        # A day later than the plan says: it was counted when the request is answered, not when it is planned.
        rolling = utc_date(now) - dt.timedelta(days=min(reaches) - 1)
        return max(capability.history_from, rolling)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredDataset:
    """A dataset as this node wants it: which instruments, from which sources in order of preference, since and until when."""

    dataset: Dataset
    calendar: Calendar
    instruments: Mapping[str, Instrument]
    sources: Sequence[str]
    first: dt.date
    until: dt.date | None
    final_after: int
    """Microseconds after the close."""
    synthetic: bool = False
    live: Sequence[str] = ()
    """Sources that are captured live."""
    by_instrument: bool = False
    """Whether closed months and years are held a second time, by instrument."""
    recheck: tuple[int, ...] = ()
    """How long after a session is final each source is asked about it again, in microseconds."""
    unserved: bool = False
    """Whether no source has a history of it."""

    @property
    def live_only(self) -> bool:
        """Whether sessions are what was captured of them, since none of the sources has a history."""
        return self.dataset.live_only or self.unserved

    @property
    def every_source(self) -> tuple[str, ...]:
        """Sources of history in order of preference, then those that are only captured."""
        return tuple(dict.fromkeys((*self.sources, *self.live)))

    @property
    def title(self) -> str:
        """The dataset's name as people see it: made-up rows are called so."""
        return f"{self.dataset.name} (synthetic)" if self.synthetic else self.dataset.name

    def rows(self, span: Range) -> int:
        """Rows that the sessions of a span hold at most."""
        if self.dataset.grain == "minute":
            return self.calendar.expected_minutes_of(span)
        return math.ceil((self.dataset.rows_per_session or 1) * (span[1] - span[0]))

    def days(self, span: Range) -> tuple[dt.date, dt.date]:
        """The first and the last session of a span."""
        return self.calendar.label(span[0]), self.calendar.label(span[1] - 1)

    def final_at(self, position: int) -> Instant:
        """When the session at a position counts as final."""
        return self.calendar.sessions[position].close + self.final_after

    def final_until(self, now: Instant) -> int:
        """How many sessions of the calendar are final."""
        return self.calendar.closed_by(now - self.final_after)

    def spelled(self, instrument: str, symbol: str) -> Ranges:
        """Positions on which an instrument was known by a symbol; all where the instrument is not wanted any more."""
        calendar = self.calendar
        if instrument not in self.instruments:
            return ((0, len(calendar)),)
        return ranges.normalise(
            calendar.between(dated.first or calendar.known_from, dated.last or calendar.known_to)
            for dated in self.instruments[instrument].symbols
            if dated.symbol == symbol
        )

    def next_session(self, day: dt.date) -> dt.date:
        """The first session after a day; the next day beyond the calendar."""
        start, stop = self.calendar.between(day + dt.timedelta(days=1), self.calendar.known_to)
        return self.calendar.label(start) if start < stop else day + dt.timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeContext:
    """Everything that a stage may touch."""

    folder: Path
    ledger: Ledger
    layout: Layout
    wanted: Mapping[str, ConfiguredDataset]
    feeds: Mapping[str, ConfiguredSource]
    vendors: Mapping[str, Vendor]
    accounts: Mapping[str, Account]
    rules: Rules
    universes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Instruments by universe, of those that a dataset covers."""
    spellings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By source, how it writes symbols that it does not write by its vendor's own rule."""

    @property
    def capture_writer(self) -> str:
        """The name under which this node's messages are written."""
        return f"{self.rules.worker}{CAPTURE}"

    @contextlib.contextmanager
    def stage(self, name: str, clock: Clock, *, layer: Layer | None = None) -> Iterator[None]:
        """Hold the stage's lock while it runs; after an unclean end remove what it had begun to write of `layer`. Another
        process that holds it is waited for; `BusyError` where that takes longer than the rules allow."""
        with contextlib.ExitStack() as held:
            self._wait_for(name, clock, held)
            ownership.still(self.ledger, self.layout)
            clean = self.ledger.stage_started(name, clock.now())
            if layer and not clean:
                from fulltape.context import drafts

                drafts.sweep(self, layer)
            yield
            self.ledger.stage_finished(name, clock.now())
            if layer:
                ownership.note(self.ledger, self.layout)

    def _wait_for(self, name: str, clock: Clock, held: contextlib.ExitStack) -> None:
        until = clock.steady() + int(self.rules.lock_wait * SECOND)
        while True:
            try:
                held.enter_context(self.ledger.database.hold(name))
            except errors.BusyError:
                if clock.steady() >= until:
                    raise
                clock.sleep(_LOOK_AGAIN)
            else:
                return

    def close(self) -> None:
        """Let go of the ledger."""
        self.ledger.close()


def calendar(name: str, folder: Path | None = None) -> Calendar:
    """A calendar from the tables of a node in `folder`, or from package data."""
    return tables.load(name, folder / CALENDARS if folder else None)


def open_ledger(folder: Path, url: str = "", *, read_only: bool = False, untouched: bool = False) -> Ledger:
    """The ledger of the node in `folder`, created if there is none; `url` names one on PostgreSQL. Who opens it
    `read_only` changes nothing, and needs no right to; `untouched` (see `Sqlite`) not even the files beside it."""
    if not read_only:
        files.make_folder(folder)
    if url:
        from fulltape.ledger.postgres import Postgres

        return Ledger(Postgres(url, read_only=read_only))
    return Ledger(Sqlite(folder / LEDGER, read_only=read_only, untouched=untouched))


Progress = Callable[["Event"], None]


EventKind = Literal[
    "progress", "no_symbols", "no_room", "left", "removed", "would_remove", "damaged", "resuming", "backed_up",
    "started", "finished", "stopping", "unreachable", "trouble", "rate_limited", "waiting", "symbol_refused", "refused",
    "written", "kept_unproved",
]  # fmt: skip
"""What may happen in a stage; `terminal/sentences.py` has the words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What a stage tells observers. Of `progress`: how much of a unit is done of how much, with a total of 0 how much more.
    Of everything else: `fields`, in plain values without secrets."""

    stage: str
    kind: EventKind = "progress"
    done: int = 0
    total: int = 0
    unit: str = ""
    fields: Mapping[str, str | int | float] = field(default_factory=dict)


def silent(_: Event) -> None:
    """There is no observer."""
