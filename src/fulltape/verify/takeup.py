"""Takes up files that the ledger does not know: raw parts by what they hold, sealed journals by sealing them again.

What a part holds was settled when it was written: only rows of sessions that an answer settled get into one. So its rows
are proof that its cells are there. That a session was rightly silent no file can tell (see `knowledge.py`).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from fulltape.context import ConfiguredDataset, Event, NodeContext, Progress, damage, silent
from fulltape.coverage.facts import CoverageFact
from fulltape.coverage.live import CapturedDay, Interval
from fulltape.decoding import frames
from fulltape.lake import files, layout, parquet
from fulltape.lake import parts as parts_of
from fulltape.ledger.part import Cells, NewPart, Part
from fulltape.market.time import Instant, from_datetime

STAGE = "rebuild"
_MICROSECOND = 1_000
_NAME = re.compile(r"\d{8}T\d{12}-")
"""How the name of a journal begins."""


_Found = tuple[Instant, Path, Mapping[str, str]]
"""When its rows became known, a file, and what is written beside its rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenUp:
    """Parts and sealed journals that were taken up, and files that could not be, with the reason."""

    parts: int = 0
    journals: int = 0
    left: tuple[tuple[str, str], ...] = ()


def run(context: NodeContext, now: Instant, progress: Progress = silent) -> TakenUp:
    """Take up everything that the ledger does not know. Called by the holder of the stages."""
    journals = _journals(context)
    known = context.ledger.catalogue.paths()
    unknown = [
        path for path in context.layout.part_files("raw") if context.layout.relative(path) not in known
    ]
    taken, left = parts(context, unknown, now, progress)
    # What was checked is checked again, and says when it was: those files would never be known again.
    for path in context.layout.part_files("qc"):
        if context.layout.relative(path) not in known:
            damage.set_apart(context, path)
    return TakenUp(parts=taken, journals=journals, left=tuple(left))


def parts(
    context: NodeContext, paths: Iterable[Path], now: Instant, progress: Progress = silent
) -> tuple[int, list[tuple[str, str]]]:
    """Register raw files that the ledger does not know, the oldest first; returns how many, and which could not be and
    why. Those that a kept journal gives back are left to it."""
    left: list[tuple[str, str]] = []
    candidates: list[_Found] = []
    for path in paths:
        metadata = parquet.metadata(path)
        if metadata is None or not {"dataset", "source"} <= metadata.keys():
            left.append((context.layout.relative(path), "it is no part that can be read"))
        elif metadata["dataset"] not in context.wanted:
            left.append(
                (context.layout.relative(path), f"the settings do not want {metadata['dataset']} now")
            )
        else:
            learned = int(metadata.get("known_at") or path.stat().st_mtime_ns // _MICROSECOND)
            candidates.append((learned, path, metadata))
    candidates.sort(key=lambda candidate: (candidate[0], candidate[1].name))
    candidates = _without_merged(context, candidates)
    # Of a journal that the ledger knows by what the lake kept, the parts are not known yet. Of others they are made again.
    expected = {capture.file for capture in context.ledger.captures.all() if not capture.parts}
    known = {capture.file for capture in context.ledger.captures.all()}
    taken = 0
    for done, (learned, path, metadata) in enumerate(candidates, start=1):
        made_of = metadata.get("journal", "")
        if made_of in known - expected and not _holds_more(context, path, metadata):
            damage.set_apart(context, path)  # an older software's: there are newer ones
        elif made_of and made_of not in known and _kept(context, made_of):
            pass  # sealing gives it back
        elif why := _register(context, path, metadata, learned, now):
            left.append((context.layout.relative(path), why))
        else:
            taken += 1
        progress(Event(stage=STAGE, done=done, total=len(candidates), unit="parts"))
    return taken, left


def _without_merged(context: NodeContext, candidates: Sequence[_Found]) -> list[_Found]:
    """Files but for those whose rows a sound one holds that was made of them: they are set apart. Taken up after it, they
    would count as newer."""
    root, catalogue = context.layout.root, context.ledger.catalogue
    whole = {path for _, path, metadata in candidates if "merged" in metadata and _is_whole(path)}
    for dataset, folder in {(metadata["dataset"], path.parent.name) for _, path, metadata in candidates}:
        known = (part for part in catalogue.current_in("raw", dataset, folder) if part.merged)
        whole |= {root / part.path for part in known if _is_whole(root / part.path)}
    held = {(path.parent, digest) for path in whole for digest in parts_of.held(parquet.metadata(path) or {})}
    if not held:
        return list(candidates)
    out = []
    for candidate in candidates:
        if (candidate[1].parent, files.sha256(candidate[1])) in held:
            damage.set_apart(context, candidate[1])
        else:
            out.append(candidate)
    return out


def _is_whole(path: Path) -> bool:
    """Whether a part has the content that its name tells."""
    return path.is_file() and path.stem.endswith(files.sha256(path)[:8])


def name_parts_of_captures(context: NodeContext) -> None:
    """Note again which parts were made of which journal: those that the ledger knows, by what is written into them."""
    known = {capture.file for capture in context.ledger.captures.all()}
    with context.ledger.write():
        for part in context.ledger.catalogue.all_current("raw"):
            made_of = (parquet.metadata(context.layout.root / part.path) or {}).get("journal", "")
            if part.origin == "captured" and made_of in known:
                context.ledger.captures.add_part(made_of, part.part_id)


def _journals(context: NodeContext) -> int:
    """Let journals that were sealed, and of which the ledger knows nothing, be sealed once more."""
    known = {capture.file for capture in context.ledger.captures.all()}
    sealed = [path for path in context.layout.captured_files(layout.SEALED) if path.stem not in known]
    for path in sealed:
        path.rename(path.with_suffix(layout.JOURNAL))
        files.sync_folder(path.parent)
    return len(sealed)


def _made_now(context: NodeContext, path: Path, metadata: Mapping[str, str]) -> list[Part]:
    """The parts that stand for the same rows of the same journal."""
    capture = context.ledger.captures.get(metadata["journal"])
    return [
        part
        for part in context.ledger.catalogue.by_ids(capture.parts if capture else ())
        if part.dataset == metadata["dataset"] and part.folder == path.parent.name
    ]


def _holds_more(context: NodeContext, path: Path, metadata: Mapping[str, str]) -> bool:
    """Whether a part has more rows than those that its journal gives now: it was whole when it was written."""
    return parquet.rows(path) > sum(part.rows for part in _made_now(context, path, metadata))


def _kept(context: NodeContext, stem: str) -> bool:
    """Whether a journal of messages is still there."""
    everything = [*context.layout.captured_files(layout.SEALED), *context.layout.captured_files()]
    return any(path.stem == stem for path in everything)


def _register(
    context: NodeContext, path: Path, metadata: Mapping[str, str], learned: Instant, now: Instant
) -> str:
    """Take up one file; returns why it cannot be, '' otherwise."""
    wanted = context.wanted[metadata["dataset"]]
    columns = ["instrument", "symbol", "session", "ts"]
    try:
        rows = parquet.scan([path]).select(pl.col(name) for name in columns).collect()
    except pl.exceptions.PolarsError as error:
        return f"it cannot be read: {str(error).splitlines()[0]}"
    cells = frames.spans(rows, wanted.calendar)
    if not cells:
        return "it holds no session of its dataset's calendar"
    part = NewPart(
        layer="raw",
        source=metadata["source"],
        dataset=wanted.dataset.name,
        folder=path.parent.name,
        path=context.layout.relative(path),
        rows=rows.height,
        bytes=path.stat().st_size,
        sha256=files.sha256(path),
        min_ts=_timestamp(rows["ts"].min()),
        max_ts=_timestamp(rows["ts"].max()),
        origin="captured" if "journal" in metadata or metadata.get("origin") == "captured" else "fetched",
        cells=cells,
        merged=len(parts_of.merged(metadata)),
    )
    if not path.stem.endswith(part.sha256[:8]):
        return "its content is not what its name says"
    place = context.layout.raw(
        part.source, wanted.dataset, layout.folder_key(wanted.dataset.raw_folder, _first(cells))
    )
    if path.parent != place:
        return f"it does not lie where its rows belong ({context.layout.relative(place)})"
    with context.ledger.write():
        context.ledger.changes.begin()
        for made in _made_now(context, path, metadata) if "journal" in metadata else ():
            context.ledger.catalogue.withdraw(made.part_id, now=now)
        part_id = _enter(context, part, parts_of.held(metadata), now)
        if part.origin == "fetched":
            context.ledger.coverage.record(_facts(part, learned), wanted.next_session)
        else:
            made_of = {merged.made_of for merged in parts_of.merged(metadata)} or {metadata["journal"]}
            if any(map(_NAME.match, made_of)):  # what history gave back has the name of a fetch
                _captured(context, wanted, part, rows, now)
            if "journal" in metadata:
                context.ledger.captures.add_part(metadata["journal"], part_id)
            if context.ledger.streams.answered(part.source, part.dataset, part.cells):
                context.ledger.catalogue.withdraw(part_id, now=now)
    return ""


def _enter(context: NodeContext, part: NewPart, held: AbstractSet[str], now: Instant) -> int:
    """Register a part, in the place of those whose rows it holds."""
    catalogue = context.ledger.catalogue
    originals = [
        original
        for original in (catalogue.current_in("raw", part.dataset, part.folder) if held else ())
        if original.source == part.source and original.sha256 in held
    ]
    if originals:
        return catalogue.merge(part, originals, now=now)
    return catalogue.register(part, now=now)


def _first(cells: Cells) -> dt.date:
    return min(first for spans in cells.values() for first, _ in spans)


def _facts(part: NewPart, learned: Instant, *, final: bool = True) -> list[CoverageFact]:
    return [
        CoverageFact(
            dataset=part.dataset,
            instrument=instrument,
            source=part.source,
            first=first,
            last=last,
            fact="present",
            sound=True,
            final=final,
            since=learned,
            evidence="rebuilt from its part",
        )
        for instrument, spans in part.cells.items()
        for first, last in spans
    ]


def _captured(
    context: NodeContext, wanted: ConfiguredDataset, part: NewPart, rows: pl.DataFrame, now: Instant
) -> None:
    """Where nothing says any more when captured rows were live, all of it is doubtful."""
    streams = context.ledger.streams
    cells = rows.group_by("instrument", "symbol", "session").agg(
        pl.col("ts").min().alias("first"), pl.col("ts").max().alias("last"), pl.len().alias("rows")
    )
    for instrument, symbol, session, first, last, count in cells.sort("instrument", "session").iter_rows():
        cell = (part.source, part.dataset, instrument, session)
        if streams.day(*cell) is not None or streams.months.holds(*cell):
            continue
        about: dict[str, Any] = {
            "source": part.source,
            "dataset": part.dataset,
            "instrument": instrument,
            "symbol": str(symbol),
            "session": session,
            "start": _timestamp(first),
            "end": _timestamp(last),
        }
        streams.add_day(CapturedDay(**about, rows=count, reconnects=0))
        context.ledger.intervals.add([Interval(**about, kind="ledger rebuilt", since=now)])
    if wanted.live_only:
        context.ledger.coverage.record(_facts(part, now, final=False), wanted.next_session)


def _timestamp(value: object) -> Instant:
    assert isinstance(value, dt.datetime)
    return from_datetime(value)
