"""Bytes that vendors really sent, recorded by third parties, decode to what their readmes state."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from conversations import fetch
from fulltape import vendors
from fulltape.calendars import tables
from fulltape.contract.vendor import Outcome, Page, PageResult, Rejected, Response
from fulltape.decoding import frames
from fulltape.market import datasets
from nodes import DATA, needs_data

REST = DATA / "vendor-rest"
FRED = DATA / "fred-vintages-pyfredapi" / "test_series"


def decoded(
    vendor: str, source: str, dataset: str, symbol: str, first: str, last: str, body: bytes
) -> tuple[pl.DataFrame, tuple[Rejected, ...]]:
    declared = datasets.get(dataset)
    found = vendors.load(vendor).SPEC.source(source)
    capability = found.of(dataset) if found else None
    assert capability
    page = Page(fetch=fetch(source, dataset, (symbol,), first, last), number=1, status=200, body=body)
    return frames.rows(
        vendors.load(vendor).decode([page]), declared, capability, tables.load(declared.calendar)
    )


def cassette(path: Path) -> Iterator[tuple[str, int, bytes]]:
    """(address, status, body) of every answer in a cassette."""
    for one in yaml.safe_load(path.read_text())["interactions"]:
        body = one["response"]["body"]["string"]
        content = body if isinstance(body, bytes) else body.encode()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        yield one["request"]["uri"], one["response"]["status"]["code"], content


@needs_data
def test_one_stock_at_two_vendors_and_what_they_disagree_about() -> None:
    massive = (REST / "fmp-polygon-intrinio" / "polygon_AAPL_day_2023-01-01_2023-01-10.json").read_bytes()
    tiingo = (REST / "tiingo-excerpt" / "tiingo_AAPL_daily_excerpt.json").read_bytes()
    asked = ("AAPL", "2023-01-03", "2023-01-10")
    one, none = decoded("massive", "massive.sip", "equities_bars_day", *asked, massive)
    other, _ = decoded("tiingo", "tiingo.eod", "equities_bars_day", *asked, tiingo)
    assert not none
    day = dt.date(2023, 1, 3)
    for frame in (one, other):
        (first,) = frame.filter(pl.col("session") == day).iter_rows(named=True)
        assert (first["close"], first["volume"]) == (125.07, 112_117_471.0)
        assert first["ts"] == dt.datetime(2023, 1, 3, 14, 30, tzinfo=dt.UTC)
    both = one.join(other, on="session", suffix="_other")
    assert both.height == 6
    differs = both.filter(pl.col("volume") != pl.col("volume_other")).select(
        "session", "volume", "volume_other"
    )
    wanted = [
        (dt.date(2023, 1, 4), 89_100_633.0, 89_113_633.0),
        (dt.date(2023, 1, 5), 80_716_808.0, 80_962_708.0),
    ]
    assert differs.sort("session").head(2).rows() == wanted
    for column in ("open", "low", "close"):
        assert both.filter(pl.col(column) != pl.col(f"{column}_other")).is_empty()


@needs_data
def test_adjusted_columns_are_evidence_of_the_ex_date_close_convention() -> None:
    """The step of Tiingo's factor at the dividend of 2023-02-10: 151.01 / (151.01 + 0.23)."""
    body = (REST / "tiingo-excerpt" / "tiingo_AAPL_daily_excerpt.json").read_bytes()
    raw, _ = decoded("tiingo", "tiingo.eod", "equities_bars_day", "AAPL", "2023-01-03", "2023-03-01", body)
    asked = ("AAPL", "2023-01-03", "2023-03-01")
    adjusted, _ = decoded("tiingo", "tiingo.eod", "equities_adjusted_evidence", *asked, body)
    assert adjusted["adjustment"].unique().to_list() == ["split_dividend"]
    factors = raw.join(adjusted, on="session", suffix="_adj").select(
        "session", (pl.col("close_adj") / pl.col("close")).alias("factor")
    )
    before = factors.filter(pl.col("session") < dt.date(2023, 2, 10))["factor"][-1]
    after = factors.filter(pl.col("session") >= dt.date(2023, 2, 10))["factor"][0]
    assert abs(before / after - 151.01 / (151.01 + 0.23)) < 1e-9


@needs_data
def test_an_unadjusted_answer_is_demanded_of_a_vendor_that_adjusts_by_default() -> None:
    body = (REST / "fmp-polygon-intrinio" / "polygon_AAPL_day_2023-01-01_2023-01-10.json").read_bytes()
    asked = fetch("massive.sip", "equities_bars_day", ("AAPL",), "2023-01-03", "2023-01-10")
    conversation = vendors.load("massive").history(asked, None)
    next(conversation)
    answer = conversation.send(Response(status=200, headers={}, body=body, received_at=0))
    assert isinstance(answer, PageResult)
    assert answer.outcome is Outcome.MALFORMED
    assert "unadjusted" in answer.reason


@needs_data
def test_a_grouped_day_belongs_to_the_day_at_whose_end_it_is_stamped() -> None:
    path = REST / "polygon" / "v2/aggs/grouped/locale/us/market/stocks/2005-04-04&adjusted=true.json"
    declared = datasets.get("equities_bars_day")
    found = vendors.load("massive").SPEC.source("massive.sip")
    capability = found.of("equities_bars_day") if found else None
    assert capability
    asked = fetch("massive.sip", "equities_bars_day", ("GIK", "X"), "2020-10-14", "2020-10-14")
    for memo, rows in (("2020-10-14", 1), ("2020-10-15", 0)):
        page = Page(fetch=asked, number=1, status=200, body=path.read_bytes(), memo=memo)
        frame, rejected = frames.rows(
            vendors.load("massive").decode([page]), declared, capability, tables.load("XNYS")
        )
        assert (frame.height, len(rejected)) == (rows, 1 - rows)
    assert frame.is_empty()


@needs_data
def test_a_refused_permission_is_not_an_empty_answer() -> None:
    ((_, status, body),) = cassette(REST / "tiingo" / "news_bulk.yaml")
    asked = fetch("tiingo.eod", "equities_bars_day", ("AAPL",), "2023-01-03", "2023-01-10")
    conversation = vendors.load("tiingo").history(asked, None)
    next(conversation)
    answer = conversation.send(Response(status=status, headers={}, body=body, received_at=0))
    assert isinstance(answer, PageResult)
    assert answer.outcome is Outcome.NOT_ENTITLED


@needs_data
def test_the_forming_candle_at_the_end_of_an_answer_is_left_out() -> None:
    """720 minutes of Kraken, 1502402520 to 1502445660: the last one is still open."""
    body = (DATA / "crypto-rest-xchange" / "kraken" / "example-ohlc-data.json").read_bytes()
    page_ask = fetch("kraken.spot", "crypto_bars_day", ("BTC/USD",), "2017-08-10", "2017-08-11")
    page = Page(fetch=page_ask, number=1, status=200, body=body)
    (one,) = vendors.load("kraken").decode([page]).slices
    minutes = datasets.get("crypto_bars_minute")
    found = vendors.load("kraken").SPEC.source("kraken.spot")
    capability = found.of("crypto_bars_day") if found else None
    assert capability
    import dataclasses

    from fulltape.contract.vendor import Decoded

    closed = dataclasses.replace(one, within=(1_502_402_520 * 10**6, 1_502_445_660 * 10**6))
    frame, rejected = frames.rows(Decoded(slices=(closed,)), minutes, capability, tables.load("24/7"))
    assert not rejected
    timestamps = frame["ts"].dt.epoch("s")
    assert (frame.height, timestamps.min(), timestamps.max()) == (719, 1_502_402_520, 1_502_445_600)
    assert timestamps.diff().drop_nulls().unique().to_list() == [60]


@needs_data
def test_every_vintage_of_gdp() -> None:
    path = FRED / "test_get_series_all_releases[pandas].yaml"
    body = max((body for _, _, body in cassette(path)), key=len)
    frame, rejected = decoded("fred", "fred.alfred", "macro_series", "GDP", "1990-01-01", "2024-10-31", body)
    assert not rejected
    assert frame.height == 3_199
    assert frame["value"].null_count() == 245
    assert frame["realtime_start"].n_unique() == 393
    assert (frame["session"] == frame["realtime_start"]).all()
    quarter = frame.filter(pl.col("ts").dt.date() == dt.date(2020, 4, 1)).sort("realtime_start")
    assert quarter["value"].to_list()[:4] == [19_408.759, 19_486.509, 19_520.114, 19_477.444]
    assert as_of(frame, dt.date(2020, 4, 1), dt.date(2020, 9, 1)) == 19_486.509
    assert as_of(frame, dt.date(1946, 1, 1), dt.date(1995, 12, 31)) == 199.7
    assert as_of(frame, dt.date(1946, 1, 1), dt.date(1996, 6, 1)) is None
    assert as_of(frame, dt.date(2003, 7, 1), dt.date(2003, 12, 15)) is None
    current = frame.filter(pl.col("realtime_end").is_null())
    assert current.height == current["ts"].n_unique()


def as_of(frame: pl.DataFrame, period: dt.date, day: dt.date) -> float | None:
    """The value of a period as it was known on a day: a withdrawal is null, not the value before it."""
    known = frame.filter((pl.col("ts").dt.date() == period) & (pl.col("realtime_start") <= day))
    value: float | None = known.sort("realtime_start")["value"][-1]
    return value


@needs_data
def test_the_vintage_dates_of_gdp_are_read_before_its_revisions() -> None:
    path = FRED / "test_get_series_vintagedates.yaml"
    body = next(body for _, _, body in cassette(path) if b'"vintage_dates"' in body)
    asked = fetch("fred.alfred", "macro_series", ("GDP",), "1990-01-01", "2024-10-31")
    conversation = vendors.load("fred").history(asked, None)
    next(conversation)
    answer = conversation.send(Response(status=200, headers={}, body=body, received_at=0))
    assert isinstance(answer, PageResult)
    assert answer.outcome is Outcome.EMPTY
    following = next(conversation)
    assert not isinstance(following, PageResult)
    vintages = json.loads(body)["vintage_dates"]
    assert following.params["realtime_start"] == str(
        dt.date.fromisoformat(vintages[0]) - dt.timedelta(days=1)
    )
    assert following.params["realtime_end"] == vintages[-1]


@needs_data
def test_the_treasury_curve_has_holidays_and_one_structural_hole() -> None:
    path = DATA / "fred-cassettes-openbb" / "test_fred_yield_curve_fetcher_urllib3_v2.yaml"
    found: dict[str, list[Any]] = {}
    for uri, status, body in cassette(path):
        if status == 200 and b'"observations"' in body:
            series = uri.partition("series_id=")[2].partition("&")[0]
            found[series] = json.loads(body)["observations"]
    assert set(found) == {
        f"DGS{tenor}" for tenor in ("1MO", "3MO", "6MO", "1", "2", "3", "5", "7", "10", "20", "30")
    }
    for series, observations in found.items():
        start = observations[0]["realtime_start"]
        # A plain answer is one vintage: as if it had been asked for the day before, nothing in it is clipped.
        earlier = str(dt.date.fromisoformat(start) - dt.timedelta(days=1))
        content = {"observations": observations, "count": len(observations), "offset": 0, "limit": 100_000, "realtime_start": earlier, "realtime_end": start}  # fmt: skip
        frame, rejected = decoded(
            "fred", "fred.alfred", "macro_series", series, earlier, start, json.dumps(content).encode()
        )
        assert not rejected
        assert frame.height == len(observations)
        missing = sum(1 for one in observations if one["value"] == ".")
        assert frame["value"].null_count() == missing
        assert not (frame["value"] == 0).fill_null(value=False).all()
        if series == "DGS10":
            assert (frame.height, missing) == (16_805, 717)
            values = dict(zip(frame["ts"].dt.date(), frame["value"], strict=True))
            days = (dt.date(2023, 12, 25), dt.date(2023, 12, 29), dt.date(2024, 1, 1), dt.date(2024, 1, 2))
            assert [values[day] for day in days] == [None, 3.88, None, 3.95]
        if series == "DGS20":
            hole = frame.filter(
                pl.col("ts").dt.date().is_between(dt.date(1986, 12, 25), dt.date(1993, 10, 11))
            )
            assert (missing, hole["value"].null_count()) == (2_406, 1_763)


def test_a_stamp_of_kraken_is_exact_to_the_nanosecond() -> None:
    """A floating-point number of seconds is exact to a quarter of a microsecond only."""
    body = (
        b'{"error":[],"result":{"XXBTZUSD":[["30243.4","0.345",1688669597.827736901,"b","m","",61044952],'
        b'["30243.5","1e-8",1688669598,"s","l","",61044953]],"last":"1688669598000000000"}}'
    )
    page_ask = fetch("kraken.spot", "crypto_trades", ("BTC/USD",), "2023-07-06", "2023-07-06")
    decoded = vendors.load("kraken").decode([Page(fetch=page_ask, number=1, status=200, body=body)])
    found = vendors.load("kraken").SPEC.source("kraken.spot")
    assert found
    capability = found.of("crypto_trades")
    assert capability
    dataset = datasets.get("crypto_trades")
    frame, rejected = frames.rows(decoded, dataset, capability, tables.load(dataset.calendar))
    assert not rejected
    assert frame["ts_event"].dt.epoch("ns").to_list() == [
        1_688_669_597_827_736_901,
        1_688_669_598_000_000_000,
    ]
    assert frame["size"].to_list() == [0.345, 1e-8]
