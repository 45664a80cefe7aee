"""Raw rows of one dataset as curation reads them: sound parts, block by block, and what their cells teach."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import polars as pl

from fulltape.checks import profiles
from fulltape.checks.findings import CheckContext
from fulltape.checks.registry import Learned
from fulltape.context import ConfiguredDataset, NodeContext, choice, damage, scanning
from fulltape.context import profiles as kept_profiles
from fulltape.curate.judged import CELL
from fulltape.decoding import frames as frames_of
from fulltape.ledger.part import Part


class RawRows:
    """Raw rows of all of a dataset's sources; `verified` are the parts that were looked at in this run."""

    def __init__(
        self, context: NodeContext, checking: CheckContext, wanted: ConfiguredDataset, verified: set[int]
    ) -> None:
        self._context, self._checking, self._wanted, self._verified = context, checking, wanted, verified

    def _parts(self, first: dt.date, last: dt.date) -> list[Part]:
        """Raw parts with sessions of a span, of all sources."""
        parts = self._context.ledger.catalogue.current(
            "raw", self._wanted.dataset.name, first=first, last=last
        )
        return [part for part in parts if part.source in self._wanted.every_source]

    def blocks(self, parts: Sequence[Part], labels: Sequence[dt.date]) -> list[list[str]]:
        """Instruments of these parts in groups whose rows in these sessions fit into memory together."""
        names = _names(parts)
        span = self._wanted.calendar.between(min(labels), max(labels))
        rows = max(self._rows_of(parts, labels), kept_profiles.judged(self._wanted, len(names), span))
        return kept_profiles.blocks(names, rows)

    def _rows_of(self, parts: Sequence[Part], labels: Sequence[dt.date]) -> int:
        """About how many rows these parts have in these sessions."""
        between = self._wanted.calendar.between
        inside = set(range(*between(min(labels), max(labels))))
        total = 0.0
        for part in parts:
            own = range(*between(dt.date.fromisoformat(part.first), dt.date.fromisoformat(part.last)))
            total += part.rows * len(inside.intersection(own)) / max(1, len(own))
        return int(total)

    def rows(self, parts: Sequence[Part], labels: Sequence[dt.date], block: Sequence[str]) -> pl.DataFrame:
        """Rows of some instruments in these sessions, of all sources."""
        dataset = self._wanted.dataset
        mine = [part for part in parts if not part.cells.keys().isdisjoint(block)]
        fetched = [part for part in mine if part.origin != "captured"]
        captured = [part for part in mine if part.origin == "captured"]
        declared = dataset.schema.columns
        pieces = [self._rows(fetched, columns=frames_of.schema(declared))] if fetched else []
        pieces += [frames_of.declared_types(self._rows([part]), declared) for part in captured]
        read = [scanning.of_block(rows, block, within(labels)) for rows in pieces]
        chosen = pl.col("session").is_in(pl.Series(labels, dtype=pl.Date).implode())
        raw = pl.concat([pl.DataFrame(schema=CELL), *read], how="diagonal").filter(chosen)
        return frames_of.traded(choice.newest(raw, dataset).lazy(), dataset).collect()

    def _rows(self, parts: Sequence[Part], columns: Mapping[str, Any] | None = None) -> pl.LazyFrame:
        return scanning.rows_of(
            self._context.layout, parts, "source", "log_pos", "origin", scanning.HEARD, columns=columns
        )

    def learned(self, labels: Sequence[dt.date], sources: Collection[str]) -> dict[str, Learned]:
        """What each source's cells in these sessions and around them teach."""
        if not profiles.NEEDED_BY.intersection(self._wanted.dataset.checks):
            return {source: Learned(None, self._checking) for source in sources}
        cell_profiles = self._profiles(labels, sources)
        return {
            source: Learned(cell_profiles.filter(pl.col("source") == source), self._checking)
            for source in sources
        }

    def _profiles(self, labels: Sequence[dt.date], sources: Collection[str]) -> pl.DataFrame:
        """Profiles of these sources' cells in these sessions and, where completeness is judged, in those around them: of each
        cell that of its newest fetched part, or of all that was captured of it."""
        calendar = self._wanted.calendar
        first, last = kept_profiles.around(self._context, self._wanted, min(labels), max(labels))
        parts = [part for part in self._parts(first, last) if part.source in sources]
        fetched = [part for part in parts if part.origin != "captured"]
        cell = ["source", "instrument", "session"]
        newest = (
            kept_profiles.of_parts(self._context, self._checking, fetched, self._sound)
            .filter(pl.col("session").is_between(first, last))
            .sort("log_pos")
            .unique(cell, keep="last")
            .drop("log_pos")
        )
        captured = self._sound([part for part in parts if part.origin == "captured"])
        days = [calendar.label(at) for at in range(*calendar.between(first, last))]
        live = [
            profiles.of(rows, self._checking).with_columns(pl.lit(source).alias("source"))
            for block in kept_profiles.blocks(_names(captured), sum(part.rows for part in captured))
            for (source,), rows in self.rows(captured, days, block).group_by(["source"])
        ]
        only = [profile.join(newest, on=cell, how="anti") for profile in live]
        return pl.concat([newest, *only]).sort(cell)

    def all_sound(self, first: dt.date, last: dt.date) -> list[Part]:
        """Raw parts with sessions of a span whose files have the content that was recorded. In the place of one that has not
        those may count again of which it was made."""
        sound: list[Part] = []
        parts = self._parts(first, last)
        while [part.part_id for part in parts] != [part.part_id for part in sound]:
            sound = self._sound(parts)
            parts = self._parts(first, last)
        return sound

    def _sound(self, parts: Sequence[Part]) -> list[Part]:
        """Parts whose files have the content that was recorded; each is looked at once a run."""
        new = [part for part in parts if part.part_id not in self._verified]
        bad = {part.part_id for part in new} - {
            part.part_id for part in damage.sound(self._context, new, self._checking.now)
        }
        self._verified |= {part.part_id for part in new} - bad
        return [part for part in parts if part.part_id in self._verified]


def _names(parts: Sequence[Part]) -> set[str]:
    return {name for part in parts for name in part.cells}


def within(labels: Sequence[dt.date]) -> pl.Expr:
    """Rows between the first and the last of these sessions."""
    return pl.col("session").is_between(pl.lit(min(labels)), pl.lit(max(labels)))
