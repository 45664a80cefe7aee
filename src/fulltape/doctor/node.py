"""The node: its settings, calendars, ledger, files, copies and service."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

from fulltape import errors
from fulltape.clock import SystemClock
from fulltape.context import BACKUPS, NodeContext
from fulltape.contract.vendor import Outcome
from fulltape.doctor import machine
from fulltape.doctor.diagnosis import Diagnosis, failure, ok, warning
from fulltape.ledger import backup
from fulltape.ledger.part import Layer
from fulltape.market.time import Clock, utc_date
from fulltape.node import assemble, selftest
from fulltape.service import shown, unit, web_process
from fulltape.settings import load
from fulltape.settings.load import Loaded
from fulltape.views import state

_OLD_COPY = dt.timedelta(days=2)
_SHOWN = 3


def look(folder: Path, *, asking: bool = False) -> Iterator[Diagnosis]:
    """Every check, one after the other; `asking`: also whether the vendors take their keys, by a smallest request each."""
    yield machine.time_of_day()
    yield machine.memory()
    yield _settings(folder)
    try:
        loaded = load.load(folder, asking=False)
    except errors.FulltapeError:
        return
    lake = loaded.folder / loaded.values.node.lake
    yield machine.room(lake, loaded.values.node.min_free)
    yield machine.inodes(lake)
    yield machine.local(loaded.folder, "node")
    yield machine.syncing(loaded.folder)
    yield from machine.rights(loaded.folder, [loaded.folder / unit.SECRETS, *load.secret_files(folder)])
    yield from _of_service(loaded)
    yield from _of_ledger(loaded, asking=asking)


def _settings(folder: Path) -> Diagnosis:
    """Whether the file can work, with every key that it names."""
    try:
        loaded = load.load(folder)
        assemble.check(loaded)
    except errors.FulltapeError as error:
        return failure(
            "settings", error.message, error.hint or "Mend the file; fulltape config check looks at it alone."
        )
    return ok("settings", f"good, with keys for {', '.join(loaded.values.vendor) or 'no vendor'}")


def _of_service(loaded: Loaded) -> Iterator[Diagnosis]:
    now = SystemClock().now()
    service = shown.read(loaded.folder)
    if service is None or not shown.alive(service, now):
        yield warning(
            "service",
            "it does not run",
            "fulltape run starts it; without it, fulltape nightly does the work once.",
        )
        web = loaded.values.web
        if web.enabled and (problem := web_process.unusable(web.host, web.port)):
            yield warning(
                "web", problem, "Set [web] host and port to an address of this machine that is free."
            )
        return
    yield ok("service", f"runs, process {service.process}")
    for condition in service.conditions:
        yield warning("service", condition.title, condition.text)


def _of_ledger(loaded: Loaded, *, asking: bool) -> Iterator[Diagnosis]:
    try:
        context = assemble.open_context(loaded, asking=False)
    except errors.FulltapeError as error:
        yield failure("ledger", error.message, error.hint)
        return
    try:
        clock = SystemClock(context.ledger.boots.anchor)
        yield _pages(context)
        yield _files(context)
        yield _copies(context, clock)
        yield from _calendars(context, clock)
    finally:
        context.close()
    if asking:
        yield from _vendors(loaded)


def _pages(context: NodeContext) -> Diagnosis:
    """Whether the database itself is whole."""
    if faults := context.ledger.database.faults():
        return failure(
            "ledger",
            f"its pages are damaged: {faults[0]}",
            "fulltape ledger restore backups/… brings a copy back.",
        )
    return ok("ledger", f"{context.ledger.database.where}: its pages are whole")


def _files(context: NodeContext) -> Diagnosis:
    """Whether every file that the ledger knows is there, with its size. What they hold is for `verify`."""
    gone, known = [], 0
    layers: tuple[Layer, ...] = ("raw", "curated")
    for layer in layers:
        for part in context.ledger.catalogue.all_current(layer):
            known += 1
            path = context.layout.root / part.path
            if not path.is_file() or path.stat().st_size != part.bytes:
                gone.append(part.path)
    damaged = context.ledger.damages.all()
    cure = "fulltape verify --repair mends what can be mended, and fetches the rest again."
    if gone:
        names = ", ".join(gone[:_SHOWN]) + (f" and {len(gone) - _SHOWN:,} more" if len(gone) > _SHOWN else "")
        return failure("files", f"{len(gone):,} of {known:,} are not there, or not whole: {names}", cure)
    if damaged:
        return warning("files", f"{len(damaged):,} were found damaged and are not healed yet", cure)
    return ok("files", f"{known:,}, each there with its size (fulltape verify reads them)")


def _copies(context: NodeContext, clock: Clock) -> Diagnosis:
    """Whether there is a copy of the ledger, not too old, that can be restored: it is restored for trial."""
    folder = context.folder / BACKUPS
    cure = "fulltape ledger backup writes one; a night, or fulltape schedule run backup, does so by itself."
    newest = backup.newest(folder)
    if newest is None:
        known = context.ledger.knows_anything
        return (
            warning("copies", "there is no copy of the ledger", cure)
            if known
            else ok("copies", "none yet, and nothing to copy")
        )
    if reason := backup.tried(newest):
        return failure("copies", f"{newest.name} cannot be restored: {reason}", "Remove it; " + cure)
    age = utc_date(clock.now()) - dt.date.fromisoformat(newest.stem.removeprefix("ledger-"))
    if age > _OLD_COPY:
        return warning("copies", f"the newest, {newest.name}, is {age.days} days old", cure)
    return ok("copies", f"{newest.name}: restored for trial")


def _calendars(context: NodeContext, clock: Clock) -> Iterator[Diagnosis]:
    sentences = state.horizons(context, clock.now())
    over = state.beyond(context, clock.now())
    make: Callable[[str, str, str], Diagnosis] = failure if over else warning
    for sentence in sentences:
        yield make(
            "calendars", sentence, "A newer fulltape knows more; fulltape calendars refresh builds one."
        )
    if not sentences:
        yield ok(
            "calendars",
            f"{', '.join(sorted({wanted.calendar.name for wanted in context.wanted.values()}))} reach far enough",
        )


def _vendors(loaded: Loaded) -> Iterator[Diagnosis]:
    """Ask every vendor for the smallest span of each dataset."""
    wanted = {
        (source, name)
        for name, settings in loaded.values.dataset.items()
        for source in (*settings.sources, *settings.live)
    }
    for vendor in loaded.values.vendor:
        try:
            context = assemble.open_for(load.load(loaded.folder), vendor)
        except errors.FulltapeError as error:
            yield failure(vendor, error.message, error.hint)
            continue
        try:
            results = list(selftest.run(context, vendor, SystemClock(context.ledger.boots.anchor)))
        finally:
            context.close()
        # What a plan does not have matters only where the node wants it.
        mine = [
            result
            for result in results
            if (result.source, result.dataset) in wanted or result.outcome == Outcome.BAD_CREDENTIALS.value
        ]
        wrong = [result for result in mine if result.outcome not in (Outcome.ROWS.value, Outcome.EMPTY.value)]
        if not wrong:
            yield ok(
                vendor,
                f"answers for {', '.join(sorted({result.dataset for result in mine})) or 'nothing that is wanted'}",
            )
        for result in wrong:
            text = f"{result.source} {result.dataset}: {result.outcome.replace('_', ' ')} ({result.reason})"
            yield failure(vendor, text, f"fulltape vendors check {vendor} says more.")
