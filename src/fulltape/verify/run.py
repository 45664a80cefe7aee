"""Looks at every file of the lake and at every entry of the ledger, and tells where they differ."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from fulltape.core.time import SECOND, Clock
from fulltape.lake import files, journal, layout, mark
from fulltape.lake.journal import Damage
from fulltape.ledger.catalogue import Layer, Part
from fulltape.stores import Event, Progress, Stores, damage, silent
from fulltape.verify import bundles
from fulltape.verify.plan import Finding, Report

STAGE = "verify"
LAYERS: tuple[Layer, ...] = ("raw", "curated", "qc")
_AT_ONCE = 50
CURES = {
    "raw": "it is fetched again, or decoded again from its journal",
    "curated": "it is made again from the raw parts",
    "qc": "it is checked again",
}


def run_once(stores: Stores, clock: Clock, progress: Progress = silent, *, deep: bool = False) -> Report:
    """Hold everything against each other, and change nothing: every part that counts (there, size, digest), files that the
    ledger does not know, journals, bundles, rejected bytes. `deep` reads also what was replaced, every record of every
    journal, every byte of every bundle, and the ledger's own pages."""
    parts = [part for layer in LAYERS for part in stores.ledger.catalogue.all_current(layer)]
    found: list[Finding] = []
    size = 0
    for at in range(0, len(parts), _AT_ONCE):
        some = parts[at : at + _AT_ONCE]
        wrong = {part.path: _wrong(stores, part) for part in some}
        found += [
            Finding(kind="part", path=part.path, what=wrong[part.path], cure=CURES[part.layer])
            for part in some
            if wrong[part.path]
        ]
        size += sum(part.bytes for part in some)
        with stores.ledger.write():
            whole = [part for part in some if not wrong[part.path]]
            stores.ledger.catalogue.verified(whole, now=clock.now())
        progress(Event(stage=STAGE, done=at + len(some), total=len(parts), unit="parts"))
    found += _mark(stores)
    found += _others(stores, deep=deep)
    found += _journals(stores, deep=deep)
    found += _bundles(stores, deep=deep)
    found += _rejected(stores)
    if deep:
        found += [
            Finding(
                kind="ledger", path=stores.ledger.database.where, what=what,
                cure="fulltape ledger restore brings back a sound one",
            )
            for what in stores.ledger.database.faults()
        ]  # fmt: skip
    return Report(files=len(parts), bytes=size, findings=tuple(found))


def sample(stores: Stores, clock: Clock, *, seconds: float) -> Report:
    """Verify the parts that were verified longest ago, for so many seconds; what is wrong is withdrawn."""
    until = clock.steady() + int(seconds * SECOND)
    found: list[Finding] = []
    size = 0
    seen: set[int] = set()
    while clock.steady() < until:
        oldest = stores.ledger.catalogue.longest_unverified(_AT_ONCE)
        some = [one for one in oldest if one.part_id not in seen]
        if not some:
            break
        whole = []
        for part in some:
            seen.add(part.part_id)
            size += part.bytes
            if what := _wrong(stores, part):
                damage.withdraw(stores, part, what, clock.now())
                found.append(Finding(kind="part", path=part.path, what=what, cure=CURES[part.layer]))
            else:
                whole.append(part)
            if clock.steady() >= until:
                break
        with stores.ledger.write():
            stores.ledger.catalogue.verified(whole, now=clock.now())
    return Report(files=len(seen), bytes=size, findings=tuple(found))


def _wrong(stores: Stores, part: Part) -> str:
    return damage.wrong(stores.layout.root / part.path, size=part.bytes, sha256=part.sha256)


def _mark(stores: Stores) -> Iterator[Finding]:
    if mark.read(stores.layout) is None:
        path = stores.layout.relative(stores.layout.mark)
        yield Finding(
            kind="mark", path=path, what="it is gone, or cannot be read", cure="it is written again"
        )


def _others(stores: Stores, *, deep: bool) -> Iterator[Finding]:
    """Files that the ledger does not know, and older revisions that are gone or changed."""
    known = stores.ledger.catalogue.paths()
    intended = {path for layer in LAYERS for path, _ in stores.ledger.catalogue.intents(layer)}
    for layer in LAYERS:
        for path in stores.layout.part_files(layer):
            name = stores.layout.relative(path)
            if name not in known and name not in intended:
                cure = "it is taken up" if layer == "raw" else "it is set apart; nothing reads it"
                yield Finding(kind="unknown", path=name, what="the ledger does not know it", cure=cure)
    apart = {one.path for one in stores.ledger.damages.all()}
    for name, current in known.items() if deep else ():
        part = None if current or name in apart else stores.ledger.catalogue.by_path(name)
        if part and part.layer == "raw" and (what := _wrong(stores, part)):
            yield Finding(
                kind="revision",
                path=name,
                what=f"an older revision: {what}",
                cure="it is set apart; newer rows hold",
            )


def _journals(stores: Stores, *, deep: bool) -> Iterator[Finding]:
    kept = {path.stem for path in stores.layout.captured_files(layout.SEALED)}
    for one in stores.ledger.streams.captures():
        # It may have been sealed in the moment before a crash, and then keeps its old name until the next run.
        waits = any(path.stem == one.file for path in stores.layout.captured_files())
        if one.file not in kept and not waits:
            yield Finding(
                kind="journal", path=one.file, what="a sealed journal is gone",
                cure="its rows are in the lake; it is not expected any more",
            )  # fmt: skip
    known = {one.file for one in stores.ledger.streams.captures()}
    for path in stores.layout.captured_files(layout.SEALED):
        if path.stem not in known:
            name = stores.layout.relative(path)
            yield Finding(
                kind="journal", path=name, what="the ledger does not know it", cure="it is sealed again"
            )
    if not deep:
        return
    everything = [*stores.layout.journal_files(), *stores.layout.captured_files()]
    everything += stores.layout.captured_files(layout.SEALED)
    for path in everything:
        if path.suffix == layout.JOURNAL and journal.in_use(path):
            continue
        bad = [one for one in journal.read(path) if isinstance(one, Damage)]
        if bad:
            lost = sum(one.length for one in bad)
            cure = (
                "its rows are in the lake already"
                if path.suffix == layout.SEALED
                else "what can be read is sealed, the rest is asked again"
            )
            name = stores.layout.relative(path)
            yield Finding(
                kind="journal", path=name, what=f"{lost:,} bytes belong to no whole record", cure=cure
            )


def _bundles(stores: Stores, *, deep: bool) -> Iterator[Finding]:
    known = stores.ledger.exports()
    for row in known:
        bundle = stores.layout.root / row["path"]
        if not bundle.is_dir():
            yield Finding(
                kind="bundle", path=row["path"], what="it is gone", cure="the newest one is written again"
            )
            continue
        for name, what in bundles.wrong(bundle, deep=deep):
            path = f"{row['path']}/{name}" if name else str(row["path"])
            yield Finding(
                kind="bundle", path=path, what=what,
                cure="it is put back from the lake, or, in the newest bundle, written again",
            )  # fmt: skip
    paths = {row["path"] for row in known}
    for bundle in stores.layout.bundles():
        name = stores.layout.relative(bundle)
        if name not in paths:
            yield Finding(kind="unknown", path=name, what="the ledger does not know it", cure="it stays")


def _rejected(stores: Stores) -> Iterator[Finding]:
    """Bytes that were kept: their names have the beginning of their digest."""
    for path in stores.layout.rejected_files():
        digest = path.stem.rpartition("-")[2]
        if not _digest(path).startswith(digest):
            name = stores.layout.relative(path)
            yield Finding(
                kind="rejected", path=name, what="its content is not what was kept", cure="it is set apart"
            )
    there = {stores.layout.relative(path) for path in stores.layout.rejected_files()}
    for name in sorted(stores.ledger.rejected_paths() - there):
        yield Finding(kind="rejected", path=name, what="it is gone", cure="it is not expected any more")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def apart(stores: Stores) -> list[Path]:
    """Files that were set apart."""
    return files.tree(stores.layout.damaged(""))
