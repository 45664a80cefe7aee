"""Brings lake and ledger back together: takes out what is damaged, takes up what is not known, makes the rest again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fulltape.context import BACKUPS, LEDGER, NodeContext, Progress, damage, ownership, silent
from fulltape.coverage.facts import CoverageFact
from fulltape.lake import files, layout
from fulltape.ledger import backup
from fulltape.market.time import Clock, Instant
from fulltape.node import nightly
from fulltape.node.nightly import Night
from fulltape.settings.load import Loaded
from fulltape.verify import bundles, knowledge, plan, takeup
from fulltape.verify import run as verify
from fulltape.verify.plan import Finding
from fulltape.verify.takeup import TakenUp

STAGES = ("seal", "audit", "backfill", "curate", "check", "export", "regroup", "sweep")
"""No stage may work on what is being mended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What was wrong, the night that healed it, and what is wrong now."""

    before: plan.VerifyReport
    night: Night
    after: plan.VerifyReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What a ledger has learned from its lake; `knowledge_at` is how old the lake's own knowledge was, None without."""

    taken: TakenUp
    knowledge_at: Instant | None


@contextlib.contextmanager
def alone(context: NodeContext) -> Iterator[None]:
    """Hold every stage; `BusyError` where one is at work."""
    with contextlib.ExitStack() as held:
        for stage in STAGES:
            held.enter_context(context.ledger.database.hold(stage))
        yield


def run(context: NodeContext, clock: Clock, progress: Progress = silent, *, deep: bool = False) -> Repaired:
    """Verify, withdraw what is damaged, and let a night make it again; verify once more. Raises where ledger and lake do not
    belong together; a lake that is gone for good is filled again."""
    ownership.check(context.ledger, context.layout, emptied=True)
    nightly.make_room(
        context, clock, progress
    )  # what is withdrawn can be made again only where there is room
    with alone(context):
        before = verify.run_once(context, clock, progress, deep=deep)
        for finding in before.findings:
            if not _is_derived(finding):
                _mend(context, finding, clock.now())
    night = nightly.run(context, clock, progress)
    with alone(context):
        after = verify.run_once(context, clock, progress, deep=deep)
        # What the night has made anew has the same name, and is known now. What it has not is in the way.
        # And of a damaged journal that it has needed, what could be read is taken.
        strange = [suspect for suspect in after.findings if _is_derived(suspect) or suspect.kind == "journal"]
        for finding in strange:
            _mend(context, finding, clock.now())
        if strange:
            after = verify.run_once(context, clock, progress, deep=deep)
    return Repaired(before=before, night=night, after=after)


def rebuild(context: NodeContext, now: Instant, progress: Progress = silent) -> Rebuilt:
    """Let a ledger that is new or old learn what its lake holds, from its parts, journals and bundles, and from what earlier
    ledgers kept in it. `ForeignLakeError` where the lake is another node's. Interrupted, it goes on when run again."""
    ownership.refuse_another(context.ledger, context.layout)
    with alone(context):
        return _rebuilt(context, now, progress)


def restore(
    context: NodeContext, path: Path, replaced: Path, now: Instant, progress: Progress = silent
) -> Rebuilt:
    """Become what a copy was, and take up what the lake has beyond it; what is replaced is copied first. No stage works
    meanwhile."""
    with alone(context):
        context.ledger.back_up(replaced)
        context.ledger.restore(path)
        return _rebuilt(context, now, progress)


def set_corrupt_apart(loaded: Loaded, moment: str) -> Path | None:
    """Move a ledger file that SQLite finds damaged out of the way, so that a copy can take its place; returns where it is
    then, None where there is nothing wrong with it."""
    path = loaded.folder / LEDGER
    if loaded.ledger_url or not path.exists() or not backup.faults(path):
        return None
    target = loaded.folder / BACKUPS / f"damaged-{moment}.db"
    files.make_folder(target.parent)
    for ending in ("", "-wal", "-shm"):
        part = path.with_name(path.name + ending)
        if part.exists():
            part.rename(target.with_name(target.name + ending))
    return target


def _rebuilt(context: NodeContext, now: Instant, progress: Progress) -> Rebuilt:
    kept = knowledge.read(context.ledger, context.layout)
    newer = kept is not None and (
        kept.position > context.ledger.catalogue.position or not context.ledger.knows_anything
    )
    contradicted: list[CoverageFact] = []
    with context.ledger.write():
        ownership.begin(context.ledger, context.layout)
        if newer:
            contradicted = knowledge.restore(context.ledger, context.layout)
    if newer:
        takeup.name_parts_of_captures(context)
    taken = takeup.run(context, now, progress)
    with context.ledger.write():
        for fact in contradicted:
            context.ledger.coverage.contradict(fact)
    _take_up_bundles(context, now)
    ownership.adopt(context.ledger, context.layout, now)
    return Rebuilt(taken=taken, knowledge_at=kept.at if kept and newer else None)


def _is_derived(finding: Finding) -> bool:
    """Whether it is a file that the ledger does not know, of a layer that can be made again."""
    return finding.kind == "unknown" and PurePosixPath(finding.path).parts[0] in (
        "curated",
        "qc",
        "by_instrument",
    )


def _mend(context: NodeContext, finding: Finding, now: Instant) -> None:
    _CURES[finding.kind](context, finding, now)


def _mend_part(context: NodeContext, finding: Finding, now: Instant) -> None:
    part = context.ledger.catalogue.by_path(finding.path)
    assert part is not None
    damage.withdraw(context, part, finding.what, now)


def _mend_unknown(context: NodeContext, finding: Finding, now: Instant) -> None:
    path = context.layout.root / finding.path
    if path.is_file():
        _take_up_or_set_apart(context, finding.path, now)
    else:
        _take_up_bundles(context, now)


def _mend_rejected(context: NodeContext, finding: Finding, _now: Instant) -> None:
    path = context.layout.root / finding.path
    with context.ledger.write():
        context.ledger.forget_rejected(finding.path)
    for file in (path, path.with_suffix(".json")):
        if file.exists():
            damage.set_apart(context, file)


def _mend_mark(context: NodeContext, _finding: Finding, now: Instant) -> None:
    if context.layout.mark.exists():
        damage.set_apart(context, context.layout.mark)
    ownership.adopt(context.ledger, context.layout, now)


def _mend_ledger(context: NodeContext, finding: Finding, now: Instant) -> None:
    """What the lake keeps of it is written again, an unsound copy is set apart; the ledger itself only a copy can mend."""
    kept, copy = context.layout.knowledge, context.folder / BACKUPS / PurePosixPath(finding.path).name
    if finding.path == context.layout.relative(kept):
        if kept.exists():
            damage.set_apart(context, kept)
        knowledge.write(context.ledger, context.layout, now)
    elif str(copy) == finding.path and copy.exists():
        copy.rename(copy.with_name(f"{copy.name}.damaged"))


def _mend_profile(context: NodeContext, finding: Finding, _now: Instant) -> None:
    files.remove(context.layout.root / finding.path)


def _mend_revision(context: NodeContext, finding: Finding, _now: Instant) -> None:
    """An older revision is gone for good; newer rows hold."""
    name = finding.path
    part = context.ledger.catalogue.by_path(name)
    if part:
        with context.ledger.write():
            context.ledger.catalogue.forget(part.part_id)
    if (context.layout.root / name).exists():
        damage.set_apart(context, context.layout.root / name)


def _take_up_or_set_apart(context: NodeContext, name: str, now: Instant) -> None:
    path = context.layout.root / name
    raw = PurePosixPath(name).parts[0] == "raw" and not path.name.startswith(files.TEMPORARY)
    if not raw or takeup.parts(context, [path], now)[1]:
        damage.set_apart(context, path)
        return
    with context.ledger.write():
        # Its facts bear the moment at which it was sealed: asked for that moment, the log would tell of it too early.
        context.ledger.changes.restart(now)


def _mend_journal(context: NodeContext, finding: Finding, _now: Instant) -> None:
    """A journal that is damaged is no proof any more, and its parts stay. While one of those is damaged, too, the journal
    stays where it is: sealing takes what can be read of it."""
    path, captures = context.layout.root / finding.path, context.ledger.captures
    name = path.stem if path.suffix else finding.path
    capture = captures.get(name)
    if path.suffix == layout.SEALED and not path.exists():
        return  # it was found twice, and is set apart already
    if path.suffix == layout.SEALED and capture is None:
        path.rename(path.with_suffix(layout.JOURNAL))
        files.sync_folder(path.parent)
        return
    if capture is None or path.suffix == layout.JOURNAL:
        return
    if path.exists() and capture.file in context.ledger.damages.to_redo("seal", ""):
        return
    with context.ledger.write():
        captures.forget(name)
    if path.exists():
        damage.set_apart(context, path)


def _mend_bundle(context: NodeContext, finding: Finding, _now: Instant) -> None:
    """Put a sound file of the same content in its place; without one the newest bundle is written again, and an older one
    stays as it is, with its checksums that tell."""
    name = finding.path
    exports = context.ledger.exports()
    row = next(
        (
            exported
            for exported in exports
            if name == exported["path"] or name.startswith(f"{exported['path']}/")
        ),
        None,
    )
    if row is None:
        return  # it is written again already
    inside = name.removeprefix(row["path"]).lstrip("/")
    bundle = context.layout.root / row["path"]
    wanted = bundles.digests(bundle).get(inside) if inside else None
    part = context.ledger.catalogue.by_path(inside) if wanted else None
    source = context.layout.root / inside
    if part and part.sha256 == wanted and not damage.wrong(source, size=part.bytes, sha256=part.sha256):
        if (bundle / inside).is_dir():
            damage.set_apart(context, bundle / inside)
        bundles.put_back(bundle / inside, source)
    elif inside and not wanted and inside not in bundles.NAMES and (bundle / inside).exists():
        damage.set_apart(context, bundle / inside)  # a file that the bundle does not list
    elif row["day"] == exports[-1]["day"] or not bundle.exists():
        with context.ledger.write():
            context.ledger.forget_export(row["day"])


def _take_up_bundles(context: NodeContext, now: Instant) -> None:
    """Bundles that the ledger does not know, that are named for their day and have what their checksums say."""
    known = {row["path"] for row in context.ledger.exports()}
    for bundle in context.layout.bundles():
        name = context.layout.relative(bundle)
        if (
            name not in known
            and bundles.day(bundle) == bundle.name
            and not any(bundles.wrong(bundle, deep=True))
        ):
            with context.ledger.write():
                context.ledger.record_export(
                    day=bundle.name, path=name, digest=bundles.recipe(bundle), at=now
                )


_CURES: dict[plan.Kind, Callable[[NodeContext, Finding, Instant], None]] = {
    "part": _mend_part,
    "profile": _mend_profile,
    "revision": _mend_revision,
    "unknown": _mend_unknown,
    "journal": _mend_journal,
    "bundle": _mend_bundle,
    "rejected": _mend_rejected,
    "mark": _mend_mark,
    "ledger": _mend_ledger,
}
