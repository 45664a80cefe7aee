"""A user's decision about a silence, checked against what the node knows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from fulltape import errors
from fulltape.context import NodeContext, known
from fulltape.ledger.acceptances import Acceptance
from fulltape.market import ranges
from fulltape.market.time import Clock
from fulltape.views import gaps


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What a decision concerns: how many wanted sessions, of how many of them there are rows, of how many some source has
    still to answer, and of how many (`refused`) every source has refused to."""

    instrument: str
    sessions: int
    held: int
    open: int
    refused: int


def accept(
    context: NodeContext,
    clock: Clock,
    dataset: str,
    symbol: str,
    first: dt.date,
    last: dt.date,
    *,
    reason: str,
    revoke: bool = False,
) -> Accepted:
    """Record that sessions `first` to `last` (inclusive) are accepted as empty, or are not any more.

    Raises `UsageError` for a dataset, symbol or span that the node does not want.
    """
    wanted, instrument = gaps.series_of(context, dataset, symbol)
    now = clock.now()
    (series,) = known.read(context, wanted, now, {instrument})
    span = wanted.calendar.between(first, last)
    within = ranges.clip(series.wanted, *span)
    if span[0] == span[1]:
        raise errors.UsageError(f"the market was closed from {first} to {last}: there is nothing to accept.")
    if revoke and not ranges.clip(known.accepted(context, wanted).get(instrument, ()), *span):
        raise errors.UsageError(f"nothing of {symbol} from {first} to {last} was accepted as empty.")
    if not within:
        raise errors.UsageError(
            f"no session of {symbol} from {first} to {last} is wanted.",
            hint="See [dataset] from and until, and fulltape symbols show for its listing.",
        )
    held = ranges.intersect(series.rows, within)
    if ranges.subtract(within, held) == ranges.EMPTY and not revoke:
        raise errors.UsageError(
            f"all {ranges.size(within)} sessions of {symbol} from {first} to {last} have rows: there is nothing to accept."
        )
    decision = Acceptance(
        dataset=dataset, instrument=instrument, first=first, last=last, reason=reason, at=now, revoked=revoke
    )
    with context.ledger.write():
        context.ledger.acceptances.add(decision)
        context.ledger.touched.add(dataset, [instrument])
    lacking = ranges.subtract(within, held)
    return Accepted(
        instrument=instrument,
        sessions=ranges.size(within),
        held=ranges.size(held),
        open=ranges.size(ranges.intersect(series.to_ask, lacking)),
        refused=ranges.size(ranges.subtract(ranges.subtract(lacking, series.to_ask), series.silent)),
    )
