"""What a bundle tells of corporate actions: the actions, their factors, and what they come to by session. Raw rows stay raw."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from pathlib import Path

import polars as pl

from fulltape.adjustment import factors as rules
from fulltape.adjustment import tables
from fulltape.adjustment.factors import Convention, Factor
from fulltape.bundle import layout
from fulltape.context import ConfiguredDataset, NodeContext, actions, closes
from fulltape.context.point_in_time import PointInTime
from fulltape.context.spool import Pieces
from fulltape.lake import parquet
from fulltape.ledger.part import Part

CONVENTION: Convention = "prev_close"
_BLOCK = 200
"""So many instruments' actions are in memory at a time."""


def is_wanted(context: NodeContext) -> bool:
    """Whether the node holds corporate actions of equities whose prices it holds."""
    return actions.DATASET in context.wanted and bool(_priced(context))


def _priced(context: NodeContext) -> list[ConfiguredDataset]:
    """The datasets whose closes amounts are held against, in order of preference."""
    return [context.wanted[name] for name in (closes.DAYS, closes.MINUTES) if name in context.wanted]


def parts(context: NodeContext) -> list[Part]:
    """The raw files that the tables are made of, beside curated ones."""
    return context.ledger.catalogue.current("raw", actions.DATASET) if is_wanted(context) else []


def digest(context: NodeContext) -> str:
    """A digest of what the tables are made of, beside the curated files and the coverage; '' without them."""
    if not is_wanted(context):
        return ""
    ledger, wanted = context.ledger, context.wanted[actions.DATASET]
    inputs = [part.sha256 for part in parts(context)]
    inputs += [
        f"{fact.source} {fact.instrument} {fact.first} {fact.last}"
        for fact in ledger.coverage.contradicted(actions.DATASET)
    ]
    inputs += [*wanted.sources, str(ledger.reference.sequence), CONVENTION]
    return hashlib.sha256("\n".join(inputs).encode()).hexdigest()


def write(context: NodeContext, folder: Path, anchor: dt.date) -> dict[str, object]:
    """Write `actions.parquet`, `factors.parquet` and `adjustments.parquet` into a bundle's folder; what the manifest says of them.
    Actions after the session `anchor` are in the first two, and applied to nothing."""
    wanted, priced = context.wanted[actions.DATASET], _priced(context)
    view = PointInTime(ledger=context.ledger, layout=context.layout, calendar=priced[0].calendar)
    first = min(each.first for each in priced)
    held = {
        name for each in priced for name, *_ in context.ledger.coverage.held(each.dataset.name)
    }  # also of those that have left the universe
    names = sorted({*wanted.instruments, *held, *(name for each in priced for name in each.instruments)})
    statuses: Counter[str] = Counter()
    kinds = actions.spoken(view)
    answered: list[tuple[str, dt.date, dt.date]] = []
    with Pieces(folder) as said, Pieces(folder) as made, Pieces(folder) as cumulated:
        for at in range(0, len(names), _BLOCK):
            block = names[at : at + _BLOCK]
            events = actions.events(view, list(wanted.sources), block, known_kinds=kinds)
            factors = actions.factors_of(view, events, CONVENTION)
            by_instrument: dict[str, list[Factor]] = {name: [] for name in block}
            for factor in factors:
                by_instrument[factor.instrument].append(factor)
            statuses.update(factor.status for factor in factors)
            for name in block:
                stretches = rules.together(actions.answered(view, name))
                edges = rules.unanswered_edges(stretches, first, anchor, anchor)
                answered += [(name, *stretch) for stretch in stretches]
                by_instrument[name] += [rules.unanswered(name, day) for day in edges]
                by_instrument[name].sort(key=lambda factor: factor.ex_date)
            said.add(tables.actions(events))
            made.add(tables.factors(factors, CONVENTION))
            cumulated.add(tables.cumulated(by_instrument, anchor))
        for name, pieces in (
            (layout.ACTIONS, said),
            (layout.FACTORS, made),
            (layout.ADJUSTMENTS, cumulated),
        ):
            parquet.publish(pl.concat(pieces.scanned()), folder / name, {"table": Path(name).stem})
    shape = {"instrument": pl.String, "first": pl.Date, "last": pl.Date}
    table = pl.DataFrame(answered, schema=shape, orient="row")
    parquet.publish(table, folder / layout.ANSWERED, {"table": Path(layout.ANSWERED).stem})
    return {
        "convention": CONVENTION,
        "anchor": anchor.isoformat(),
        "factors": dict(sorted(statuses.items())),
    }
