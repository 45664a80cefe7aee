"""Files of the lake that do not have the content that the ledger recorded: they count no more, and are made again."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from fulltape.context import ConfiguredDataset, NodeContext
from fulltape.coverage.live import CapturedDay, Interval
from fulltape.lake import files, layout
from fulltape.ledger.part import Part
from fulltape.market import datasets, ranges
from fulltape.market.ranges import Ranges
from fulltape.market.time import Instant

KIND = "damaged part"
"""Of an interval: what was captured in it is damaged."""


def wrong(path: Path, *, size: int, sha256: str) -> str:
    """What is wrong with a file; '' where it has the content that was recorded."""
    try:
        length = path.stat().st_size
        if length != size:
            return f"it has {length:,} bytes instead of {size:,}"
        return "" if files.sha256(path) == sha256 else "its content is not what was written"
    except FileNotFoundError:
        return "it is gone"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"


def sound(context: NodeContext, parts: Iterable[Part], now: Instant) -> list[Part]:
    """Those of these parts whose files have the content that was recorded. The others are withdrawn."""
    intact = []
    for part in parts:
        what = wrong(context.layout.root / part.path, size=part.bytes, sha256=part.sha256)
        if what:
            withdraw(context, part, what, now)
        else:
            intact.append(part)
    return intact


def withdraw(context: NodeContext, part: Part, what: str, now: Instant) -> None:
    """A part counts no more. Its file is kept apart, and what it held is made again: out of the layer below, out of its
    journal, or by a vendor."""
    ledger = context.ledger
    with ledger.write():
        ledger.changes.begin()
        ledger.catalogue.withdraw(part.part_id, now=now)
        ledger.damages.add(part, what, now=now)
        if part.layer == "curated":
            ledger.damages.redo("curate", part.dataset, [part.folder])
        elif part.layer == "qc":
            ledger.damages.redo("check", part.dataset, [part.folder])
        elif part.layer == "by_instrument" or _unmerged(context, part):
            pass  # the next night sees that its folder is not whole; what was merged counts again
        elif part.origin == "captured":
            _decode_again(context, part, now)
        else:
            _ask_again(context, part)
    path = context.layout.root / part.path
    if path.exists():
        set_apart(context, path)


def _unmerged(context: NodeContext, part: Part) -> bool:
    """Let the parts of which one was made count again, where all of them are still kept; inside a transaction."""
    originals = context.ledger.catalogue.originals(part.part_id) if part.merged else []
    kept = sum(max(1, original.merged) for original in originals) == part.merged
    whole = (
        not wrong(context.layout.root / original.path, size=original.bytes, sha256=original.sha256)
        for original in originals
    )
    if not (originals and kept and all(whole)):
        return False
    context.ledger.catalogue.unmerge(part, originals)
    context.ledger.damages.healed(part.path)
    return True


def settle(context: NodeContext) -> None:
    """Note which damages are healed: what they held is there again."""
    healed = [damage.path for damage in context.ledger.damages.all() if _is_healed(context, damage.path)]
    if healed:
        with context.ledger.write():
            for path in healed:
                context.ledger.damages.healed(path)
                part = context.ledger.catalogue.by_path(path)
                if part:
                    context.ledger.catalogue.forget(part.part_id)  # unless it counts again


def _is_healed(context: NodeContext, path: str) -> bool:
    part = context.ledger.catalogue.by_path(path)
    wanted = context.wanted.get(part.dataset) if part else None
    if part is None or wanted is None:
        return part is None
    if part.layer == "by_instrument" and not wanted.by_instrument:
        return True
    if part.layer != "raw":
        stage = {"curated": "curate", "qc": "check"}.get(part.layer, "")
        if stage and part.folder in context.ledger.damages.to_redo(stage, part.dataset):
            return False
        there = context.ledger.catalogue.current_in(part.layer, part.dataset, part.folder)
        return any(other.first <= part.last and part.first <= other.last for other in there)
    if part.origin == "captured":
        return not context.ledger.damages.to_redo("seal", "")
    first, last = dt.date.fromisoformat(part.first), dt.date.fromisoformat(part.last)
    newer = [
        other
        for other in context.ledger.catalogue.current("raw", part.dataset, first=first, last=last)
        if other.log_pos > part.log_pos and other.origin == "fetched"
    ]
    return not any(
        ranges.subtract(_positions(wanted, spans), _positions(wanted, _cells_of(newer, instrument)))
        for instrument, spans in part.cells.items()
        if instrument in wanted.instruments
    )


def _cells_of(parts: Sequence[Part], instrument: str) -> list[tuple[dt.date, dt.date]]:
    return [span for part in parts for span in part.cells.get(instrument, ())]


def set_apart(context: NodeContext, path: Path) -> Path:
    """Move a file out of the way, to where nothing reads it; returns its new place."""
    target = context.layout.damaged(context.layout.relative(path))
    if target.exists():  # what was kept before is kept
        target = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}")
    files.make_folder(target.parent)
    path.rename(target)
    files.sync_folder(target.parent)
    files.sync_folder(path.parent)
    return target


def _ask_again(context: NodeContext, part: Part) -> None:
    """Forget what a source has shown, where no newer part of it holds the same cells: an older one may hold other values.
    By days, since the dataset need not be wanted at the moment; between sessions nothing is known that could be lost."""
    first, last = dt.date.fromisoformat(part.first), dt.date.fromisoformat(part.last)
    newer = [
        other
        for other in context.ledger.catalogue.current("raw", part.dataset, first=first, last=last)
        if other.log_pos > part.log_pos and other.source == part.source and other.origin == "fetched"
    ]
    for instrument, spans in part.cells.items():
        for start, stop in ranges.subtract(_days(spans), _days(_cells_of(newer, instrument))):
            context.ledger.coverage.forget(
                part.dataset,
                instrument,
                part.source,
                dt.date.fromordinal(start),
                dt.date.fromordinal(stop - 1),
            )


def _days(spans: Sequence[tuple[dt.date, dt.date]]) -> Ranges:
    return ranges.normalise((first.toordinal(), last.toordinal() + 1) for first, last in spans)


def _positions(wanted: ConfiguredDataset, spans: Sequence[tuple[dt.date, dt.date]]) -> Ranges:
    return ranges.normalise(wanted.calendar.between(first, last) for first, last in spans)


def _decode_again(context: NodeContext, part: Part, now: Instant) -> None:
    """Let the journal be decoded again that a part was made of. Where that is gone, history is asked for all of it."""
    made_of = next(
        (capture for capture in context.ledger.captures.all(part.source) if part.part_id in capture.parts),
        None,
    )
    if made_of and any(path.stem == made_of.file for path in context.layout.captured_files(layout.SEALED)):
        context.ledger.damages.redo("seal", "", [made_of.file])
        return
    days = list(_captured_days(context, part))
    doubt(context, days, now)
    forget_without_rows(context, days)


def _captured_days(context: NodeContext, part: Part) -> Iterator[CapturedDay]:
    for instrument, spans in part.cells.items():
        for start, stop in _days(spans):
            for at in range(start, stop):
                label = dt.date.fromordinal(at)
                if day := context.ledger.streams.day(part.source, part.dataset, instrument, label):
                    yield day


def forget_without_rows(context: NodeContext, days: Iterable[CapturedDay]) -> None:
    """Of a dataset without a history only captured rows show that a session is there: where no part has any, it is not.
    Inside a transaction."""
    for day in days:
        wanted = context.wanted.get(day.dataset)
        live_only = wanted.live_only if wanted else datasets.get(day.dataset).live_only
        if not live_only:
            continue
        parts = context.ledger.catalogue.current("raw", day.dataset, first=day.session, last=day.session)
        held = (
            first <= day.session <= last
            for part in parts
            if part.source == day.source
            for first, last in part.cells.get(day.instrument, ())
        )
        if not any(held):
            about = (day.dataset, day.instrument, day.source)
            context.ledger.coverage.forget(*about, day.session, day.session)


def doubt(context: NodeContext, days: Iterable[CapturedDay], now: Instant) -> None:
    """All that was captured of these sessions is doubtful: history is asked. Inside a transaction."""
    context.ledger.intervals.add(
        [
            Interval(
                source=day.source,
                dataset=day.dataset,
                instrument=day.instrument,
                symbol=day.symbol,
                session=day.session,
                start=day.start,
                end=day.end,
                kind=KIND,
                since=now,
            )
            for day in days
        ]
    )
