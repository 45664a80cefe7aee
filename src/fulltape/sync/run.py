"""Sends what is new to each place of the settings."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fulltape import errors
from fulltape.context import BACKUPS, Event, NodeContext, Progress, silent
from fulltape.lake import compression, files
from fulltape.ledger.sent import SentFile
from fulltape.market.time import DAY, SECOND, Clock, utc_date
from fulltape.remote.index import LEDGER, IndexedFile, sends
from fulltape.sync import local, plan, sending
from fulltape.sync.place import KnownPlace, RemotePlace
from fulltape.sync.plan import LocalFile, SyncedPlace, SyncReport
from fulltape.sync.sending import Sending
from fulltape.sync.transfer import HaltedError, Throttle, Transfer

STAGE = "sync"
_INTERIM = 600 * SECOND
"""So often a long run writes an index of what is there by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """`targets`: places instead of those of the settings. `dry_run`: only say what would be sent. `anew`: begin where a place does not
    have what it should. `verify`: read everything back once more. `fresh`: send a new copy of the ledger whatever its age."""

    targets: tuple[str, ...] = ()
    dry_run: bool = False
    anew: bool = False
    verify: bool = False
    fresh: bool = False


def run_once(
    context: NodeContext,
    clock: Clock,
    progress: Progress = silent,
    *,
    options: SyncOptions | None = None,
    stop: threading.Event | None = None,
) -> SyncReport | None:
    """Send to one place after the other; what one of them refuses keeps no other one from it. None without a place."""
    options = options or SyncOptions()
    targets = options.targets or context.rules.sync.targets
    if not targets:
        return None
    stop = stop or threading.Event()
    places: list[SyncedPlace] = []
    failed: dict[str, str] = {}
    with context.stage(STAGE, clock), _ledger_copy(context) as copy:
        for target in targets:
            try:
                run = _Run(context, clock, progress, target, options, stop)
                places.append(run.sync(copy))
            except (errors.StorageError, errors.TransportError, errors.UsageError) as error:
                failed[target] = str(error)
            except HaltedError:
                failed[target] = "it was stopped; the next run goes on from there."
                break
    return SyncReport(places=tuple(places), failed=failed, dry_run=options.dry_run)


class _Run:
    """One place in one run."""

    def __init__(
        self,
        context: NodeContext,
        clock: Clock,
        progress: Progress,
        target: str,
        options: SyncOptions,
        stop: threading.Event,
    ) -> None:
        self._context, self._clock, self._progress = context, clock, progress
        self._options, self._rules = options, context.rules.sync
        self._place = RemotePlace(context, target)
        self._throttle = Throttle(self._rules.bandwidth, clock, stop)
        self._moving = Transfer(self._place.store, target, self._throttle)
        self._indexed_at = clock.steady()

    def sync(self, copy: Path) -> SyncedPlace:
        """Send what is new, prove it, write the index, and let the place forget what nothing needs."""
        options, rules = self._options, self._rules
        known = self._place.known(anew=options.anew, transfer=self._moving if options.verify else None)
        here, missing, left_out = self._here(known, copy)
        chosen = [file for file in here if sends(file.path, rules.include, rules.exclude)]
        missing = [path for path in missing if sends(path, rules.include, rules.exclude)]
        left_out += plan.unmatched([file.path for file in here], (*rules.include, *rules.exclude))
        work = Sending(known, self._moving, self._throttle)
        waiting = plan.in_order(file for file in chosen if not work.has(file))
        if options.dry_run:
            return SyncedPlace(
                target=self._place.target,
                sent=len(waiting),
                bytes=sum(file.bytes for file in waiting),
                kept=len(chosen) - len(waiting),
                lost=tuple(sorted(file.path for file in known.lost)),
                missing=tuple(missing),
                left_out=tuple(left_out),
            )
        self._place.store.tidy()
        self._send(waiting, work, known, chosen, missing)
        indexed = self._indexed(work, known, chosen, missing)
        older = self._place.write(indexed, 0, self._clock)
        removed = self._place.clear(known, indexed, older)
        self._note(indexed, chosen, known)
        there = {file.path for file in indexed}
        return SyncedPlace(
            target=self._place.target,
            sent=work.sent,
            bytes=work.bytes,
            kept=sum(not file.gone for file in indexed) - work.sent,
            removed=removed,
            lost=tuple(sorted(file.path for file in known.lost if file.path not in there)),
            damaged=tuple(sorted(work.damaged)),
            missing=tuple(missing),
            left_out=tuple(left_out),
        )

    def _here(self, known: KnownPlace, copy: Path) -> tuple[list[LocalFile], list[str], list[str]]:
        """The node's files; those that count and are not here; settings that lie elsewhere."""
        noted = known.noted.get(LEDGER)
        proved = known.proved.get(LEDGER)
        due = (
            self._options.fresh
            or proved is None
            or noted is None
            or noted.proved_at + self._rules.ledger <= self._clock.now()
        )
        settings, outside = local.of_settings(self._context) if self._rules.settings else ([], [])
        # Before the catalogue is read: every part that the copy knows is in it, unless it has gone since.
        ledger = [self._copied(copy)] if due and not self._options.dry_run else []
        lake, missing = local.of_lake(self._context)
        if not due and noted:
            ledger = [
                LocalFile(
                    path=LEDGER, place="", bytes=noted.bytes, modified=noted.modified, sha256=noted.sha256
                )
            ]
        return [*settings, *ledger, *lake], missing, outside

    def _copied(self, copy: Path) -> LocalFile:
        """A copy of the ledger of this moment; one for all places of a run."""
        if not copy.exists():
            plain = copy.with_suffix("")
            self._context.ledger.back_up(plain)
            with plain.open("rb") as source, compression.opened(copy) as target:
                while piece := source.read(1 << 20):
                    target.write(piece)
            plain.unlink()
        state = copy.stat()
        return LocalFile(path=LEDGER, place=str(copy), bytes=state.st_size, modified=state.st_mtime_ns)

    def _send(
        self,
        waiting: list[LocalFile],
        work: Sending,
        known: KnownPlace,
        chosen: list[LocalFile],
        missing: list[str],
    ) -> None:
        done = 0

        def note(file: LocalFile, there: IndexedFile) -> None:
            nonlocal done
            done += 1
            with self._context.ledger.write():
                self._context.ledger.sent.note(
                    self._place.target, [sending.noted(file, there, self._clock.now())]
                )
            self._progress(Event(stage=STAGE, done=done, total=len(waiting), unit="files"))
            if self._clock.steady() - self._indexed_at >= _INTERIM:
                self._place.write(
                    self._indexed(work, known, chosen, missing), len(waiting) - done, self._clock
                )
                self._indexed_at = self._clock.steady()

        work.run(waiting, note)

    def _indexed(
        self, work: Sending, known: KnownPlace, chosen: list[LocalFile], missing: list[str]
    ) -> list[IndexedFile]:
        """What the index lists: what is here and there, and what the place keeps of what is here no more."""
        proved = plan.whole_bundles(chosen, work.proved, known.before)
        here = {file.path: proved[file.path] for file in chosen if file.path in proved}
        damaged = {*missing, *work.damaged}
        gone = plan.gone(
            [file for file in known.before if file.path not in here],
            [file.path for file in chosen if file.path not in damaged],
            damaged,
            utc_date(self._clock.now()),
            self._rules.keep // DAY,
        )
        return [*here.values(), *gone]

    def _note(self, indexed: list[IndexedFile], chosen: list[LocalFile], known: KnownPlace) -> None:
        """Let the ledger know what lies there now."""
        here = {file.path: file for file in chosen}
        now, ledger = self._clock.now(), self._context.ledger
        before = dict(known.noted)
        there = [file for file in indexed if file.path in here and not file.gone]
        fresh = [
            sending.noted(here[file.path], file, _since(before.get(file.path), file, now)) for file in there
        ]
        with ledger.write():
            ledger.sent.note(self._place.target, [file for file in fresh if before.get(file.path) != file])
            ledger.sent.forget(self._place.target, set(before) - {file.path for file in fresh})


def _since(before: SentFile | None, file: IndexedFile, now: int) -> int:
    """When a file was proved there."""
    return before.proved_at if before and before.sha256 == file.sha256 else now


@contextlib.contextmanager
def _ledger_copy(context: NodeContext) -> Iterator[Path]:
    """Where the run may write a copy of the ledger; it goes with the run."""
    folder = context.folder / BACKUPS
    files.make_folder(folder)
    path = folder / f"{files.TEMPORARY}sync.db.zst"
    path.unlink(missing_ok=True)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        path.with_suffix("").unlink(missing_ok=True)
