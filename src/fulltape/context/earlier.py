"""Cells as they were: as their sources had told them when something was public, and as this node had them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fulltape import errors
from fulltape.context import choice, repaired, scanning
from fulltape.context.point_in_time import PointInTime
from fulltape.coverage.cell import Verdict
from fulltape.decoding import captured, frames, versions
from fulltape.decoding.versions import CELL
from fulltape.lake import parquet
from fulltape.ledger.part import Part
from fulltape.ledger.repairs import Repair
from fulltape.market.time import to_datetime

if TYPE_CHECKING:
    import polars as pl

    from fulltape.market.dataset import Dataset

_SERIES = ["instrument", "session"]
_CAPTURED = "captured"
_ABOUT = ("source", "log_pos", "origin", scanning.HEARD)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellWindow:
    """Sessions from `first` to `last`, both inclusive, of some instruments (None: all)."""

    first: dt.date
    last: dt.date
    instruments: Collection[str] | None = None


@dataclass(frozen=True, kw_only=True)
class EarlierRows:
    """The cells (instrument, session) that are not as they were, and the raw rows that they had instead, of the source that counted, with
    `source`, `origin`, `restated_at`, `available_at`, and `repaired` where there are repairs."""

    cells: pl.DataFrame
    rows: pl.DataFrame


def of(view: PointInTime, dataset: Dataset, curated: pl.LazyFrame, window: CellWindow) -> EarlierRows | None:
    """How cells of a window of curated rows were. None where all are as they were."""
    import polars as pl

    touched = pl.DataFrame(schema={"instrument": pl.String, "session": pl.Date})
    if view.known is not None:
        touched = _touched(view, dataset, window)
        curated = curated.with_columns(pl.col("instrument").cast(pl.String))
    present = curated.select(pl.col(name).cast(pl.String) if name != "session" else name for name in CELL)
    if view.known is not None:
        curated = curated.join(touched.lazy(), on=_SERIES, how="anti")
    raw = _raw(view, dataset, touched)
    newest = choice.newest(raw, dataset)
    counted = raw.select(CELL).clear() if newest.is_empty() else _chosen(view, dataset, newest, present)
    rows = newest.join(counted, on=CELL, how="semi")
    cells = touched
    if view.until is not None:
        again = _restated(view, dataset, curated, window)
        cells = pl.concat([touched, again.select(_SERIES)])
        before = _raw(view, dataset, again.select(_SERIES)).join(again, on=CELL, how="semi")
        answers = pl.concat([raw.join(counted, on=CELL, how="semi"), before], how="diagonal")
        fetched = answers.filter(pl.col("origin") != _CAPTURED).drop(*captured.EXTRA, strict=False)
        then = versions.visible(fetched, dataset, view.until).drop("log_pos", scanning.HEARD)
        rows = pl.concat([rows.filter(pl.col("origin") == _CAPTURED), then], how="diagonal")
    if cells.is_empty():
        return None
    return EarlierRows(cells=cells, rows=_mended(view, dataset, _dated(view, dataset, rows), window))


def history(
    view: PointInTime, dataset: Dataset, curated: pl.LazyFrame, window: CellWindow
) -> pl.DataFrame | None:
    """Every answer's rows of the cells that were restated, with `available_at`; None where there are none."""
    import polars as pl

    late = curated.join(frames.closes(view.calendar).lazy(), on="session", how="left").filter(
        pl.col("available_at") > versions.public_by_rule(dataset)
    )
    cells = late.select(pl.col("source", "instrument").cast(pl.String), "session").unique().collect()
    raw = _raw(view, dataset, cells.select(_SERIES)).join(cells, on=CELL, how="semi")
    if raw.is_empty():
        return None
    return _mended(view, dataset, _dated(view, dataset, versions.history(raw, dataset)), window)


def _restated(view: PointInTime, dataset: Dataset, curated: pl.LazyFrame, window: CellWindow) -> pl.DataFrame:
    """The cells (source, instrument, session) of these curated rows that may have looked otherwise at `view.until`: rows of theirs became
    known as they are later than their rule says, or have perhaps gone since."""
    import polars as pl

    assert view.until is not None
    moment = pl.lit(to_datetime(view.until))
    begun = pl.col("session") <= pl.lit(view.calendar.day_rule.session(view.until))
    late = curated.filter(begun, pl.col("available_at") > moment)
    texts = pl.col("source", "instrument").cast(pl.String)
    cells = (
        late.join(frames.closes(view.calendar).lazy(), on="session", how="left")
        .filter(versions.public_by_rule(dataset) <= moment)
        .select(texts, "session")
        .unique()
        .collect()
    )
    said = {
        *view.ledger.restatements.since(dataset.name, view.until),
        *_answered_again(view, dataset, window),
    }
    lost = pl.DataFrame(sorted(said), schema=dict(cells.schema), orient="row")
    if lost.is_empty():
        return cells
    days = curated.filter(pl.col("session").is_in(lost["session"].unique().implode()))
    mine = days.select(texts, "session").unique().collect()
    return pl.concat([cells, mine.join(lost, on=CELL, how="semi")]).unique()


def _answered_again(
    view: PointInTime, dataset: Dataset, window: CellWindow
) -> Iterator[tuple[str, str, dt.date]]:
    """Sources, instruments and sessions about which a source has answered since, and before."""
    assert view.until is not None
    before: dict[tuple[str, str], list[Part]] = {}
    parts = view.ledger.catalogue.current("raw", dataset.name, first=window.first, last=window.last)
    for part in parts:  # by folder, in the order of the log
        if part.origin == _CAPTURED:
            continue
        earlier = before.setdefault((part.source, part.folder), [])
        if part.ingested_at > view.until:
            near = [each for each in earlier if each.first <= part.last and part.first <= each.last]
            if near:
                held = {cell for each in near for cell in _cells(view, each, window)}
                yield from ((part.source, *cell) for cell in _cells(view, part, window) if cell in held)
        earlier.append(part)


def _touched(view: PointInTime, dataset: Dataset, window: CellWindow) -> pl.DataFrame:
    """The cells about which something has come since `view.known`, or had come and was not curated yet; and all that were ever repaired."""
    import polars as pl

    parts = view.ledger.catalogue.current("raw", dataset.name, first=window.first, last=window.last)
    assert view.known is not None
    curated = view.ledger.bookmark(choice.STAGE, dataset.name)
    since = [
        part
        for part in parts
        if part.log_pos > curated
        or (part.ingested_at > view.known and max(scanning.heard(view.layout, part)) > view.known)
    ]
    cells = {(name, day) for part in since for name, day in _cells(view, part, window)}
    for repair in view.ledger.repairs.all():
        inside = window.first <= repair.session <= window.last and (
            window.instruments is None or repair.instrument in window.instruments
        )
        if repair.dataset == dataset.name and inside:
            cells.add((repair.instrument, repair.session))
    return pl.DataFrame(sorted(cells), schema={"instrument": pl.String, "session": pl.Date}, orient="row")


def _cells(view: PointInTime, part: Part, window: CellWindow) -> Iterator[tuple[str, dt.date]]:
    calendar = view.calendar
    for name, spans in part.cells.items():
        if window.instruments is not None and name not in window.instruments:
            continue
        for first, last in spans:
            for at in range(*calendar.between(max(first, window.first), min(last, window.last))):
                yield name, calendar.label(at)


def _raw(view: PointInTime, dataset: Dataset, cells: pl.DataFrame) -> pl.DataFrame:
    """All raw rows of some cells that this node had at `view.known`."""
    import polars as pl

    declared = dataset.schema.columns
    about = {"source": pl.String, "log_pos": pl.Int64, "origin": pl.String, scanning.HEARD: pl.Int64}
    none = pl.DataFrame(schema=frames.schema(declared) | about).with_columns(
        pl.col("instrument").cast(pl.String)
    )
    if cells.is_empty():
        return none
    names, first, last = set(cells["instrument"]), cells["session"].min(), cells["session"].max()
    parts = [
        part
        for part in view.ledger.catalogue.current("raw", dataset.name, first=first, last=last)  # type: ignore[arg-type]
        if not names.isdisjoint(part.cells) and _had(view, part)
    ]
    fetched = [part for part in parts if part.origin != _CAPTURED]
    pieces = [
        frames.declared_types(scanning.rows_of(view.layout, [part], *_ABOUT), declared)
        for part in parts
        if part.origin == _CAPTURED
    ]
    if fetched:
        pieces.append(scanning.rows_of(view.layout, fetched, *_ABOUT, columns=frames.schema(declared)))
    mine = [pl.col("session").is_between(first, last), pl.col("instrument").is_in(sorted(names))]
    mine += [] if view.known is None else [pl.col(scanning.HEARD) <= view.known]
    text = pl.col("instrument").cast(pl.String)
    try:
        read = [piece.with_columns(text).filter(*mine).collect() for piece in pieces]
    except pl.exceptions.ComputeError as error:
        raise errors.CorruptPartError(
            f"a raw file of {dataset.name} cannot be read: {error}.", hint=parquet.REPAIR
        ) from None
    return pl.concat([none, *read], how="diagonal_relaxed").join(cells, on=_SERIES, how="semi")


def _had(view: PointInTime, part: Part) -> bool:
    """Whether any rows of a raw part were there; `CorruptPartError` where its file is gone or was cut off."""
    path = view.layout.root / part.path
    if not path.is_file() or path.stat().st_size != part.bytes:
        raise errors.CorruptPartError(f"{path} is not what was written.", hint=parquet.REPAIR)
    return view.known is None or min(scanning.heard(view.layout, part)) <= view.known


def _chosen(view: PointInTime, dataset: Dataset, newest: pl.DataFrame, present: pl.LazyFrame) -> pl.DataFrame:
    """Which source each cell had, by what was said of their cells then; of equally good ones that of today (`present`)."""
    import polars as pl

    counted = newest.group_by(CELL, maintain_order=True).agg(
        pl.len().alias("rows"), (pl.col("origin") == _CAPTURED).any().alias("provisional")
    )
    said: dict[tuple[str, str], list[tuple[dt.date, dt.date, str]]] = {}
    for verdict in view.knowledge(dataset.name).verdicts:
        said.setdefault((verdict.source, verdict.instrument), []).append(
            (verdict.first, verdict.last, verdict.verdict.value)
        )
    verdicts = [
        next(
            (value for first, last, value in said.get((source, instrument), ()) if first <= session <= last),
            Verdict.UNCHECKED.value,
        )
        for source, instrument, session in counted.select(CELL).iter_rows()
    ]
    judged = counted.with_columns(pl.Series("verdict", verdicts, dtype=pl.String))
    mine = present.join(judged.lazy().select(_SERIES).unique(), on=_SERIES, how="semi").unique().collect()
    return choice.choose(judged, mine, view.sources.get(dataset.name, ()))


def _dated(view: PointInTime, dataset: Dataset, rows: pl.DataFrame) -> pl.DataFrame:
    wide = (
        frames.traded(rows.lazy(), dataset)
        .collect()
        .join(frames.closes(view.calendar), on="session", how="left")
    )
    return wide.with_columns(versions.available(wide, dataset).alias("available_at")).drop("session_close")


def _mended(view: PointInTime, dataset: Dataset, rows: pl.DataFrame, window: CellWindow) -> pl.DataFrame:
    """Rows with the repairs that were known."""
    mended = [
        repair
        for repair in view.ledger.repairs.all()
        if repair.dataset == dataset.name
        and window.first <= repair.session <= window.last
        and _holds(view, repair)
    ]
    return repaired.applied(rows, mended, repaired.priced(dataset.schema.names)) if mended else rows


def _holds(view: PointInTime, repair: Repair) -> bool:
    """Whether a repair held when this node knew what it knew; what was public has no part in it."""
    if view.known is None:
        return not repair.undone
    return repair.at <= view.known and not 0 < repair.undone <= view.known
