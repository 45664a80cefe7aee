"""Looks at every file of the lake and at every entry of the ledger, and tells where they differ."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from fulltape.context import BACKUPS, Event, NodeContext, Progress, damage, profiles, silent
from fulltape.lake import files, journal, layout, owner
from fulltape.lake.journal import JournalDamage
from fulltape.ledger import backup
from fulltape.ledger.part import Layer, Part
from fulltape.market.time import SECOND, Clock
from fulltape.verify import bundles, knowledge
from fulltape.verify.plan import Finding, VerifyReport

STAGE = "verify"
LAYERS: tuple[Layer, ...] = ("raw", "curated", "qc", "by_instrument")
_AT_ONCE = 50
_SET_APART = "it is set apart; its rows are in the lake, or doubtful from now on"
CURES = {
    "raw": "can be fetched again, or decoded again from its journal",
    "curated": "can be made again from the raw parts",
    "qc": "can be checked again",
    "by_instrument": "can be made again from the days",
}


def run_once(
    context: NodeContext, clock: Clock, progress: Progress = silent, *, deep: bool = False
) -> VerifyReport:
    """Hold everything against each other, and change nothing: every part that counts (there, size, digest), files that the
    ledger does not know, journals, bundles, rejected bytes. `deep` reads also what was replaced, every record of every
    journal, every byte of every bundle, and the ledger's own pages."""
    parts = [part for layer in LAYERS for part in context.ledger.catalogue.all_current(layer)]
    findings: list[Finding] = []
    size = 0
    for at in range(0, len(parts), _AT_ONCE):
        some = parts[at : at + _AT_ONCE]
        wrong = {part.path: _wrong(context, part) for part in some}
        findings += [
            Finding(kind="part", path=part.path, what=wrong[part.path], cure=CURES[part.layer])
            for part in some
            if wrong[part.path]
        ]
        size += sum(part.bytes for part in some)
        with context.ledger.write():
            whole = [part for part in some if not wrong[part.path]]
            context.ledger.damages.verified(whole, now=clock.now())
        progress(Event(stage=STAGE, done=at + len(some), total=len(parts), unit="parts"))
    findings += _mark(context)
    findings += _others(context, deep=deep)
    findings += _journals(context, deep=deep)
    findings += _bundles(context, deep=deep)
    findings += _rejected(context)
    if deep:
        findings += _copies(context)
        findings += [
            Finding(
                kind="ledger", path=context.ledger.database.where, what=what,
                cure="fulltape ledger restore brings back a sound one",
            )
            for what in context.ledger.database.faults()
        ]  # fmt: skip
    return VerifyReport(files=len(parts), bytes=size, findings=tuple(findings))


def sample(context: NodeContext, clock: Clock, *, seconds: float) -> VerifyReport:
    """Verify the parts that were verified longest ago, for so many seconds; what is wrong is withdrawn."""
    until = clock.steady() + int(seconds * SECOND)
    now = clock.now()
    findings: list[Finding] = []
    whole: list[Part] = []
    looked = size = 0
    while clock.steady() < until:
        # In one order from the beginning: what was verified is noted at the end only.
        some = context.ledger.damages.longest_unverified(_AT_ONCE, skip=len(whole), now=now)
        if not some:
            break
        for part in some:
            looked, size = looked + 1, size + part.bytes
            if what := _wrong(context, part):
                damage.withdraw(context, part, what, now)
                findings.append(Finding(kind="part", path=part.path, what=what, cure=CURES[part.layer]))
            else:
                whole.append(part)
            if clock.steady() >= until:
                break
    with context.ledger.write():
        context.ledger.damages.verified(whole, now=now)
    return VerifyReport(files=looked, bytes=size, findings=tuple(findings))


def _wrong(context: NodeContext, part: Part) -> str:
    return damage.wrong(context.layout.root / part.path, size=part.bytes, sha256=part.sha256)


def _mark(context: NodeContext) -> Iterator[Finding]:
    if owner.read(context.layout) is None:
        path = context.layout.relative(context.layout.mark)
        yield Finding(
            kind="mark", path=path, what="it is gone, or cannot be read", cure="it is written again"
        )


def _others(context: NodeContext, *, deep: bool) -> Iterator[Finding]:
    """Files that the ledger does not know, and older revisions that are gone or changed."""
    known = context.ledger.catalogue.paths()
    intended = {path for layer in LAYERS for path, _ in context.ledger.intents.of_layer(layer)}
    for layer in LAYERS:
        for path in context.layout.part_files(layer):
            name = context.layout.relative(path)
            if name not in known and name not in intended:
                cure = "it is taken up" if layer == "raw" else "it is set apart; nothing reads it"
                yield Finding(kind="unknown", path=name, what="the ledger does not know it", cure=cure)
    for path in profiles.damaged(context):
        name = context.layout.relative(path)
        yield Finding(
            kind="profile",
            path=name,
            what="it is not what was written",
            cure="can be made again from its part",
        )
    apart = {damaged.path for damaged in context.ledger.damages.all()}
    for name, current in known.items() if deep else ():
        part = None if current or name in apart else context.ledger.catalogue.by_path(name)
        if part and (what := _wrong(context, part)):
            yield Finding(
                kind="revision",
                path=name,
                what=f"an older file, which nothing reads: {what}",
                cure="newer files are complete; --repair sets it apart",
            )


def _journals(context: NodeContext, *, deep: bool) -> Iterator[Finding]:
    sealed = {path.stem: path for path in context.layout.captured_files(layout.SEALED)}
    waiting = {path.stem for path in context.layout.captured_files()}
    known = {span.file: span for span in context.ledger.captures.all()}
    for name, capture in known.items():
        # It may have been sealed in the moment before a crash, and then keeps its old name until the next run.
        if name not in sealed and name not in waiting:
            yield Finding(
                kind="journal", path=name, what="a sealed journal is gone",
                cure="its rows are in the lake; it is not expected any more",
            )  # fmt: skip
        elif name in sealed and capture.edges and _edges(sealed[name]) != (capture.bytes, capture.edges):
            yield Finding(
                kind="journal", path=context.layout.relative(sealed[name]),
                what="it is not the file that was sealed", cure=_SET_APART,
            )  # fmt: skip
    for name, path in sealed.items():
        if name not in known:
            yield Finding(
                kind="journal", path=context.layout.relative(path), what="the ledger does not know it",
                cure="it is sealed again",
            )  # fmt: skip
    if not deep:
        return
    everything = [*context.layout.journal_files(), *context.layout.captured_files(), *sealed.values()]
    for path in everything:
        if not path.is_file() or (path.suffix == layout.JOURNAL and journal.in_use(path)):
            continue
        bad = [record for record in journal.read(path) if isinstance(record, JournalDamage)]
        if bad:
            lost = sum(stretch.length for stretch in bad)
            cure = (
                _SET_APART
                if path.suffix == layout.SEALED
                else "what can be read is sealed, the rest is asked again"
            )
            name = context.layout.relative(path)
            yield Finding(
                kind="journal", path=name, what=f"{lost:,} bytes belong to no whole record", cure=cure
            )


def _edges(path: Path) -> tuple[int, str] | None:
    try:
        return journal.edges(path)
    except OSError:
        return None


def _bundles(context: NodeContext, *, deep: bool) -> Iterator[Finding]:
    known = context.ledger.exports()
    for row in known:
        bundle = context.layout.root / row["path"]
        if not bundle.is_dir():
            yield Finding(
                kind="bundle", path=row["path"], what="it is gone", cure="the newest one is written again"
            )
            continue
        faults = list(bundles.wrong(bundle, deep=deep))
        if not faults and bundles.recipe(bundle) != row["digest"]:
            faults = [("", "it is another bundle than the one that was written")]
        for name, what in faults:
            path = f"{row['path']}/{name}" if name else str(row["path"])
            yield Finding(
                kind="bundle", path=path, what=what,
                cure="--repair copies it from the lake; the newest bundle is written again",
            )  # fmt: skip
    paths = {row["path"] for row in known}
    for bundle in context.layout.bundles():
        name = context.layout.relative(bundle)
        if name not in paths:
            yield Finding(kind="unknown", path=name, what="the ledger does not know it", cure="it stays")


def _rejected(context: NodeContext) -> Iterator[Finding]:
    """Bytes that were kept: their names have the beginning of their digest."""
    there = {context.layout.relative(path): path for path in context.layout.rejected_files()}
    for name, path in there.items():
        if not _content(path).startswith(path.stem.rpartition("-")[2]):
            yield Finding(
                kind="rejected", path=name, what="its content is not what was kept", cure="it is set apart"
            )
        elif not _is_json(path.with_suffix(".json")):
            yield Finding(
                kind="rejected", path=name, what="its reasons beside it are gone or cannot be read",
                cure="it is set apart; the ledger has the reason",
            )  # fmt: skip
    for name in sorted(context.ledger.rejected_paths() - there.keys()):
        yield Finding(kind="rejected", path=name, what="it is gone", cure="it is not expected any more")


def _content(path: Path) -> str:
    """The digest of a file; '' where it is none that can be read."""
    try:
        return files.sha256(path)
    except OSError:
        return ""


def _is_json(path: Path) -> bool:
    try:
        return isinstance(msgspec.json.decode(path.read_bytes()), list)
    except (OSError, msgspec.DecodeError):
        return False


def _copies(context: NodeContext) -> Iterator[Finding]:
    """The ledger's daily copies, and what it keeps in the lake."""
    if knowledge.read(context.ledger, context.layout) is None and context.ledger.exports():
        name = context.layout.relative(context.layout.knowledge)
        yield Finding(
            kind="ledger", path=name, what="it is gone, or not what was written", cure="it is written again"
        )
    for path in files.tree(context.folder / BACKUPS):
        if path.suffix == ".db" and backup.faults(path):
            yield Finding(
                kind="ledger", path=str(path), what="it is no sound copy of a ledger", cure="it is set apart"
            )
