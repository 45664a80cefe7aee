"""A user's decision about a silence, checked against what the node knows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from fulltape import errors
from fulltape.core import datasets, ranges
from fulltape.core.time import Clock
from fulltape.ledger.acceptances import Acceptance
from fulltape.node import gaps
from fulltape.stores import Stores, known


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What a decision concerns: how many wanted sessions, and of how many of them there are rows."""

    instrument: str
    sessions: int
    held: int


def accept(
    stores: Stores,
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
    wanted = stores.wanted.get(datasets.get(dataset).name)
    if wanted is None:
        raise errors.UsageError(
            f"this node does not have {dataset}.", hint=f"It has {', '.join(sorted(stores.wanted))}."
        )
    names = gaps.named(wanted, symbol)
    if len(names) != 1:
        known_as = f"is the symbol of {', '.join(names)}" if names else "is not in its universe"
        raise errors.UsageError(
            f"{symbol} {known_as}.", hint="Name one instrument: see fulltape symbols show."
        )
    now = clock.now()
    (one,) = known.read(stores, wanted, now, names)
    within = ranges.clip(one.wanted, *wanted.calendar.between(first, last))
    if not within:
        raise errors.UsageError(
            f"no session of {symbol} from {first} to {last} is wanted.",
            hint="See [dataset] from and until, and fulltape symbols show for its listing.",
        )
    decision = Acceptance(
        dataset=dataset, instrument=names[0], first=first, last=last, reason=reason, at=now, revoked=revoke
    )
    with stores.ledger.write():
        stores.ledger.acceptances.add(decision)
        stores.ledger.coverage.touch(dataset, names)
    held = ranges.intersect(one.rows, within)
    return Accepted(instrument=names[0], sessions=ranges.size(within), held=ranges.size(held))
