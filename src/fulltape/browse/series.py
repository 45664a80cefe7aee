"""Which series a page means, and what is known of its sessions."""

from __future__ import annotations

from collections.abc import Sequence

from fulltape.context import ConfiguredDataset, NodeContext, known
from fulltape.coverage import series
from fulltape.coverage.cell import Verdict
from fulltape.coverage.series import Picture
from fulltape.heatmap import plan
from fulltape.heatmap.plan import CellState
from fulltape.market.time import Instant
from fulltape.views import gaps


def named(context: NodeContext, dataset: str, symbol: str) -> tuple[ConfiguredDataset, str]:
    """A dataset of the node and an instrument of it. An id means just that, also where others were known by it: pages link ids. `UsageError`
    where it is not just one."""
    wanted = context.wanted.get(dataset)
    if wanted is not None and symbol in wanted.instruments:
        return wanted, symbol
    return gaps.series_of(context, dataset, symbol)


def picture(context: NodeContext, wanted: ConfiguredDataset, instrument: str, now: Instant) -> Picture:
    """A series in ranges."""
    (only,) = known.read(context, wanted, now, {instrument})
    return series.picture(only)


def state(shown: Picture, verdict: Verdict, position: int | None) -> CellState:
    """What the map shows of a cell."""
    if position is None:
        return CellState.NOT_WANTED
    span = (position, position + 1)
    judged: Sequence[plan.Judged] = [(span, verdict)]
    return CellState(plan.row(shown, judged, span)[0])
