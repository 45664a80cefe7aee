"""What simulated Massive knows beside rows: tickers, their changes, splits and dividends."""

from __future__ import annotations

import datetime as dt
import re
import urllib.parse
import uuid

from fulltape.simulator.market import Action
from fulltape.simulator.server import Call, Reply
from fulltape.simulator.vendor import SimulatedVendor, disturbed, said

_MOST_ACTIONS = 5_000


class MassiveReference(SimulatedVendor):
    """Answers `/v3/reference/tickers…`, `/vX/reference/tickers/…/events`, `/stocks/v1/splits` and `/stocks/v1/dividends`."""

    url = "https://api.massive.com"

    def reference(self, call: Call) -> Reply | None:
        """The answer, None where another path is asked for."""
        if match := re.fullmatch(r"/vX/reference/tickers/([^/]+)/events", call.path):
            return self._events(match[1])
        if match := re.fullmatch(r"/v3/reference/tickers/([^/]+)", call.path):
            return self._ticker(match[1])
        if call.path == "/v3/reference/tickers":
            return self._tickers(call)
        if call.path in ("/stocks/v1/splits", "/stocks/v1/dividends"):
            return self._actions(call)
        return None

    def symbol_of(self, ticker: str) -> str:
        """Our spelling: `C:EURUSD`, `X:BTCUSD`, `O:…`, `AAPL`."""
        kind, colon, name = ticker.partition(":")
        if not colon:
            return ticker
        if kind == "X":
            return next(
                (
                    symbol
                    for symbol in self.market.symbols
                    if "/" in symbol and symbol.replace("/", "") == name
                ),
                name,
            )
        return name

    def _details(self, symbol: str) -> dict[str, object]:
        spans = [
            bars for (grain, traded), bars in self.market.bars.items() if traded == symbol and grain == "day"
        ]
        details: dict[str, object] = {
            "ticker": symbol, "name": f"{symbol} Inc.", "market": "stocks", "locale": "us", "active": True,
            "currency_name": "usd", "primary_exchange": "XNAS", "type": "CS",
        }  # fmt: skip
        if spans:
            details["list_date"] = spans[0][0].session.isoformat()
        return details

    def _ticker(self, ticker: str) -> Reply:
        symbol = self.symbol_of(ticker)
        if not self.knows(symbol):
            return failed(404, "message", "Ticker not found.", status="NOT_FOUND")
        details = {**self._details(symbol), "ticker": ticker}
        return said(200, {"request_id": uuid.uuid4().hex, "results": details, "status": "OK"})

    def _events(self, ticker: str) -> Reply:
        symbol = self.symbol_of(ticker)
        if not self.knows(symbol):
            return failed(404, "message", "Ticker not found.", status="NOT_FOUND")
        changes = [
            *self.market.renames.get(symbol, ()),
            (str(self._details(symbol).get("list_date", "")), symbol),
        ]
        events = [
            {"type": "ticker_change", "date": day, "ticker_change": {"ticker": name}}
            for day, name in sorted(changes, reverse=True)
            if day
        ]
        results = {"name": f"{symbol} Inc.", "events": events}
        return said(200, {"request_id": uuid.uuid4().hex, "results": results, "status": "OK"})

    def _tickers(self, call: Call) -> Reply:
        wanted = call.params.get("ticker")
        tickers = [
            self._details(symbol)
            for symbol in sorted(self.market.symbols)
            if symbol.isalpha() and len(symbol) <= 5 and (not wanted or symbol == wanted)
        ]
        return said(
            200, {"status": "OK", "request_id": uuid.uuid4().hex, "results": tickers, "count": len(tickers)}
        )

    def _actions(self, call: Call) -> Reply:
        splits = call.path.endswith("splits")
        when = "execution_date" if splits else "ex_dividend_date"
        tickers = set(call.params.get("ticker.any_of", call.params.get("ticker", "")).split(",")) - {""}
        try:
            first = dt.date.fromisoformat(call.params.get(f"{when}.gte", "1900-01-01"))
            last = dt.date.fromisoformat(call.params.get(f"{when}.lte", "2100-01-01"))
            limit = min(int(call.params.get("limit", 100)), _MOST_ACTIONS)
            done = int(call.params.get("cursor", 0))
        except ValueError:
            return failed(400, "error", "Could not parse a date, the limit or the cursor.")
        fault = self.strike("event", sorted(tickers))
        if reply := self.faulty(fault):
            return reply
        actions = [
            action
            for action in self.market.actions
            if (action.ratio is not None) == splits and first <= action.ex_date <= last
            if not tickers or action.symbol in tickers
        ]
        page, more = self.page(actions[done:], limit, fault)
        body: dict[str, object] = {"status": "OK", "request_id": uuid.uuid4().hex}
        body["results"] = disturbed([_action(action) for action in page], fault)
        if more:
            query = urllib.parse.urlencode({**call.params, "cursor": done + len(page)})
            body["next_url"] = f"{self.url}{call.path}?{query}"
        return said(200, body, rows=len(page), fault=fault)


def _action(action: Action) -> dict[str, object]:
    row: dict[str, object] = {
        "id": action.action_id,
        "ticker": action.symbol,
        "historical_adjustment_factor": 1.0,
    }
    if action.ratio:
        old, new = action.ratio
        kind = "forward_split" if new > old else "reverse_split"
        day = action.ex_date.isoformat()
        return {**row, "execution_date": day, "split_from": old, "split_to": new, "adjustment_type": kind}
    dates = {"declaration_date": action.declared, "record_date": action.record, "pay_date": action.pay}
    return {
        **row, "ex_dividend_date": action.ex_date.isoformat(), "cash_amount": action.amount, "currency": "USD",
        "frequency": 4, "distribution_type": "special" if action.special else "recurring", "split_adjusted_cash_amount": action.amount,
        **{name: day.isoformat() for name, day in dates.items() if day},
    }  # fmt: skip


def failed(code: int, key: str, words: str, *, status: str = "ERROR") -> Reply:
    """An error in the vendor's form."""
    return said(code, {"status": status, "request_id": uuid.uuid4().hex, key: words})
