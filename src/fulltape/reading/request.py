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
from fulltape.bars import every as lengths
from fulltape.bars import indicators
from fulltape.bars.every import Every
from fulltape.bars.indicators import Indicator
from fulltape.bars.resample import ORIGINS, PHASES, Origin, Phase
from fulltape.market import assets
from fulltape.market.dataset import Dataset
from fulltape.market.sessions import Calendar
from fulltape.market.time import MINUTE, Instant, from_datetime, to_datetime

Day = str | dt.date
Anchor = Literal["latest", "first"]
_ANCHORS: tuple[Anchor, ...] = ("latest", "first")
_T = TypeVar("_T", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequest:
    """One read, checked. Sessions from `first` to `last`, both inclusive; of those the rows in [begin, end), UTC microseconds,
    None: all. `as_of`: only what was public by then, UTC microseconds, inclusive."""

    dataset: Dataset
    symbols: tuple[str, ...] | None
    instruments: tuple[str, ...] | None
    first: dt.date
    last: dt.date
    begin: Instant | None
    end: Instant | None
    every: Every | None
    phase: Phase
    origin: Origin
    adjust: Mode | None
    anchor: Anchor | dt.date
    convention: Convention
    as_of: Instant | None
    grid: bool
    columns: tuple[str, ...] | None
    indicators: tuple[Indicator, ...]
    warm_up: dt.date
    """The session from which on rows are read, so that indicators have the bars before `first` that they need."""


def parse(
    dataset: Dataset,
    calendar: Calendar,
    *,
    symbols: str | Sequence[str] | None,
    instruments: str | Sequence[str] | None,
    start: Day | None,
    end: Day | None,
    every: str | None,
    phase: str,
    origin: str,
    adjust: str,
    anchor: Day,
    convention: str,
    as_of: Day | None,
    grid: bool,
    columns: str | Sequence[str] | None,
) -> ScanRequest:
    """`UsageError` for whatever cannot be meant."""
    first, begin = _edge(start, calendar, "start")
    last, stop = _edge(end, calendar, "end")
    first, last = first or dt.date.min, last or dt.date.max
    if first > last or (begin is not None and stop is not None and begin >= stop):
        raise errors.UsageError(f"start {start} lies after end {end}.")
    if symbols is not None and instruments is not None:
        raise errors.UsageError(
            "symbols and instruments are given.",
            hint="Symbols are those of the session, instruments their whole lives: give one of them.",
        )
    columns = _several(columns)
    length = _length(every, dataset)
    _refuse_idle(length, phase, origin, adjust, anchor, convention)
    _refuse_twice(columns or ())
    chosen = _indicators(columns or (), dataset)
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
        adjust=mode,
        anchor=_anchor(anchor, as_of),
        convention=_among(convention, CONVENTIONS, "convention"),
        as_of=moment(as_of, calendar),
        grid=_gridded(dataset, phase, length) if grid else False,
        columns=columns,
        indicators=chosen,
        warm_up=_warm_up(first, chosen, calendar, dataset, length),
    )


def _indicators(columns: Sequence[str], dataset: Dataset) -> tuple[Indicator, ...]:
    """The indicators among the columns."""
    chosen = [
        indicator
        for name in columns
        if name not in dataset.curated.names and (indicator := indicators.parse(name)) is not None
    ]
    for indicator in chosen:
        lacking = set(indicator.needs) - set(dataset.schema.names)
        if lacking or dataset.grain not in ("day", "minute"):
            raise errors.UsageError(
                f"{indicator.name} cannot be computed along {dataset.name}.",
                hint=f"It needs bars with {', '.join(indicator.needs)}.",
            )
    return tuple({indicator.name: indicator for indicator in chosen}.values())


def _warm_up(
    first: dt.date, chosen: Sequence[Indicator], calendar: Calendar, dataset: Dataset, every: Every | None
) -> dt.date:
    """The session that lies as many bars before the first one as indicators reach back, and half as many more, since not every
    bar is there."""
    reach = max((indicator.reach for indicator in chosen), default=0)
    start, _ = calendar.between(first, calendar.known_to)
    if not reach or start == 0:
        return first
    minutes = 1 if every is None else every.length // MINUTE
    a_session = (
        1
        if dataset.grain == "day"
        else max(1, calendar.expected_minutes(min(start, len(calendar)) - 1) // minutes)
    )
    back = math.ceil(1.5 * reach / a_session) + 1
    return calendar.label(max(0, start - back))


def _refuse_twice(columns: Sequence[str]) -> None:
    twice = [name for name in columns if list(columns).count(name) > 1]
    if twice:
        raise errors.UsageError(f"the column {twice[0]!r} is named more than once.")


def _refuse_idle(
    every: Every | None, phase: str, origin: str, adjust: str, anchor: Day, convention: str
) -> None:
    """What would be asked for in vain is refused, since it was meant to change something."""
    if every is None and (phase, origin) != ("regular", "open"):
        raise errors.UsageError(
            "phase and origin say how bars are made, and every is not given.",
            hint="Filter the rows by their column phase, or say every=.",
        )
    if adjust == "none" and (anchor, convention) != ("latest", "prev_close"):
        raise errors.UsageError("anchor and convention say how prices are adjusted, and adjust is not given.")


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


def moment(value: Day | None, calendar: Calendar) -> Instant | None:
    """`as_of` as UTC microseconds: a date is its end in the market's zone."""
    day, instant = _edge(value, calendar, "as_of", exact=True)
    if day is None or instant is not None:
        return instant
    if not dt.date.min < day < dt.date(9999, 1, 1):
        raise errors.UsageError(f"as_of={value!r} lies beyond every calendar.")
    zone = zoneinfo.ZoneInfo(calendar.zone)
    return from_datetime(dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), tzinfo=zone))


def convention_of(value: str) -> Convention:
    """A convention of factors; `UsageError` for one that there is not."""
    return _among(value, CONVENTIONS, "convention")


def _several(names: str | Sequence[str] | None) -> tuple[str, ...] | None:
    return (names,) if isinstance(names, str) else None if names is None else tuple(names)


def _among(value: str, known: Sequence[_T], name: str, *more: str) -> _T:
    if value not in known:
        raise errors.UsageError(
            f"{name}={value!r} is not known.", hint=f"It is {', '.join((*more, *known))}."
        )
    return cast("_T", value)


def _length(every: str | None, dataset: Dataset) -> Every | None:
    if every is None:
        return None
    if dataset.grain != "minute":
        raise errors.UsageError(
            f"every={every!r} is for minute bars, and {dataset.name} has none.",
            hint="Scan the dataset of minutes of the same kind.",
        )
    length = lengths.parse(every)
    if length.length % MINUTE:
        raise errors.UsageError(f"bars of {every} cannot be made of minutes.")
    return length


def _gridded(dataset: Dataset, phase: str, every: Every | None) -> bool:
    if dataset.grain not in ("day", "minute"):
        raise errors.UsageError(f"{dataset.name} has no grid: which rows it should have is not known.")
    if every is not None and phase != "regular":
        raise errors.UsageError(
            f"the phase {phase} has no grid.",
            hint="Which minutes have trades is known of regular hours only.",
        )
    return True


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
                if len(value) == len("2012-10-26")
                else dt.datetime.fromisoformat(value)
            )
        except ValueError:
            given = value
    if isinstance(given, dt.datetime) and str(given) != "NaT":
        if given.tzinfo is None:
            raise errors.UsageError(
                f"{name}={value!r} has no time zone.",
                hint="Give a date, YYYY-MM-DD, or a moment with its zone.",
            )
        return None, from_datetime(given)
    if isinstance(given, dt.date) and str(given) != "NaT":
        return given, None
    raise errors.UsageError(
        f"{name}={value!r} is no session.", hint="Give a date, YYYY-MM-DD, or a moment with its zone."
    )
