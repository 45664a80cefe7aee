"""How long the bars of a read are, and what can be asked about them."""

from __future__ import annotations

from fulltape import errors
from fulltape.bars import every as lengths
from fulltape.bars.buckets import AUCTION
from fulltape.bars.every import Every, EveryTraded
from fulltape.market.dataset import Dataset
from fulltape.market.time import MINUTE


def of(every: str | None, dataset: Dataset) -> Every | EveryTraded | None:
    """The length of bars; `UsageError` for one that cannot be made of the rows of a dataset."""
    if every is None:
        return None
    length = lengths.parse(every)
    if is_ticks(dataset):
        if (
            isinstance(length, EveryTraded)
            and length.measure != "ticks"
            and "size" not in dataset.schema.names
        ):
            raise errors.UsageError(f"{dataset.name} tells of no sizes: {every!r} cannot be counted.")
        return length
    if dataset.grain != "minute":
        raise errors.UsageError(
            f"every={every!r} is for minute bars and ticks, and {dataset.name} has none.",
            hint="Scan the dataset of minutes or ticks of the same kind.",
        )
    if lengths.of_time(every).length % MINUTE:
        raise errors.UsageError(
            f"bars of {every} cannot be made of minutes.", hint="Scan the dataset of ticks of the same kind."
        )
    return length


def is_ticks(dataset: Dataset) -> bool:
    """Whether bars are made of the single trades, quotes or values of a dataset."""
    return dataset.grain == "tick" and bool({"price", "bid"}.intersection(dataset.schema.names))


def has_conditions(dataset: Dataset) -> bool:
    """Whether a dataset has trades whose conditions say what they count for."""
    return is_ticks(dataset) and {"size", "conditions"} <= set(dataset.schema.names)


def refuse_idle(
    every: Every | EveryTraded | None, dataset: Dataset, *, phase: str, origin: str, price_kind: str
) -> None:
    """What would be asked for in vain is refused, since it was meant to change something."""
    if every is None and (phase, origin) != ("regular", "open"):
        raise errors.UsageError(
            "phase and origin say how bars are made, and every is not given.",
            hint="Filter the rows by their column phase, or say every=.",
        )
    if isinstance(every, EveryTraded) and origin != "open":
        raise errors.UsageError(f"origin={origin!r} is about bars of time, and {every.text} is none.")
    quotes = is_ticks(dataset) and "bid" in dataset.schema.names
    if price_kind != "mid" and (every is None or not quotes):
        raise errors.UsageError(
            "price_kind says of which side of quotes bars are made.",
            hint="Give it with every= and a dataset of quotes.",
        )
    if phase == AUCTION and not has_conditions(dataset):
        raise errors.UsageError(
            f"{dataset.name} does not tell auctions apart.",
            hint="Trades of equities do: scan equities_trades.",
        )


def gridded(dataset: Dataset, phase: str, every: Every | EveryTraded | None) -> bool:
    """True; `UsageError` where it is not known which bars there should be."""
    if dataset.grain not in ("day", "minute"):
        raise errors.UsageError(f"{dataset.name} has no grid: which rows it should have is not known.")
    if every is not None and phase != "regular":
        raise errors.UsageError(
            f"the phase {phase} has no grid.",
            hint="Which minutes have trades is known of regular hours only.",
        )
    return True
