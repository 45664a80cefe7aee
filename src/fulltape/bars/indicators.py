"""Indicators along bars, by name: `return_1`, `sma_20`, `rsi_14`, `macd_12_26_9`.

They run along the bars of an instrument in time, over the ends of sessions, as TA-Lib computes them where it defines them; `vwap_session`
begins anew with each session. The first values are null until there are as many bars as they need.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from fulltape import errors

_NAME = re.compile(r"([a-z]+(?:_[a-z]+)*)((?:_\d+(?:\.\d+)?)*)")
_FORGOTTEN_WILDER, _FORGOTTEN = 40, 20
"""After so many times its length an average no longer depends, to the last digit of a float, on where it began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """A column that is computed along bars. `reach`: how many bars before a bar its value depends on; `needs` are columns."""

    name: str
    value: pl.Expr
    reach: int
    needs: tuple[str, ...] = ("close",)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    numbers: int
    make: Callable[[Sequence[int]], pl.Expr]
    reach: Callable[[Sequence[int]], int]
    needs: tuple[str, ...] = ("close",)


def parse(name: str) -> Indicator | None:
    """The indicator of that name, None where it is none; `UsageError` for one with the wrong numbers."""
    match = _NAME.fullmatch(name)
    kind = _KINDS.get(match[1]) if match else None
    if match is None or kind is None:
        return None
    texts = match[2].split("_")[1:]
    if len(texts) != kind.numbers or not all(text.isdigit() and 0 < int(text) <= _LONGEST for text in texts):
        raise errors.UsageError(
            f"{name!r} is no indicator.", hint=f"{match[1]} is written {_written(match[1], kind)}."
        )
    numbers = [int(text) for text in texts]
    return Indicator(
        name=name, value=kind.make(numbers).alias(name), reach=kind.reach(numbers), needs=kind.needs
    )


def names() -> list[str]:
    """How every indicator is written, with usual numbers."""
    return [_written(name, kind) for name, kind in _KINDS.items()]


def added(bars: pl.LazyFrame, chosen: Sequence[Indicator]) -> pl.LazyFrame:
    """Bars with these columns more, sorted by instrument and `ts`."""
    ends = ["bucket_end"] if "bucket_end" in bars.collect_schema() else []
    # Of two phases two bars may have one start, and of trades in one moment several.
    ordered = bars.sort("instrument", "ts", *ends, maintain_order=True)
    whole = [indicator.value.over("instrument") for indicator in chosen if indicator.name != _BY_SESSION]
    daily = [
        indicator.value.over("instrument", "session") for indicator in chosen if indicator.name == _BY_SESSION
    ]
    return ordered.with_columns(*whole, *daily)


_LONGEST = 10_000
_BY_SESSION = "vwap_session"


def _written(name: str, kind: _Kind) -> str:
    usual = {1: "_14", 2: "_20_2", 3: "_12_26_9", 0: ""}
    return "return_1" if name == "return" else f"{name}{usual[kind.numbers]}"


def _place() -> pl.Expr:
    """The place of a bar in its series, from 0."""
    return pl.int_range(pl.len())


def _exponential(values: pl.Expr, length: int, alpha: float, *, begins: int = 0) -> pl.Expr:
    """An exponential average that begins with the plain mean of its first `length` values, the first of which is at place
    `begins`."""
    first = begins + length - 1
    seed = values.rolling_mean(length)
    seeded = pl.when(_place() == first).then(seed).when(_place() > first).then(values)
    return seeded.ewm_mean(alpha=alpha, adjust=False)


def _ema(length: int, *, begins: int = 0) -> pl.Expr:
    return _exponential(pl.col("close"), length, 2 / (length + 1), begins=begins)


def _wilder(values: pl.Expr, length: int) -> pl.Expr:
    """Wilder's average of changes, which there are from place 1 on."""
    return _exponential(values, length, 1 / length, begins=1)


def _rsi(length: int) -> pl.Expr:
    change = pl.col("close").diff()
    gain = _wilder(change.clip(lower_bound=0), length)
    loss = _wilder((-change).clip(lower_bound=0), length)
    total = gain + loss
    return pl.when(total > 0).then(100 * gain / total).when(total == 0).then(0.0)


def _atr(length: int) -> pl.Expr:
    before = pl.col("close").shift(1)
    high, low = pl.max_horizontal("high", before), pl.min_horizontal("low", before)
    return _wilder(pl.when(before.is_not_null()).then(high - low), length)


def _macd(numbers: Sequence[int]) -> pl.Expr:
    """The quick average begins where the slow one does."""
    quick, slow = sorted(numbers[:2])
    line = _ema(quick, begins=slow - quick) - _ema(slow)
    return pl.when(_place() >= slow - 1).then(line)


def _signal(numbers: Sequence[int]) -> pl.Expr:
    slow = max(numbers[:2])
    return _exponential(_macd(numbers), numbers[2], 2 / (numbers[2] + 1), begins=slow - 1)


def _deviation(length: int) -> pl.Expr:
    return pl.col("close").rolling_std(length, ddof=0)


def _middle(numbers: Sequence[int]) -> pl.Expr:
    return pl.col("close").rolling_mean(numbers[0])


def _session_vwap() -> pl.Expr:
    """Null from the first bar on that traded at an unknown vwap."""
    traded = pl.col("volume") > 0
    volume = pl.col("volume").cum_sum()
    notional = pl.when(traded).then(pl.col("vwap") * pl.col("volume")).otherwise(0.0).cum_sum()
    unknown = (traded & pl.col("vwap").is_null()).cum_max()
    return pl.when((volume > 0) & ~unknown).then(notional / volume)


def _realised(length: int) -> pl.Expr:
    log_return = (pl.col("close") / pl.col("close").shift(1)).log()
    return (log_return**2).rolling_sum(length).sqrt()


def _times(factor: int) -> Callable[[Sequence[int]], int]:
    return lambda numbers: factor * max(numbers) + sum(numbers)


_KINDS: Mapping[str, _Kind] = {
    "return": _Kind(
        numbers=1, make=lambda n: pl.col("close") / pl.col("close").shift(n[0]) - 1, reach=lambda n: n[0]
    ),
    "log_return": _Kind(
        numbers=1, make=lambda n: (pl.col("close") / pl.col("close").shift(n[0])).log(), reach=lambda n: n[0]
    ),
    "sma": _Kind(numbers=1, make=_middle, reach=lambda n: n[0]),
    "ema": _Kind(numbers=1, make=lambda n: _ema(n[0]), reach=_times(_FORGOTTEN)),
    "rsi": _Kind(numbers=1, make=lambda n: _rsi(n[0]), reach=_times(_FORGOTTEN_WILDER)),
    "atr": _Kind(
        numbers=1,
        make=lambda n: _atr(n[0]),
        reach=_times(_FORGOTTEN_WILDER),
        needs=("high", "low", "close"),
    ),
    "macd": _Kind(numbers=3, make=_macd, reach=_times(_FORGOTTEN)),
    "macd_signal": _Kind(numbers=3, make=_signal, reach=_times(_FORGOTTEN)),
    "macd_histogram": _Kind(numbers=3, make=lambda n: _macd(n) - _signal(n), reach=_times(_FORGOTTEN)),
    "bollinger_upper": _Kind(
        numbers=2, make=lambda n: _middle(n) + n[1] * _deviation(n[0]), reach=lambda n: n[0]
    ),
    "bollinger_middle": _Kind(numbers=2, make=_middle, reach=lambda n: n[0]),
    "bollinger_lower": _Kind(
        numbers=2, make=lambda n: _middle(n) - n[1] * _deviation(n[0]), reach=lambda n: n[0]
    ),
    "realised_volatility": _Kind(numbers=1, make=lambda n: _realised(n[0]), reach=lambda n: n[0]),
    _BY_SESSION: _Kind(
        numbers=0, make=lambda _: _session_vwap(), reach=lambda _: 0, needs=("vwap", "volume")
    ),
}
