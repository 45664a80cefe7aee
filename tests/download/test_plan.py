"""What is meant by the words of a download, and into which files it goes."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulltape import errors, vendors
from fulltape.contract.vendor import Source
from fulltape.download import plan
from fulltape.download.plan import CUTS, FileLayout, Wish

TODAY = dt.date(2026, 11, 30)
ALPACA, BINANCE, DERIV, MASSIVE = (
    list(vendors.load(name).SPEC.sources) for name in ("alpaca", "binance", "deriv", "massive")
)


@pytest.mark.parametrize(
    ("first", "last", "span"),
    [
        ("2023-01", "2023-03", ("2023-01-01", "2023-03-31")),
        ("2023", "2023", ("2023-01-01", "2023-12-31")),
        ("2024-02", "2024-02", ("2024-02-01", "2024-02-29")),
        ("2023-01-05", "2023-01-05", ("2023-01-05", "2023-01-05")),
        ("2026-11", "", ("2026-11-01", "2026-11-29")),
        ("2026-11", "2026-11", ("2026-11-01", "2026-11-29")),
        ("2026-11", "2026-11-30", ("2026-11-01", "2026-11-29")),
        ("2026", "2026", ("2026-01-01", "2026-11-29")),
    ],
)
def test_days_months_and_years_are_inclusive(first: str, last: str, span: tuple[str, str]) -> None:
    assert tuple(day.isoformat() for day in plan.span(first, last, TODAY)) == span


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("2027-01", "", "lies in the future"),
        ("2026-11-30", "", "lies in the future"),
        ("2026-01", "2026-12", "lies in the future"),
        ("2026-01", "2027", "lies in the future"),
        ("2025-02", "2025-01", "ends before it begins"),
        ("2025-02-30", "", "is no day"),
        ("2025-13", "", "is no day"),
        ("yesterday", "", "is no day"),
        ("0000", "", "is no day"),
    ],
)
def test_what_is_no_span_is_refused(first: str, last: str, words: str) -> None:
    with pytest.raises(errors.UsageError, match=words):
        plan.span(first, last, TODAY)


@pytest.mark.parametrize(
    ("sources", "names", "symbols", "meant"),
    [
        (BINANCE, ["bars_minute"], ["BTC/USDT"], ["crypto_bars_minute"]),
        (ALPACA, ["bars_day"], ["AAPL"], ["equities_bars_day"]),
        (ALPACA, ["bars_day"], ["AAPL", "BTC/USD"], ["crypto_bars_day", "equities_bars_day"]),
        (ALPACA, ["bars_day", "trades"], ["AAPL"], ["equities_bars_day", "equities_trades"]),
        (DERIV, ["ticks"], ["R_100"], ["synthetic_ticks"]),
        (DERIV, ["synthetic_ticks", "ticks"], ["R_100"], ["synthetic_ticks"]),
        (MASSIVE, ["forex_bars_day"], ["EURUSD"], ["forex_bars_day"]),
        (MASSIVE, ["bars_day"], ["EURUSD"], ["forex_bars_day"]),
        (
            MASSIVE,
            ["forex_bars_day", "equities_bars_day"],
            ["EURUSD", "AAPL"],
            ["forex_bars_day", "equities_bars_day"],
        ),
        (DERIV, ["bars_minute"], ["EURUSD", "R_100"], ["forex_bars_minute", "synthetic_bars_minute"]),
    ],
)
def test_short_names_mean_what_the_symbols_are(
    sources: list[Source], names: list[str], symbols: list[str], meant: list[str]
) -> None:
    assert plan.chosen(names, symbols, sources) == meant


def test_names_that_mean_nothing_or_too_much_are_refused() -> None:
    with pytest.raises(errors.UsageError, match="none of its datasets"):
        plan.chosen(["quotes"], ["BTC/USDT"], BINANCE)
    with pytest.raises(errors.UsageError, match=r"is written BRK\.B"):
        plan.chosen(["equities_bars_day"], ["BRK-B"], ALPACA)


def test_how_long_nothing_may_come() -> None:
    names = ["crypto_bars_minute", "crypto_trades", "crypto_bars_day"]
    usual = {"crypto_bars_minute": 60_000_000, "crypto_trades": 10_000_000, "crypto_bars_day": None}
    assert plan.most_gap([], names) == usual
    assert plan.most_gap(["bars_minute=5m"], names) == usual | {"crypto_bars_minute": 300_000_000}
    assert plan.most_gap(["1h", "trades=off"], names) == {
        "crypto_bars_minute": 3_600_000_000, "crypto_trades": None, "crypto_bars_day": 3_600_000_000,
    }  # fmt: skip
    for text in ("quotes=5m", "5", "bars_minute=", "5d"):
        with pytest.raises(errors.UsageError, match="--max-gap"):
            plan.most_gap([text], names)


DAYS = st.dates(dt.date(1999, 1, 1), dt.date(2030, 12, 31))


@given(
    DAYS,
    DAYS,
    st.sampled_from(CUTS),
    st.lists(st.sampled_from(["BTC/USDT", "BTC/USD", "ETH/USDT"]), min_size=1, unique=True),
)
def test_files_hold_every_day_of_every_symbol_once(
    one: dt.date, other: dt.date, by: plan.Cut, symbols: list[str]
) -> None:
    first, last = min(one, other), min(max(one, other), min(one, other) + dt.timedelta(days=900))
    wish = Wish(
        vendor="v", datasets=["crypto_trades"], symbols=symbols, first=first, last=last, layout=FileLayout(by=by)
    )  # fmt: skip
    files = list(plan.partitions(wish, "crypto_trades", symbols))
    assert len({file.path for file in files}) == len(files)
    assert not any(".." in file.path or file.path.startswith("/") for file in files)
    for symbol in symbols:
        mine = sorted((file.first, file.last) for file in files if file.symbol in ("", symbol))
        assert mine[0][0] == first
        assert mine[-1][1] == last
        for (_, before), (after, _) in itertools.pairwise(mine):
            assert after == before + dt.timedelta(days=1)


@given(st.text(min_size=1, max_size=40))
def test_no_symbol_leaves_its_folder(symbol: str) -> None:
    wish = Wish(vendor="v", datasets=["d"], symbols=[symbol], first=TODAY, last=TODAY)
    (file,) = plan.partitions(wish, "crypto_trades", [symbol])
    assert file.path.count("/") == 2
    assert ".." not in file.path.split("/")
    assert "\\" not in file.path
    assert "\0" not in file.path
