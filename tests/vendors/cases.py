"""What the conformance suite asks each dataset for, and what of the simulated market the answer must hold."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from fulltape import vendors
from fulltape.calendars import tables
from fulltape.contract.vendor import Capability, Decoded, Rejected, Source
from fulltape.decoding import frames
from fulltape.market import datasets
from fulltape.market.time import midnight
from fulltape.simulator import invented, registry
from fulltape.simulator import market as markets
from fulltape.simulator.market import Market

EXCHANGES = ("binance", "coinbaseexchange", "kraken")
"""The exchanges through which ccxt is tried: those that have a simulated vendor."""
_TWINS_OF_CCXT = {"coinbaseexchange": "coinbase"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One source and dataset: whom and when to ask, and how many rows a page may have so that there are several."""

    source: Source
    capability: Capability
    symbols: tuple[str, ...]
    first: str
    last: str
    rows_per_page: int

    @property
    def vendor(self) -> str:
        """The vendor's name."""
        return self.source.name.partition(".")[0]

    @property
    def twin(self) -> str:
        """Whose twin answers."""
        return (
            _TWINS_OF_CCXT.get(self.source.feed, self.source.feed) if self.vendor == "ccxt" else self.vendor
        )

    @property
    def id(self) -> str:
        """Its name in a test's."""
        return f"{self.source.name}-{self.capability.dataset}"


_STOCKS, _DATES = ("AAPL", "FB", "IBM"), ("2024-10-28", "2024-11-08")
_ASKED: dict[str, tuple[tuple[str, ...], str, str, int]] = {
    "equities_bars_day": (_STOCKS, "2012-05-01", "2012-12-31", 70),
    "equities_bars_minute": (_STOCKS, "2012-10-30", "2012-11-06", 470),
    "equities_adjusted_evidence": (("IBM", "FB"), "2012-05-01", "2012-12-31", 70),
    "options_bars_day": (("AAPL241115C00230000", "AAPL241115P00220000"), *_DATES, 4),
    "options_bars_minute": (("AAPL241115C00230000", "AAPL241115P00220000"), "2024-10-31", "2024-11-05", 150),
    "forex_bars_day": (("EURUSD", "USDJPY"), "2024-10-29", "2024-11-07", 3),
    "forex_bars_minute": (("EURUSD", "USDJPY"), "2024-10-31", "2024-11-05", 900),
    "crypto_bars_day": (("BTC/USD", "ETH/USD"), *_DATES, 4),
    "crypto_bars_minute": (("BTC/USD", "ETH/USD"), "2024-11-02", "2024-11-05", 900),
    "crypto_trades": (("BTC/USD", "ETH/USD"), "2024-11-03", "2024-11-04", 400),
    "equities_trades": (_STOCKS, "2012-11-01", "2012-11-02", 400),
    "equities_quotes": (_STOCKS, "2012-11-01", "2012-11-02", 400),
    "forex_quotes": (("EURUSD",), "2024-11-04", "2024-11-04", 2_000),
    "crypto_aggtrades": (("BTC/USD", "ETH/USD"), "2024-11-03", "2024-11-07", 400),
    "forex_ticks": (("EURUSD",), "2024-11-04", "2024-11-04", 2_000),
    "synthetic_ticks": (("R_100",), "2024-11-03", "2024-11-04", 2_000),
    "synthetic_bars_day": (("R_100",), *_DATES, 5),
    "synthetic_bars_minute": (("R_100",), "2024-11-02", "2024-11-05", 700),
    "macro_series": (("GDP",), "2024-05-20", "2024-11-08", 3),
    "corporate_actions": (("AAPL", "NVDA"), *_DATES, 1),
}


@functools.cache
def market() -> Market:
    """The bundled sample and the invented market together."""
    whole = markets.joined(markets.sample(), invented.market())
    return replace(whole, symbols=whole.symbols | {"AAPL", "NVDA"})


def _sources() -> Iterable[Source]:
    for name in vendors.names():
        spec = vendors.load(name).SPEC
        yield from spec.sources
        if spec.any_source:
            yield from (source for feed in EXCHANGES if (source := spec.any_source(feed)))


def _cases() -> Iterable[Case]:
    for source in _sources():
        for capability in source.capabilities:
            if source.feed == "iex" or (
                source.name == "ccxt.kraken" and capability.dataset != "crypto_bars_day"
            ):
                continue  # the same code as the other feed; ccxt says itself that kraken has its newest minutes only
            symbols, first, last, size = _ASKED[capability.dataset]
            chosen = symbols if capability.symbols_per_request > 1 else symbols[:1]
            case = Case(
                source=source,
                capability=capability,
                symbols=chosen,
                first=first,
                last=last,
                rows_per_page=size,
            )
            # Without a simulated vendor its recorded answers are all there is to hold it to.
            if case.twin in registry.vendors():
                yield case


CASES = tuple(_cases())
EDGES = {"equities_quotes": 0.01, "forex_quotes": 0.0001}
"""How far below a tick the twins quote the bid."""
Row = tuple[object, ...]


def expected(case: Case, symbols: Sequence[str] = ()) -> set[Row]:
    """The rows that the simulated market has for a case, each as `shown` shows it."""
    found: set[Row] = set()
    dataset = datasets.get(case.capability.dataset)
    calendar = tables.load(dataset.calendar)
    first, last = dt.date.fromisoformat(case.first), dt.date.fromisoformat(case.last)
    for symbol in symbols or case.symbols:
        if dataset.grain in ("day", "minute"):
            found |= {
                (symbol, bar.session if dataset.grain == "day" else bar.start, bar.open, bar.close)
                for bar in market().bars[dataset.grain, symbol]
                if first <= calendar.day_rule.session(bar.start) <= last or dataset.grain == "day"
                if dataset.grain == "minute"
                or (first <= bar.session <= last and calendar.day(bar.session) == "session")
            }
        elif dataset.grain == "tick":
            span = calendar.span(first, last)
            ticks = market().ticks_between(symbol, span.start * 1_000, span.end * 1_000 - 1)
            edge = EDGES.get(dataset.name, 0.0)
            found |= {
                (symbol, tick.at // 1_000, round(tick.price - edge, 5), 0 if edge else tick.trade_id)
                for tick in ticks
            }
        elif dataset.name == "macro_series":
            found |= {
                (symbol, midnight(one.date), one.start, one.value)
                for one in market().vintages[symbol]
                if first <= one.start <= last
            }
        else:
            found |= {
                (symbol, action.action_id, action.ex_date, action.amount)
                for action in market().actions
                if action.symbol == symbol and first <= action.ex_date <= last
            }
    return found


def decoded_rows(case: Case, decoded: Decoded) -> tuple[list[Row], tuple[Rejected, ...]]:
    """What the rows of pages become, each as `expected` has it; and what was rejected."""
    dataset = datasets.get(case.capability.dataset)
    frame, rejected = frames.rows(decoded, dataset, case.capability, tables.load(dataset.calendar))
    columns = {
        "day": ("symbol", "session", "open", "close"),
        "minute": ("symbol", "ts", "open", "close"),
        "tick": ("symbol", "ts", "price", "trade_id"),
    }.get(dataset.grain)
    if dataset.name == "macro_series":
        columns = ("symbol", "ts", "realtime_start", "value")
    if dataset.name == "corporate_actions":
        columns = ("symbol", "event_id", "ex_date", "amount")
    assert columns
    import polars as pl

    shown = frame.with_columns(pl.col("ts").dt.epoch("us"))
    if "bid" in shown.columns:
        shown = shown.with_columns(pl.col("bid").round(5).alias("price"))
    shown = shown.with_columns(
        pl.col("trade_id").cast(pl.Int64) if "trade_id" in shown.columns else pl.lit(0).alias("trade_id")
    )
    return list(shown.select(columns).iter_rows()), rejected
