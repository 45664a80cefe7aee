"""FRED, simulated: observations by real-time period in JSON and XML, vintage dates, series, as documented."""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Sequence

from fulltape.simulator.market import Vintage
from fulltape.simulator.server import Call, Reply
from fulltape.simulator.vendor import SimulatedVendor, disturbed, said

_FOREVER = dt.date(9999, 12, 31)
_EARLIEST = dt.date(1776, 7, 4)
_MOST = 100_000
_MOST_VINTAGES = 2_000
_KEY = re.compile(r"[0-9a-z]{32}")
_WITHOUT_VINTAGES = (
    "Bad Request.  The series does not exist in ALFRED but may exist in FRED. Try setting realtime_start "
    "and realtime_end to today's date or removing realtime_start and realtime_end."
)


class Fred(SimulatedVendor):
    """Answers `/fred/series…`; XML unless `file_type=json`."""

    vendor = "fred"
    garbage = b'{"realtime_start":"2024-01-05","observations":[{"value":'

    def refused(self, call: Call) -> Reply | None:
        """The key comes in the query; its form is looked at."""
        read = "Read https://fred.stlouisfed.org/docs/api/api_key.html for more information."
        key = call.params.get("api_key", "")
        if not key:
            return _error(call, f"Bad Request.  Variable api_key is not set.  {read}")
        if not _KEY.fullmatch(key):
            words = "The value for variable api_key is not a 32 character alpha-numeric lower-case string."
            return _error(call, f"Bad Request.  {words}  {read}")
        return None

    def too_many(self, wait: float) -> Reply:
        """429."""
        content = {"error_code": 429, "error_message": "Too Many Requests.  Exceeded Rate Limit"}
        return said(429, content, {"Retry-After": str(max(1, round(wait)))})

    def answer(self, call: Call) -> Reply:
        """By path."""
        series = call.params.get("series_id", "")
        if not self.knows(series):
            return _error(call, "Bad Request.  The series does not exist.")
        if call.path == "/fred/series":
            return self._series(call, series)
        if call.path not in ("/fred/series/observations", "/fred/series/vintagedates"):
            return _error(call, "Not Found.", 404)
        start, end = self._period(call)
        if end > _today() and end != _FOREVER:
            words = "Variable realtime_end can not be after today's date"
            return _error(call, f"Bad Request.  {words} ({_today()}).")
        if series not in self.market.vintages:
            return _error(call, _WITHOUT_VINTAGES)
        if call.path.endswith("vintagedates"):
            return self._dates(call, series, start, end)
        return self._observations(call, series, start, end)

    def _period(self, call: Call) -> tuple[dt.date, dt.date]:
        default = (_EARLIEST, _FOREVER) if call.path.endswith("vintagedates") else (_today(), _today())
        names = ("realtime_start", "realtime_end")
        start, end = (
            dt.date.fromisoformat(call.params[name]) if name in call.params else fallback
            for name, fallback in zip(names, default, strict=True)
        )
        return start, end

    def _series(self, call: Call, series: str) -> Reply:
        row = {
            "id": series, "realtime_start": str(_today()), "realtime_end": str(_today()), "title": series,
            "observation_start": "2024-01-01", "observation_end": "2024-11-07", "frequency": "Daily",
            "frequency_short": "D", "units": "Percent", "units_short": "%",
            "seasonal_adjustment": "Not Seasonally Adjusted", "seasonal_adjustment_short": "NSA",
            "last_updated": "2024-11-08 15:16:03-06", "popularity": 1, "notes": "",
        }  # fmt: skip
        if call.params.get("file_type") == "json":
            return said(
                200, {"realtime_start": str(_today()), "realtime_end": str(_today()), "seriess": [row]}
            )
        return _xml("seriess", {}, "series", [row])

    def _dates(self, call: Call, series: str, start: dt.date, end: dt.date) -> Reply:
        days = sorted(
            {vintage.start for vintage in self.market.vintages[series] if start <= vintage.start <= end}
        )
        content = {
            "realtime_start": str(start), "realtime_end": str(end), "order_by": "vintage_date",
            "sort_order": "asc", "count": len(days), "offset": 0, "limit": 10_000,
            "vintage_dates": [str(day) for day in days],
        }  # fmt: skip
        if call.params.get("file_type") == "json":
            return said(200, content)
        return _xml("vintage_dates", {"count": len(days)}, "vintage_date", [{"date": day} for day in days])

    def _observations(self, call: Call, series: str, start: dt.date, end: dt.date) -> Reply:
        everything = self.market.vintages[series]
        count = len({vintage.start for vintage in everything if start <= vintage.start <= end})
        if count > _MOST_VINTAGES:
            words = f"There are {count} vintage dates in specified real-time period: {start} to {end}. This exceeds the maximum number of vintage dates allowed for this file type ({_MOST_VINTAGES})."
            return _error(call, f"Bad Request.  {words}")
        fault = self.strike("event", [series])
        if reply := self.faulty(fault):
            return reply
        revisions = _rows(everything, start, end)
        offset = int(call.params.get("offset", 0))
        limit = min(int(call.params.get("limit", _MOST)), _MOST)
        rows, _ = self.page(revisions[offset:], limit, fault)
        rows = disturbed(rows, fault)
        head: dict[str, object] = {
            "realtime_start": str(start), "realtime_end": str(end), "observation_start": "1776-07-04",
            "observation_end": "9999-12-31", "units": "lin", "output_type": 1, "file_type": "json",
            "order_by": "observation_date", "sort_order": "asc", "count": len(revisions), "offset": offset,
            "limit": limit,
        }  # fmt: skip
        if call.params.get("file_type") == "json":
            return said(200, {**head, "observations": rows}, rows=len(rows), fault=fault)
        return _xml("observations", head, "observation", rows)


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


def _rows(everything: Sequence[Vintage], start: dt.date, end: dt.date) -> list[dict[str, object]]:
    """Revisions valid in the period, their ends clipped to it."""
    by_date: dict[dt.date, list[Vintage]] = {}
    for revision in sorted(everything, key=lambda vintage: (vintage.date, vintage.start)):
        by_date.setdefault(revision.date, []).append(revision)
    rows: list[dict[str, object]] = []
    for date, revisions in by_date.items():
        for at, revision in enumerate(revisions):
            until = revisions[at + 1].start - dt.timedelta(days=1) if at + 1 < len(revisions) else _FOREVER
            if revision.start <= end and until >= start:
                rows.append(
                    {
                        "realtime_start": str(max(revision.start, start)),
                        "realtime_end": str(min(until, end)),
                        "date": str(date),
                        "value": "." if revision.value is None else str(revision.value),
                    }
                )
    return rows


def _xml(
    tag: str, head: dict[str, object], child: str, rows: Sequence[dict[str, object]], status: int = 200
) -> Reply:
    def attributes(values: dict[str, object]) -> str:
        return "".join(f' {name}="{html.escape(str(value))}"' for name, value in values.items())

    inside = "".join(f"<{child}{attributes(row)}/>" for row in rows)
    text = f'<?xml version="1.0" encoding="utf-8" ?>\n<{tag}{attributes(head)}>{inside}</{tag}>'
    return Reply(status=status, body=text.encode(), headers={"content-type": "text/xml"}, rows=len(rows))


def _error(call: Call, words: str, status: int = 400) -> Reply:
    if call.params.get("file_type") == "json":
        return said(status, {"error_code": status, "error_message": words})
    return _xml("error", {"code": status, "message": words}, "", [], status)


SIMULATED = Fred
