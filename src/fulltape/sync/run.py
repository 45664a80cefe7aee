"""Sends what is new to each place of the settings."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from fulltape import errors
from fulltape.context import BACKUPS, Event, NodeContext, Progress, silent
from fulltape.lake import compression, files
from fulltape.ledger.sent import SentFile
from fulltape.market.time import DAY, SECOND, Clock, utc_date
from fulltape.remote import address
from fulltape.remote.index import LEDGER, IndexedFile, sends
from fulltape.sync import local, plan, sending
from fulltape.sync.place import KnownPlace, RemotePlace
from fulltape.sync.plan import ChosenFiles, LocalFile, SyncedPlace, SyncReport
from fulltape.sync.sending import Sending
from fulltape.sync.transfer import HaltedError, Throttle, Transfer

STAGE = "sync"
_PASSES = 3
"""So often the node's files are looked at, where some of them are changed while they are sent."""
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
    for target in targets:
        address.objects(target)  # what is no address is said before anything is sent
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
        options = self._options
        known = self._place.known(self._moving, anew=options.anew, verify=options.verify)
        work = Sending(known, self._moving, self._throttle)
        here = self._here(known, copy)
        waiting = plan.in_order(file for file in here.chosen if not work.has(file))
        if options.dry_run:
            return self._dry(known, here, waiting)
        self._place.claim()
        self._place.store.tidy()
        for _ in range(_PASSES):
            work.changed.clear()
            self._send(waiting, work, known, here)
            if not work.changed:
                break
            here = self._here(known, copy)
            waiting = plan.in_order(file for file in here.chosen if not work.has(file))
        indexed = self._indexed(work, known, here)
        self._place.write(indexed, len(work.changed), self._clock)
        self._note(indexed, here.chosen, known)
        removed = self._place.clear(known, indexed)
        there = {file.path for file in indexed if not file.doubted}
        return SyncedPlace(
            target=self._place.target,
            sent=work.sent,
            bytes=work.bytes,
            kept=sum(not (file.gone or file.doubted) for file in indexed) - work.sent,
            removed=removed,
            lost=tuple(sorted({file.path for file in known.lost} - there)),
            damaged=tuple(sorted(set(work.damaged))),
            missing=here.missing,
            changed=tuple(sorted(work.changed)),
            left_out=here.left_out,
        )

    def _dry(self, known: KnownPlace, here: ChosenFiles, waiting: list[LocalFile]) -> SyncedPlace:
        """What would be sent: of what has the content of a part only the part."""
        parts = {file.sha256 for file in here.chosen if file.named}
        waiting = [file for file in waiting if file.named or file.sha256 not in parts]
        return SyncedPlace(
            target=self._place.target,
            sent=len(waiting),
            bytes=sum(file.bytes for file in waiting),
            kept=len(here.chosen) - len(waiting),
            lost=tuple(sorted(file.path for file in known.lost)),
            missing=here.missing,
            left_out=here.left_out,
        )

    def _here(self, known: KnownPlace, copy: Path) -> ChosenFiles:
        """The node's files that are sent."""
        context, rules = self._context, self._rules
        settings, outside = local.of_settings(context) if rules.settings else ([], [])
        # Before the catalogue is read: every part that the copy knows is in it, unless it has gone since.
        ledger = self._ledger(known, copy)
        lake, missing = local.of_lake(context, [file.path for file in known.before])
        everything = [*settings, *ledger, *lake]
        chosen = plan.sent(everything, rules.include, rules.exclude)
        patterns = plan.unmatched([file.path for file in lake], (*rules.include, *rules.exclude))
        return ChosenFiles(
            chosen=tuple(chosen),
            missing=tuple(path for path in missing if sends(path, rules.include, rules.exclude)),
            left_out=(*outside, *patterns),
        )

    def _ledger(self, known: KnownPlace, copy: Path) -> list[LocalFile]:
        """The copy of the ledger: a new one, or that which is there as long as it is young enough."""
        noted, proved = known.noted.get(LEDGER), known.proved.get(LEDGER)
        now = self._clock.now()
        if (
            not self._options.fresh
            and noted is not None
            and proved is not None
            and noted.sha256 == proved.sha256
            and noted.proved_at <= now < noted.proved_at + self._rules.ledger
        ):
            return [
                LocalFile(
                    path=LEDGER, place="", bytes=noted.bytes, modified=noted.modified, sha256=noted.sha256
                )
            ]
        return [] if self._options.dry_run else [self._copied(copy)]

    def _copied(self, copy: Path) -> LocalFile:
        """A copy of the ledger of this moment; one for all places of a run."""
        if not copy.exists():
            plain = copy.with_suffix("")
            with files.cleared(copy):
                self._context.ledger.back_up(plain)
                with plain.open("rb") as source, compression.opened(copy) as target:
                    while piece := source.read(1 << 20):
                        target.write(piece)
            plain.unlink()
        state = copy.stat()
        return LocalFile(path=LEDGER, place=str(copy), bytes=state.st_size, modified=state.st_mtime_ns)

    def _send(self, waiting: list[LocalFile], work: Sending, known: KnownPlace, here: ChosenFiles) -> None:
        done = 0

        def note(file: LocalFile, there: IndexedFile) -> None:
            nonlocal done
            done += 1
            with self._context.ledger.write():
                self._context.ledger.sent.note(
                    self._place.target, [sending.noted(file, there, self._clock.now(), indexed=False)]
                )
            self._progress(Event(stage=STAGE, done=done, total=len(waiting), unit="files"))
            if self._clock.steady() - self._indexed_at >= _INTERIM:
                self._place.write(self._indexed(work, known, here), len(waiting) - done, self._clock)
                self._indexed_at = self._clock.steady()

        work.run(waiting, note)

    def _indexed(self, work: Sending, known: KnownPlace, here: ChosenFiles) -> list[IndexedFile]:
        """What the index lists: what is here and there, and what the place keeps of what is here no more."""
        unsound = {*work.damaged, *work.changed}
        proved = plan.whole_bundles(here.chosen, work.proved, unsound, known.before)
        both = {file.path: proved[file.path] for file in here.chosen if file.path in proved}
        lost = [replace(file, doubted=True) for file in known.lost]
        kept = plan.gone(
            [file for file in (*known.before, *lost) if file.path not in both],
            [],
            {*here.missing, *(file.path for file in here.chosen)},
            utc_date(self._clock.now()),
            self._rules.keep // DAY,
        )
        return [*both.values(), *kept]

    def _note(self, indexed: list[IndexedFile], chosen: Sequence[LocalFile], known: KnownPlace) -> None:
        """Let the ledger know what the index has now."""
        here = {file.path: file for file in chosen}
        now, ledger, before = self._clock.now(), self._context.ledger, known.noted
        fresh = [
            sending.noted(here[file.path], file, _since(before.get(file.path), file, now), indexed=True)
            for file in indexed
            if file.path in here and not (file.gone or file.doubted)
        ]
        # What should be here and is not lies there all the same.
        fresh += [
            dataclasses.replace(before[file.path], indexed=True)
            for file in indexed
            if file.path not in here and not file.gone and file.path in before
        ]
        with ledger.write():
            ledger.sent.note(self._place.target, [file for file in fresh if before.get(file.path) != file])
            now_there = ledger.sent.at(self._place.target)
            ledger.sent.forget(self._place.target, set(now_there) - {file.path for file in fresh})


def _since(before: SentFile | None, file: IndexedFile, now: int) -> int:
    """When a file was proved there."""
    return min(before.proved_at, now) if before and before.sha256 == file.sha256 else now


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
