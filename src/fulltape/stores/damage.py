"""Files of the lake that do not have the content that the ledger recorded: they count no more, and are made again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from pathlib import Path

from fulltape.core import ranges
from fulltape.core.ranges import Ranges
from fulltape.core.time import Instant
from fulltape.lake import files, layout
from fulltape.ledger.catalogue import Part
from fulltape.ledger.streams import Interval
from fulltape.stores import Stores, Wanted

KIND = "damaged part"
"""Of an interval: what was captured in it is damaged."""


def wrong(path: Path, *, size: int, sha256: str) -> str:
    """What is wrong with a file; '' where it has the content that was recorded."""
    try:
        found = path.stat().st_size
        if found != size:
            return f"it has {found:,} bytes instead of {size:,}"
        return "" if files.sha256(path) == sha256 else "its content is not what was written"
    except FileNotFoundError:
        return "it is gone"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"


def sound(stores: Stores, parts: Iterable[Part], now: Instant) -> list[Part]:
    """Those of these parts whose files have the content that was recorded. The others are withdrawn."""
    found = []
    for part in parts:
        what = wrong(stores.layout.root / part.path, size=part.bytes, sha256=part.sha256)
        if what:
            withdraw(stores, part, what, now)
        else:
            found.append(part)
    return found


def withdraw(stores: Stores, part: Part, what: str, now: Instant) -> None:
    """A part counts no more. Its file is kept apart, and what it held is made again: out of the layer below, out of its
    journal, or by a vendor."""
    ledger = stores.ledger
    with ledger.write():
        ledger.catalogue.withdraw(part.part_id, now=now)
        ledger.damages.add(part, what, now=now)
        wanted = stores.wanted.get(part.dataset)
        if part.layer == "curated":
            ledger.damages.redo("curate", part.dataset, [part.folder])
        elif part.layer == "qc":
            ledger.damages.redo("quality", part.dataset, [part.folder])
        elif wanted is not None and part.origin == "captured":
            _decode_again(stores, wanted, part, now)
        elif wanted is not None:
            _ask_again(stores, wanted, part)
    path = stores.layout.root / part.path
    if path.exists():
        set_apart(stores, path)


def settle(stores: Stores) -> None:
    """Note which damages are healed: what they held is there again."""
    healed = [one.path for one in stores.ledger.damages.all() if _is_healed(stores, one.path)]
    if healed:
        with stores.ledger.write():
            for path in healed:
                stores.ledger.damages.healed(path)
                part = stores.ledger.catalogue.by_path(path)
                if part:
                    stores.ledger.catalogue.forget(part.part_id)  # unless it counts again


def _is_healed(stores: Stores, path: str) -> bool:
    part = stores.ledger.catalogue.by_path(path)
    wanted = stores.wanted.get(part.dataset) if part else None
    if part is None or wanted is None:
        return part is None
    if part.layer != "raw":
        return bool(stores.ledger.catalogue.current_in(part.layer, part.dataset, part.folder))
    if part.origin == "captured":
        return not stores.ledger.damages.to_redo("seal", "")
    for instrument, spans in part.cells.items():
        facts = stores.ledger.coverage.of_series(part.dataset, instrument)
        there = [(one.first, one.last) for one in facts if one.fact in ("present", "partial")]
        if ranges.subtract(_positions(wanted, spans), _positions(wanted, there)):
            return False
    return True


def set_apart(stores: Stores, path: Path) -> Path:
    """Move a file out of the way, to where nothing reads it; returns its new place."""
    target = stores.layout.damaged(stores.layout.relative(path))
    files.make_folder(target.parent)
    path.rename(target)
    files.sync_folder(target.parent)
    files.sync_folder(path.parent)
    return target


def _ask_again(stores: Stores, wanted: Wanted, part: Part) -> None:
    """Forget what a source has shown, where no other part of it holds the same cells."""
    first, last = dt.date.fromisoformat(part.first), dt.date.fromisoformat(part.last)
    others = [
        one
        for one in stores.ledger.catalogue.current("raw", part.dataset, first=first, last=last)
        if one.part_id != part.part_id and one.source == part.source and one.origin == "fetched"
    ]
    for instrument, spans in part.cells.items():
        held = _positions(wanted, [span for one in others for span in one.cells.get(instrument, ())])
        for start, stop in ranges.subtract(_positions(wanted, spans), held):
            stores.ledger.coverage.forget(
                part.dataset,
                instrument,
                part.source,
                wanted.calendar.label(start),
                wanted.calendar.label(stop - 1),
            )


def _positions(wanted: Wanted, spans: Sequence[tuple[dt.date, dt.date]]) -> Ranges:
    return ranges.normalise(wanted.calendar.between(first, last) for first, last in spans)


def _decode_again(stores: Stores, wanted: Wanted, part: Part, now: Instant) -> None:
    """Let the journal be decoded again that a part was made of. Where that is gone, history is asked for all of it."""
    streams = stores.ledger.streams
    made_of = next((one for one in streams.captures(part.source) if part.part_id in one.parts), None)
    if made_of and any(path.stem == made_of.file for path in stores.layout.captured_files(layout.SEALED)):
        stores.ledger.damages.redo("seal", "", [made_of.file])
        return
    doubts = []
    for instrument, spans in part.cells.items():
        for first, last in spans:
            for position in range(*wanted.calendar.between(first, last)):
                label = wanted.calendar.label(position)
                if wanted.live_only:
                    stores.ledger.coverage.forget(part.dataset, instrument, part.source, label, label)
                if day := streams.day(part.source, part.dataset, instrument, label):
                    doubts.append(
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
                    )
    streams.add_intervals(doubts)
