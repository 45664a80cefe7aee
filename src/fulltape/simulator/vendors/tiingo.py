"""Tiingo, simulated: day bars with raw and adjusted columns, and meta data, as documented."""

from __future__ import annotations

import datetime as dt
import re

from fulltape.market.time import SECOND, midnight
from fulltape.simulator.market import Action, new_york_midnight
from fulltape.simulator.minutes import Bar
from fulltape.simulator.server import Call, Reply
from fulltape.simulator.vendor import SimulatedVendor, disturbed, said

_PATH = re.compile(r"/tiingo/daily/([^/]+)(/prices)?")


class Tiingo(SimulatedVendor):
    """Answers `/tiingo/daily/…`."""

    vendor = "tiingo"
    garbage = b'[{"date":"2024-01-03T00:00:00.000Z","close":'

    def refused(self, call: Call) -> Reply | None:
        """The key comes in a header, or in the query."""
        word, _, key = call.headers.get("authorization", "").partition(" ")
        if (word == "Token" and key) or call.params.get("token"):
            return None
        return said(401, {"detail": "Authentication credentials were not provided: please supply a token"})

    def too_many(self, wait: float) -> Reply:  # noqa: ARG002
        """429."""
        words = "Error: You have run over your hourly request allocation. Please upgrade at https://api.tiingo.com/pricing to have your limits increased."
        return said(429, {"detail": words})

    def answer(self, call: Call) -> Reply:
        """By path."""
        match = _PATH.fullmatch(call.path)
        if not match:
            return said(404, {"detail": "Not found."})
        symbol = match[1].upper().replace("-", ".")
        if not self.knows(symbol) or ("day", symbol) not in self.market.bars:
            return said(404, {"detail": f"Error: Ticker '{match[1]}' not found"})
        if not self.entitled("day", symbol):
            return said(403, {"detail": "Error: your plan does not include this ticker"})
        if not match[2]:
            return said(200, self._meta(symbol))
        return self._prices(call, symbol)

    def _meta(self, symbol: str) -> dict[str, object]:
        bars = self.market.bars["day", symbol]
        return {
            "ticker": symbol, "name": symbol, "exchangeCode": "NASDAQ",
            "startDate": bars[0].session.isoformat(), "endDate": bars[-1].session.isoformat(), "description": "",
        }  # fmt: skip

    def _prices(self, call: Call, symbol: str) -> Reply:
        try:
            first, last = (
                dt.date.fromisoformat(call.params[name][:10]) if name in call.params else None
                for name in ("startDate", "endDate")
            )
        except ValueError:
            return said(400, {"detail": "Error: dates are YYYY-MM-DD"})
        fault = self.strike("day", [symbol])
        if reply := self.faulty(fault):
            return reply
        end = new_york_midnight((last or dt.date(2100, 1, 1)) + dt.timedelta(days=1)) - SECOND
        bars = self.bars("day", symbol, new_york_midnight(first or dt.date(1900, 1, 1)), end)
        if first is None:
            bars = bars[-1:]
        rows, _ = self.page(bars, len(bars) or 1, fault)
        rows = disturbed(rows, fault)
        actions = [action for action in self.market.actions if action.symbol == symbol]
        return said(200, [_row(bar, actions) for bar in rows], rows=len(rows), fault=fault)


def _row(bar: Bar, actions: list[Action]) -> dict[str, object]:
    """A day in the vendor's columns; adjusted by the splits that come after it."""
    factor = 1.0
    split, cash = 1.0, 0.0
    for action in actions:
        if action.ratio and action.ex_date > bar.session:
            factor *= action.ratio[0] / action.ratio[1]
        if action.ex_date == bar.session:
            split = action.ratio[1] / action.ratio[0] if action.ratio else split
            cash = action.amount or cash
    raw = {"close": bar.close, "high": bar.high, "low": bar.low, "open": bar.open}
    adjusted = {f"adj{name.capitalize()}": value * factor for name, value in raw.items()}
    day = dt.datetime.fromtimestamp(midnight(bar.session) / SECOND, dt.UTC)
    return {
        "date": f"{day:%Y-%m-%d}T00:00:00.000Z", **raw, "volume": bar.volume, **adjusted,
        "adjVolume": bar.volume / factor, "divCash": cash, "splitFactor": split,
    }  # fmt: skip


SIMULATED = Tiingo
