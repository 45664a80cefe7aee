"""What the arguments of a read mean, checked once."""

from __future__ import annotations

import datetime as dt
import math
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, cast

from fulltape import errors
from fulltape.adjustment.factors import CONVENTIONS, MODES, Convention, Mode
from fulltape.bars import indicators
from fulltape.bars.buckets import ORIGINS, PHASES, Origin, Phase
from fulltape.bars.every import Every, EveryTraded
from fulltape.bars.indicators import Indicator
from fulltape.bars.ticks import PRICE_KINDS, PriceKind
from fulltape.market import assets
from fulltape.market.dataset import Dataset
from fulltape.market.sessions import Calendar
from fulltape.market.time import DAY, MINUTE, Instant, from_datetime, iso, to_datetime
from fulltape.reading import lengths

Day = str | dt.date
Anchor = Literal["latest", "first"]
_ANCHORS: tuple[Anchor, ...] = ("latest", "first")
_T = TypeVar("_T", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequest:
    """One read, checked. Sessions from `first` to `last`, both inclusive; of those the rows in [begin, end), UTC microseconds,
    None: all. `as_of`: only what was public by then, `known`: as this node had it then, UTC microseconds, inclusive."""

    dataset: Dataset
    symbols: tuple[str, ...] | None
    instruments: tuple[str, ...] | None
    first: dt.date
    last: dt.date
    begin: Instant | None
    end: Instant | None
    every: Every | EveryTraded | None
    phase: Phase
    origin: Origin
    price_kind: PriceKind
    adjust: Mode | None
    anchor: Anchor | dt.date
    convention: Convention
    as_of: Instant | None
    known: Instant | None
    grid: bool
    columns: tuple[str, ...] | None
    indicators: tuple[Indicator, ...]
    warm_up: dt.date
    """The session from which on rows are read, so that indicators have the bars before `first` that they need."""


def parse(
    dataset: Dataset,
    calendar: Calendar,
    *,
    now: Instant,
    symbols: str | Sequence[str] | None = None,
    instruments: str | Sequence[str] | None = None,
    start: Day | None = None,
    end: Day | None = None,
    every: str | None = None,
    phase: str = "regular",
    origin: str = "open",
    price_kind: str = "mid",
    adjust: str = "none",
    anchor: Day = "latest",
    convention: str = "prev_close",
    as_of: Day | None = None,
    as_of_basis: str = "any",
    known: Day | None = None,
    grid: bool = False,
    columns: str | Sequence[str] | None = None,
) -> ScanRequest:
    """`UsageError` for whatever cannot be meant."""
    (first, last), (begin, stop) = _window(start, end, calendar)
    _refuse_both(symbols, instruments)
    columns = _several(columns)
    length = lengths.of(every, dataset)
    lengths.refuse_idle(length, dataset, phase=phase, origin=origin, price_kind=price_kind)
    if adjust == "none" and (anchor, convention) != ("latest", "prev_close"):
        raise errors.UsageError("anchor and convention say how prices are adjusted, and adjust is not given.")
    _refuse_twice(columns or ())
    chosen = _indicators(columns or (), dataset, length)
    mode = None if adjust == "none" else _among(adjust, MODES, "adjust", "none")
    if mode and not is_adjustable(dataset):
        raise errors.UsageError(
            f"adjust={adjust!r} means nothing for {dataset.name}.",
            hint="Splits and dividends are laid over prices of equities.",
        )
    return ScanRequest(
        dataset=dataset,
        symbols=_several(symbols),
        instruments=_several(instruments),
        first=first,
        last=last,
        begin=begin,
        end=stop,
        every=length,
        phase=_among(phase, PHASES, "phase"),
        origin=_among(origin, ORIGINS, "origin"),
        price_kind=_among(price_kind, PRICE_KINDS, "price_kind"),
        adjust=mode,
        anchor=_anchor(anchor, as_of),
        convention=_among(convention, CONVENTIONS, "convention"),
        as_of=moment(as_of, calendar),
        known=_known(known, as_of, as_of_basis, calendar, now),
        grid=lengths.gridded(dataset, phase, length) if grid else False,
        columns=columns,
        indicators=chosen,
        warm_up=_warm_up(first, chosen, calendar, dataset, length),
    )


def _window(
    start: Day | None, end: Day | None, calendar: Calendar
) -> tuple[tuple[dt.date, dt.date], tuple[Instant | None, Instant | None]]:
    """The first and the last session, and the moments that are its edges where moments were given."""
    first, begin = _edge(start, calendar, "start")
    last, stop = _edge(end, calendar, "end")
    first, last = first or dt.date.min, last or dt.date.max
    if first > last or (begin is not None and stop is not None and begin >= stop):
        raise errors.UsageError(f"start {start} lies after end {end}.")
    return (first, last), (begin, stop)


def _indicators(
    columns: Sequence[str], dataset: Dataset, every: Every | EveryTraded | None
) -> tuple[Indicator, ...]:
    """The indicators among the columns."""
    ticks = dataset.grain == "tick" and every is not None
    there = set(dataset.schema.names)
    if ticks:
        there |= {"open", "high", "low", "close", *(("volume", "vwap") if "size" in there else ())}
    chosen = [
        indicator
        for name in columns
        if name not in dataset.curated.names and (indicator := indicators.parse(name)) is not None
    ]
    for indicator in chosen:
        lacking = set(indicator.needs) - there
        if lacking or not (ticks or dataset.grain in ("day", "minute")):
            raise errors.UsageError(
                f"{indicator.name} cannot be computed along {dataset.name}.",
                hint=f"It needs bars with {', '.join(indicator.needs)}.",
            )
    return tuple({indicator.name: indicator for indicator in chosen}.values())


def _warm_up(
    first: dt.date,
    chosen: Sequence[Indicator],
    calendar: Calendar,
    dataset: Dataset,
    every: Every | EveryTraded | None,
) -> dt.date:
    """The session that lies as many bars before the first one as indicators reach back, and half as many more, since not every
    bar is there."""
    reach = max((indicator.reach for indicator in chosen), default=0)
    start, _ = calendar.between(first, calendar.known_to)
    if not reach or start == 0:
        return first
    length = every.length if isinstance(every, Every) else MINUTE
    a_session = (
        1  # how many bars a session has that are measured by trading is not known: more is read if need be
    )
    if dataset.grain != "day" and not isinstance(every, EveryTraded):
        a_session = max(1, calendar.expected_minutes(min(start, len(calendar)) - 1) * MINUTE // length)
    back = math.ceil(1.5 * reach / a_session) + 1
    return calendar.label(max(0, start - back))


def _refuse_both(symbols: object, instruments: object) -> None:
    if symbols is not None and instruments is not None:
        raise errors.UsageError(
            "symbols and instruments are given.",
            hint="Symbols are those of the session, instruments their whole lives: give one of them.",
        )


def _refuse_twice(columns: Sequence[str]) -> None:
    twice = [name for name in columns if list(columns).count(name) > 1]
    if twice:
        raise errors.UsageError(f"the column {twice[0]!r} is named more than once.")


def is_adjustable(dataset: Dataset) -> bool:
    """Whether splits and dividends mean something for the rows of a dataset: prices of equities as they were traded."""
    priced = {"close", "price", "bid"}.intersection(dataset.schema.names)
    return dataset.asset_class is assets.EQUITIES and bool(priced) and not dataset.adjusted


def day(value: Day, name: str) -> dt.date:
    """A date; `UsageError` for a moment."""
    given, instant = _parsed(value, name)
    if given is None or instant is not None:
        raise errors.UsageError(f"{name}={value!r} is no day.", hint="Give a date, YYYY-MM-DD.")
    return given


def moment(value: Day | None, calendar: Calendar, name: str = "as_of") -> Instant | None:
    """A moment, such as `as_of`, as UTC microseconds: a date is its end in the market's zone."""
    day, instant = _edge(value, calendar, name, exact=True)
    if day is None or instant is not None:
        return instant
    if not dt.date.min < day < dt.date(9999, 1, 1):
        raise errors.UsageError(f"{name}={value!r} lies beyond every calendar.")
    zone = zoneinfo.ZoneInfo(calendar.zone)
    return from_datetime(dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), tzinfo=zone))


def known_by(known: Day | None, calendar: Calendar, now: Instant) -> Instant | None:
    """The moment of `known`; `UsageError` where it has not come: what would be given is what is known now."""
    then = moment(known, calendar, "known")
    if then is not None and then > now + DAY:  # the day that runs has not ended either
        raise errors.UsageError(f"known={known!r} lies in the future: it is {iso(now)}.")
    return then


def _known(
    known: Day | None, as_of: Day | None, basis: str, calendar: Calendar, now: Instant
) -> Instant | None:
    """By when this node had what is read: what was observed by `as_of` it had then."""
    then = known_by(known, calendar, now)
    if _among(basis, ("any", "observed"), "as_of_basis") == "any":
        return then
    public = moment(as_of, calendar)
    if public is None:
        raise errors.UsageError("as_of_basis='observed' says what as_of means, and as_of is not given.")
    return public if then is None else min(public, then)


def convention_of(value: str) -> Convention:
    """A convention of factors; `UsageError` for one that there is not."""
    return _among(value, CONVENTIONS, "convention")


def _several(names: str | Sequence[str] | None) -> tuple[str, ...] | None:
    several = (names,) if isinstance(names, str) else None if names is None else tuple(names)
    for name in several or ():
        if not isinstance(name, str):
            raise errors.UsageError(
                f"{name!r} is no name.", hint="Symbols, instruments and columns are texts."
            )
    return several


def _among(value: str, known: Sequence[_T], name: str, *more: str) -> _T:
    if value not in known:
        raise errors.UsageError(
            f"{name}={value!r} is not known.", hint=f"It is {', '.join((*more, *known))}."
        )
    return cast("_T", value)


def _anchor(value: Day, as_of: Day | None) -> Anchor | dt.date:
    if isinstance(value, str) and value in _ANCHORS:
        return value
    try:
        anchor = day(value, "anchor")
    except errors.UsageError as error:
        raise errors.UsageError(
            f"anchor={value!r} is no date.", hint="It is latest, first, or YYYY-MM-DD."
        ) from error
    known, instant = (None, None) if as_of is None else _parsed(as_of, "as_of")
    seen = to_datetime(instant).date() if instant is not None else known
    if seen is not None and anchor > seen:
        raise errors.UsageError(
            f"anchor={value!r} lies after as_of={as_of!r}: what prices would be there was not known then."
        )
    return anchor


def _edge(
    value: Day | None, calendar: Calendar, name: str, *, exact: bool = False
) -> tuple[dt.date | None, Instant | None]:
    """The session that an argument names or lies in, and the instant where it is one. An end is exclusive: at the very begin
    of a session it is the one before."""
    if value is None:
        return None, None
    day, instant = _parsed(value, name)
    if instant is None or exact:
        return day, instant
    return calendar.day_rule.session(instant - (name == "end")), instant


def _parsed(value: object, name: str) -> tuple[dt.date | None, Instant | None]:
    """A date, or a moment with a zone, out of itself or of text. A moment without a zone could be meant in two ways."""
    given = value
    if isinstance(value, str):
        try:
            given = (
                dt.date.fromisoformat(value)
                if len(value) in (len("20121026"), len("2012-10-26"))
                else dt.datetime.fromisoformat(value)
            )
        except ValueError:
            given = value
    if isinstance(given, dt.datetime) and str(given) != "NaT":
        if given.tzinfo is None:
            raise errors.UsageError(
                f"{name}={value!r} has no time zone.",
                hint="Give a date, YYYY-MM-DD, or a moment with its zone, such as 2026-11-27T21:00Z.",
            )
        return None, from_datetime(given)
    if isinstance(given, dt.date) and str(given) != "NaT":
        return given, None
    raise errors.UsageError(
        f"{name}={value!r} is no date.",
        hint="Give a date, YYYY-MM-DD, or a moment with its zone, such as 2026-11-27T21:00Z.",
    )
