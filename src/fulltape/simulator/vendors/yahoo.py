"""Yahoo, simulated: the chart endpoint, as its unofficial clients read it."""

from __future__ import annotations

import re

from fulltape.calendars import tables
from fulltape.market.time import SECOND
from fulltape.simulator.server import Call, Reply
from fulltape.simulator.vendor import SimulatedVendor, said

_PATH = re.compile(r"/v8/finance/chart/([^/]+)")


class Yahoo(SimulatedVendor):
    """Answers `/v8/finance/chart/{symbol}` with day bars."""

    vendor = "yahoo"
    garbage = b'{"chart":{"result":[{"meta":'

    def too_many(self, wait: float) -> Reply:  # noqa: ARG002
        """Plain text."""
        return Reply(status=429, body=b"Too Many Requests\r\n")

    def answer(self, call: Call) -> Reply:
        """One chart."""
        match = _PATH.fullmatch(call.path)
        symbol = match[1].replace("-", ".") if match else ""
        if not self.knows(symbol) or ("day", symbol) not in self.market.bars:
            error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
            return said(404, {"chart": {"result": None, "error": error}})
        if call.params.get("interval") != "1d":
            error = {"code": "Unprocessable Entity", "description": "this server has day bars only"}
            return said(422, {"chart": {"result": None, "error": error}})
        fault = self.strike("day", [symbol])
        if reply := self.faulty(fault):
            return reply
        start, end = (int(call.params.get(name, 2**40)) * SECOND for name in ("period1", "period2"))
        calendar = tables.load("XNYS")
        rows = []
        for bar in self.bars("day", symbol, 0, 2**62):
            position = calendar.position(bar.session)
            opened = calendar.sessions[position].open if position is not None else bar.start
            if start <= opened < end:
                rows.append((opened // SECOND, bar))
        rows, _ = self.page(rows, len(rows) or 1, fault)
        quote: dict[str, list[float]] = {
            name: [getattr(bar, name) for _, bar in rows]
            for name in ("open", "high", "low", "close", "volume")
        }
        meta = {
            "currency": "USD", "symbol": symbol, "exchangeName": "NMS", "instrumentType": "EQUITY",
            "gmtoffset": -18_000, "timezone": "EST", "exchangeTimezoneName": "America/New_York", "priceHint": 2,
            "firstTradeDate": 345_479_400, "regularMarketTime": 1_704_229_201, "dataGranularity": "1d",
            "range": "", "validRanges": ["1d", "5d"],
        }  # fmt: skip
        result: dict[str, object] = {"meta": meta, "indicators": {"quote": [quote if rows else {}]}}
        if rows:
            result["timestamp"] = [timestamp for timestamp, _ in rows]
            closes = [bar.close for _, bar in rows]
            result["indicators"] = {"quote": [quote], "adjclose": [{"adjclose": closes}]}
        return said(200, {"chart": {"result": [result], "error": None}}, rows=len(rows), fault=fault)


SIMULATED = Yahoo
