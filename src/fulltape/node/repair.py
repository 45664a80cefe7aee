"""Brings lake and ledger back together: takes out what is damaged, takes up what is not known, makes the rest again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from fulltape.core.time import Clock, Instant
from fulltape.lake import files, layout
from fulltape.node import nightly
from fulltape.node.nightly import Night
from fulltape.stores import Progress, Stores, damage, ownership, silent
from fulltape.verify import bundles, knowledge, plan, takeup
from fulltape.verify import run as verify
from fulltape.verify.plan import Finding
from fulltape.verify.takeup import TakenUp

STAGES = ("seal", "audit", "backfill", "curate", "quality", "export")
"""Nobody works on what is being mended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What was wrong, the night that healed it, and what is wrong now."""

    before: plan.Report
    night: Night
    after: plan.Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What a ledger has learned from its lake; `knowledge_at` is how old the lake's own knowledge was, None without."""

    taken: TakenUp
    knowledge_at: Instant | None


@contextlib.contextmanager
def alone(stores: Stores) -> Iterator[None]:
    """Hold every stage; `BusyError` where one is at work."""
    with contextlib.ExitStack() as held:
        for stage in STAGES:
            held.enter_context(stores.ledger.database.hold(stage))
        yield


def run(stores: Stores, clock: Clock, progress: Progress = silent, *, deep: bool = False) -> Repaired:
    """Verify, withdraw what is damaged, and let a night make it again; verify once more. Raises where ledger and lake do not
    belong together; a lake that is gone for good is filled again."""
    ownership.check(stores.ledger, stores.layout, emptied=True)
    with alone(stores):
        before = verify.run_once(stores, clock, progress, deep=deep)
        for finding in before.findings:
            _mend(stores, finding, clock.now())
    night = nightly.run(stores, clock, progress)
    with alone(stores):
        after = verify.run_once(stores, clock, progress, deep=deep)
    return Repaired(before=before, night=night, after=after)


def rebuild(stores: Stores, now: Instant, progress: Progress = silent) -> Rebuilt:
    """Let a ledger that is new or old learn what its lake holds, from its parts, journals and bundles, and from what earlier
    ledgers kept in it. `ForeignLakeError` where the lake is another node's."""
    ownership.refuse_another(stores.ledger, stores.layout)
    with alone(stores):
        kept = knowledge.read(stores.layout)
        newer = kept is not None and kept.position >= stores.ledger.catalogue.position
        with stores.ledger.write():
            newer = newer and knowledge.restore(stores.ledger, stores.layout)
        taken = takeup.run(stores, now, progress)
        _take_up_bundles(stores, now)
        ownership.adopt(stores.ledger, stores.layout)
    return Rebuilt(taken=taken, knowledge_at=kept.at if kept and newer else None)


def _mend(stores: Stores, finding: Finding, now: Instant) -> None:
    path = stores.layout.root / finding.path
    ledger = stores.ledger
    if finding.kind == "part":
        part = ledger.catalogue.by_path(finding.path)
        assert part is not None
        damage.withdraw(stores, part, finding.what, now)
    elif finding.kind == "revision":
        _forget(stores, finding.path)
    elif finding.kind == "unknown" and path.is_file():
        _take_up_or_set_apart(stores, finding.path, now)
    elif finding.kind == "unknown":
        _take_up_bundles(stores, now)
    elif finding.kind == "journal":
        _mend_journal(stores, finding)
    elif finding.kind == "bundle":
        _mend_bundle(stores, finding.path)
    elif finding.kind == "rejected":
        with ledger.write():
            ledger.forget_rejected(finding.path)
        if path.exists():
            damage.set_apart(stores, path)
    elif finding.kind == "mark":
        ownership.adopt(ledger, stores.layout)


def _forget(stores: Stores, name: str) -> None:
    """An older revision is gone for good; newer rows hold."""
    part = stores.ledger.catalogue.by_path(name)
    if part:
        with stores.ledger.write():
            stores.ledger.catalogue.forget(part.part_id)
    if (stores.layout.root / name).exists():
        damage.set_apart(stores, stores.layout.root / name)


def _take_up_or_set_apart(stores: Stores, name: str, now: Instant) -> None:
    path = stores.layout.root / name
    raw = PurePosixPath(name).parts[0] == "raw" and not path.name.startswith(files.TEMPORARY)
    if not raw or takeup.parts(stores, [path], now)[1]:
        damage.set_apart(stores, path)


def _mend_journal(stores: Stores, finding: Finding) -> None:
    path = stores.layout.root / finding.path
    if stores.ledger.streams.capture(finding.path):
        with stores.ledger.write():
            stores.ledger.streams.forget_capture(finding.path)
    elif path.suffix == layout.SEALED and not stores.ledger.streams.capture(path.stem):
        path.rename(path.with_suffix(layout.JOURNAL))
        files.sync_folder(path.parent)


def _mend_bundle(stores: Stores, name: str) -> None:
    """Put a sound file of the same content in its place; without one the newest bundle is written again, and an older one
    stays as it is, with its checksums that tell."""
    exports = stores.ledger.exports()
    row = next((one for one in exports if name == one["path"] or name.startswith(f"{one['path']}/")), None)
    if row is None:
        return  # it is written again already
    inside = name.removeprefix(row["path"]).lstrip("/")
    bundle = stores.layout.root / row["path"]
    wanted = bundles.digests(bundle).get(inside) if inside else None
    part = stores.ledger.catalogue.by_path(inside) if wanted else None
    source = stores.layout.root / inside
    if part and part.sha256 == wanted and not damage.wrong(source, size=part.bytes, sha256=part.sha256):
        bundles.put_back(bundle / inside, source)
    elif row["day"] == exports[-1]["day"] or not bundle.exists():
        with stores.ledger.write():
            stores.ledger.forget_export(row["day"])


def _take_up_bundles(stores: Stores, now: Instant) -> None:
    """Bundles that the ledger does not know and that have what their checksums say."""
    known = {row["path"] for row in stores.ledger.exports()}
    for bundle in stores.layout.bundles():
        name = stores.layout.relative(bundle)
        if name not in known and not any(bundles.wrong(bundle, deep=True)):
            with stores.ledger.write():
                stores.ledger.record_export(day=bundle.name, path=name, digest=bundles.recipe(bundle), at=now)
