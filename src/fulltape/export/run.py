"""Writes the nightly bundle: curated files, cells, sessions, instruments, manifest, checksums."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import msgspec
import polars as pl

from fulltape.bundle import checksums, manifest, signature
from fulltape.bundle import layout as bundle_layout
from fulltape.bundle.manifest import MANIFEST, BundleFile
from fulltape.context import ConfiguredDataset, Event, NodeContext, Progress, damage, known, silent
from fulltape.context.jobs import StageReport
from fulltape.coverage.cell import Verdict
from fulltape.export import certificate, manifests, notes, plan, prices, readable, status
from fulltape.export.plan import CellKnowledge, Included
from fulltape.export.readable import Readable
from fulltape.lake import files, layout, parquet
from fulltape.market import reference
from fulltape.market.instruments import Instrument
from fulltape.market.time import Clock, Instant
from fulltape.schedule.rules import Trigger
from fulltape.version import VERSION

STAGE = "export"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport(StageReport):
    """The bundle, whether it was written now, and the cells in it by availability and verdict."""

    path: str
    written: bool = False
    files: int = 0
    rows: int = 0
    bytes: int = 0
    held_out: int = 0
    cells: dict[str, int] = field(default_factory=dict)
    verdicts: dict[str, int] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()
    """Files that do not have the content that the ledger recorded: because of them nothing was written."""

    @property
    def complete(self) -> bool:
        """Whether the bundle is there, and nothing in it is RED."""
        return not (self.damaged or self.verdicts.get("RED"))

    @property
    def whole(self) -> bool:
        """See `StageReport`."""
        judged = self.verdicts.get("GREEN", 0) + self.verdicts.get("AMBER", 0)
        lacking = any(self.cells.get(state) for state in plan.LACKING)
        return self.complete and not lacking and judged >= self.cells.get("held", 0)

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """See `StageReport`."""
        return ("damaged",) if self.damaged else ()


def run_once(context: NodeContext, clock: Clock, progress: Progress = silent) -> ExportReport | None:
    """Write the bundle of the newest final session, unless an equal one is there; None while nothing is curated."""
    with context.stage(STAGE, clock):
        day = _day(context, clock.now())
        included = _included(context, clock.now())
        if day is None or not included:
            return None
        path = context.layout.bundle(day)
        if damaged := _withdrawn(context) or notes.damaged(context, clock.now()):
            return _nothing(path, damaged)
        gathered = status.gather(context, clock.now())
        needed = readable.gather(context, clock.now())
        recipe = plan.digest(included, _inputs(context, gathered, needed, day, clock.now()))
        earlier = context.ledger.export_of(day.isoformat())
        fresh = earlier is None or earlier["digest"] != recipe or not _whole(context, path, recipe, included)
        if fresh:
            damaged = _unsound(context, clock.now()) or _damaged(context, included, clock.now())
            if damaged:
                return _nothing(path, damaged)
            _write(context, path, included, gathered, needed, recipe, clock.now(), progress)
            with context.ledger.write():
                context.ledger.record_export(
                    day=day.isoformat(), path=context.layout.relative(path), digest=recipe, at=clock.now()
                )
        described = manifest.read(path)
        return ExportReport(
            path=str(path),
            written=fresh,
            files=len(described.files),
            rows=described.rows,
            bytes=sum(file.bytes for file in described.files),
            held_out=described.held_out_rows,
            cells=described.cells,
            verdicts=described.verdicts,
        )


def _withdrawn(context: NodeContext) -> tuple[str, ...]:
    """Which damaged files are still to be curated anew: without their rows a bundle would seem whole."""
    damages = context.ledger.damages
    return tuple(
        file.path
        for file in damages.all()
        if file.layer == "curated"
        and file.dataset in context.wanted
        and PurePosixPath(file.path).parent.name in damages.to_redo("curate", file.dataset)
    )


def _damaged(context: NodeContext, included: list[Included], now: Instant) -> tuple[str, ...]:
    """Which of these files are not what the ledger recorded; they are withdrawn, to be made again."""
    parts = [part for file in included if (part := context.ledger.catalogue.by_path(file.path))]
    sound = {part.path for part in damage.sound(context, parts, now)}
    return tuple(part.path for part in parts if part.path not in sound)


def _nothing(path: Path, damaged: tuple[str, ...]) -> ExportReport:
    return ExportReport(path=str(path), damaged=damaged)


def _unsound(context: NodeContext, now: Instant) -> tuple[str, ...]:
    """Which files of what was checked, or of what actions and published values follow from, are not what the ledger recorded; they are withdrawn, to be
    made again."""
    parts = [part for name in context.wanted for part in context.ledger.catalogue.current("qc", name)]
    parts += [*prices.parts(context), *readable.parts(context)]
    sound = {part.path for part in damage.sound(context, parts, now)}
    return tuple(part.path for part in parts if part.path not in sound)


def _whole(context: NodeContext, path: Path, recipe: str, included: list[Included]) -> bool:
    """Whether a bundle was made of just this, and its files have the content that its manifest lists. A file that is a link to
    one of the lake is verified there."""
    try:
        body = (path / MANIFEST).read_bytes()
        sums = checksums.parsed((path / checksums.SUMS).read_text()) or {}
        described = manifest.parsed(body)
        lake = {file.sha256: context.layout.root / file.path for file in included}
        return (
            described.digest == recipe
            and (path / signature.SIGNATURE).is_file() == bool(context.rules.export_sign)
            and sums.get(MANIFEST) == hashlib.sha256(body).hexdigest()
            and all(
                sums.get(entry.path) == entry.sha256 and _sound(path / entry.path, entry, lake)
                for entry in described.files
            )
        )
    except (OSError, UnicodeDecodeError, msgspec.DecodeError):
        return False


def _sound(file: Path, entry: BundleFile, lake: Mapping[str, Path]) -> bool:
    """Whether a file has the content of its entry; `lake` are the lake's own files by digest."""
    if not file.is_file() or file.stat().st_size != entry.bytes:
        return False
    original = lake.get(entry.sha256)
    linked = original is not None and original.is_file() and file.samefile(original)
    return linked or files.sha256(file) == entry.sha256


def _day(context: NodeContext, now: Instant) -> dt.date | None:
    """The newest session that is wanted and final."""
    days = [last for wanted in context.wanted.values() if (last := known.last_wanted(wanted, now))]
    return max(days, default=None)


def _included(context: NodeContext, now: Instant) -> list[Included]:
    out = []
    for name, wanted in sorted(context.wanted.items()):
        red = _red_cells(context, wanted)
        for part in context.ledger.catalogue.current("curated", name):
            inside = [
                (instrument, label)
                for instrument, label in red.get(part.folder, ())
                if any(first <= label <= last for first, last in part.cells.get(instrument, ()))
            ]
            provisional = _provisional(context, wanted, part.path, now)
            if provisional >= part.rows:
                continue
            out.append(
                Included(
                    dataset=name,
                    folder=part.folder,
                    path=part.path,
                    sha256=part.sha256,
                    rows=part.rows - provisional,
                    provisional=provisional,
                    last=known.last_wanted(wanted, now),
                    red=tuple(sorted(inside)),
                )
            )
    return out


def _red_cells(context: NodeContext, wanted: ConfiguredDataset) -> dict[str, list[tuple[str, dt.date]]]:
    """RED cells (instrument, session) by curated folder."""
    by_folder: dict[str, list[tuple[str, dt.date]]] = {}
    for verdict in context.ledger.verdicts.of_kind(wanted.dataset.name, Verdict.RED):
        for position in range(*wanted.calendar.between(verdict.first, verdict.last)):
            label = wanted.calendar.label(position)
            folder = layout.folder_key(wanted.dataset.curated_folder, label)
            by_folder.setdefault(folder, []).append((verdict.instrument, label))
    return by_folder


def _is_final(wanted: ConfiguredDataset, last: dt.date | None) -> pl.Expr:
    """Which rows are final; where there is no history to say so, those of sessions that are over."""
    over = pl.col("session") <= pl.lit(last, dtype=pl.Date)
    return pl.col("is_final") & over.fill_null(value=False) if wanted.live_only else pl.col("is_final")


def _provisional(context: NodeContext, wanted: ConfiguredDataset, path: str, now: Instant) -> int:
    """Rows that were only captured so far: a bundle holds what is final."""
    if not wanted.live:
        return 0
    rows = parquet.scan([context.layout.root / path]).filter(
        ~_is_final(wanted, known.last_wanted(wanted, now))
    )
    return int(rows.select(pl.len()).collect().item())


def _inputs(
    context: NodeContext,
    gathered: Mapping[str, CellKnowledge],
    needed: Readable,
    day: dt.date,
    now: Instant,
) -> dict[str, str]:
    ended = _delistings(context)
    return {
        "software": VERSION,
        "policy": context.rules.export_policy,
        "status": status.digest(context, gathered),
        **notes.inputs(context, day),
        **readable.inputs(context, needed),
        **certificate.inputs(context, now),
        **({"signed": signature.fingerprint(key)} if (key := _key(context)) else {}),
        **({"delistings": repr(sorted(ended.items()))} if ended else {}),
        **({"actions": actions} if (actions := prices.digest(context)) else {}),
        **{f"calendar.{name}": wanted.calendar.version for name, wanted in context.wanted.items()},
        **{f"schema.{name}": str(wanted.dataset.schema.version) for name, wanted in context.wanted.items()},
    }


def _key(context: NodeContext) -> Path | None:
    """The key that signs bundles, where one is set."""
    chosen = context.rules.export_sign
    return context.folder / Path(chosen).expanduser() if chosen else None


def _write(
    context: NodeContext,
    path: Path,
    included: list[Included],
    gathered: Mapping[str, CellKnowledge],
    needed: Readable,
    recipe: str,
    now: Instant,
    progress: Progress,
) -> None:
    """Build the bundle beside its place, then give it its name; an older bundle of the day goes last."""
    files.make_folder(path.parent)
    for leftover in path.parent.iterdir():
        if leftover.name.startswith(files.TEMPORARY):
            _remove(leftover)
    work = path.parent / f"{files.TEMPORARY}{uuid.uuid4().hex}"
    work.mkdir()
    held_out = 0
    linked: dict[str, str] = {}
    for done, file in enumerate(included, start=1):
        dropped = _place(context, file, work)
        if dropped is None:
            linked[file.path] = file.sha256
        held_out += dropped or 0
        progress(Event(stage=STAGE, done=done, total=len(included), unit="files"))
    summary = status.write(context, gathered, work / bundle_layout.STATUS)
    for wanted in context.wanted.values():
        table = plan.sessions(wanted.calendar, wanted.first, summary.last or wanted.first)
        parquet.publish(
            table, work / bundle_layout.sessions(wanted.dataset.name), {"calendar": wanted.calendar.name}
        )
    listed = plan.instruments(_instruments(context), _delistings(context))
    parquet.publish(listed, work / bundle_layout.INSTRUMENTS, {"table": "instruments"})
    members = plan.membership(context.ledger.reference.memberships())
    parquet.publish(members, work / bundle_layout.MEMBERSHIP, {"table": "universe_membership"})
    notes.write(context, work, summary.last)
    readable.write(context, work, needed)
    certificate.write(context, work, summary, now)
    factors = (
        prices.write(context, work, summary.last) if prices.is_wanted(context) and summary.last else None
    )
    manifests.write(
        context, work, included, linked, summary, recipe=recipe, held_out=held_out, factors=factors
    )
    if key := _key(context):
        signature.sign(work, key)
    files.sync_tree(work)
    older = path.parent / f"{files.TEMPORARY}{uuid.uuid4().hex}"
    if path.exists():
        path.rename(older)
    work.rename(path)
    files.sync_folder(path.parent)
    _remove(older)


def _instruments(context: NodeContext) -> dict[str, Instrument]:
    return {
        name: instrument
        for wanted in context.wanted.values()
        for name, instrument in wanted.instruments.items()
    }


def _delistings(context: NodeContext) -> dict[str, tuple[str, float | None]]:
    return reference.delistings(context.ledger.reference.listings(), _instruments(context))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _place(context: NodeContext, file: Included, work: Path) -> int | None:
    """Bring one curated file into the bundle, without what the policy holds out; returns the rows held out, None where the
    file is that of the lake."""
    source = context.layout.root / file.path
    target = work / file.path
    files.make_folder(target.parent)
    if file.provisional or (file.red and context.rules.export_policy != "keep_flagged"):
        frame = parquet.read([source]).filter(_is_final(context.wanted[file.dataset], file.last))
        kept = plan.keep(frame, file.red, context.rules.export_policy)
        if kept.height:
            parquet.publish(kept, target, {"dataset": file.dataset, "software": f"fulltape {VERSION}"})
            # Its content is not that of the lake's file, nor that of the bundle that may be read just now.
            target.rename(target.with_name(layout.renamed(target.name, files.sha256(target))))
        return frame.height - kept.height
    try:
        # Parts are immutable, so a second name is as good as a copy and costs nothing.
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
        return 0
    return None
