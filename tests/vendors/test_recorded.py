"""Recorded bytes: each vendor's folder under `recorded/` says what its answers become, rows and refusals."""

from __future__ import annotations

import datetime as dt
import tomllib
from pathlib import Path
from typing import Any

import pytest

from conversations import fetch
from fulltape import vendors
from fulltape.calendars import tables
from fulltape.contract.vendor import (
    Conversation,
    FetchRequest,
    FormatChange,
    Page,
    PageResult,
    Request,
    Response,
)
from fulltape.decoding import frames
from fulltape.market import datasets
from fulltape.market.time import SECOND, from_datetime

HERE = Path(__file__).parent / "recorded"
ROWS = sorted(path for path in HERE.rglob("*.toml") if path.name != "refusals.toml")
REFUSALS = [
    (path.parent.name, at)
    for path in sorted(HERE.rglob("refusals.toml"))
    for at in range(len(tomllib.loads(path.read_text())["answer"]))
]


def read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())


def question(told: dict[str, Any]) -> FetchRequest:
    symbols = tuple(told["symbols"])
    return fetch(told["source"], told["dataset"], symbols, str(told["first"]), str(told["last"]))


@pytest.mark.parametrize("vendor", vendors.names())
def test_every_vendor_has_a_folder_of_recorded_bytes(vendor: str) -> None:
    found = {path.name for path in (HERE / vendor).glob("*.toml")}
    assert "refusals.toml" in found
    assert len(found) > 1


@pytest.mark.parametrize("path", ROWS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_recorded_bytes_become_the_rows_that_were_written_beside_them(path: Path) -> None:
    told = read(path)
    dataset = datasets.get(told["dataset"])
    vendor = vendors.load(path.parent.name)
    source = vendor.SPEC.source(told["source"])
    assert source
    capability = source.of(dataset.name)
    assert capability
    page = Page(
        fetch=question(told), number=1, status=200, body=told["body"].encode(), memo=told.get("memo", "")
    )
    frame, rejected = frames.rows(vendor.decode([page]), dataset, capability, tables.load(dataset.calendar))
    assert not rejected
    assert frame.height == len(told["row"])
    for row, wanted in zip(frame.iter_rows(named=True), told["row"], strict=True):
        for name, value in wanted.items():
            assert row[name] == (None if value == "null" else value), name


def changes() -> list[tuple[str, FormatChange]]:
    """The dated changes of format of every vendor, as far as recorded answers are read by them."""
    found = []
    for path in ROWS:
        told = read(path)
        page = Page(
            fetch=question(told), number=1, status=200, body=told["body"].encode(), memo=told.get("memo", "")
        )
        for one in vendors.load(path.parent.name).decode([page]).slices:
            found += [(path.parent.name, change) for change in one.row_format.changes]
    return found


@pytest.mark.parametrize(("vendor", "change"), changes())
def test_every_change_of_format_has_its_recorded_evidence(vendor: str, change: FormatChange) -> None:
    told = read(HERE / vendor / f"{change.evidence}.toml")
    at = from_datetime(dt.datetime.combine(told["first"], dt.time(12), dt.UTC))
    assert change.first is None or change.first <= at
    assert change.until is None or at < change.until
    assert change.scaled.keys() <= {name for row in told["row"] for name in row}


def test_some_format_has_changed() -> None:
    assert {vendor for vendor, _ in changes()} >= {"alpaca"}


def first_data_request(conversation: Conversation) -> Request:
    """Past what a vendor looks up before it asks for data: the market lists and vintages of an answer that has none."""
    step = next(conversation)
    assert isinstance(step, Request)
    return step


@pytest.mark.parametrize(("name", "at"), REFUSALS)
def test_every_documented_refusal_is_mapped(name: str, at: int) -> None:
    told = read(HERE / name / "refusals.toml")
    answer = told["answer"][at]
    conversation = vendors.load(name).history(question(told), None)
    first_data_request(conversation)
    given = conversation.send(
        Response(
            status=answer["status"],
            headers=answer.get("headers", {}),
            body=answer["body"].encode(),
            received_at=0,
        )
    )
    assert isinstance(given, PageResult)
    assert given.outcome == answer["outcome"], given
    assert given.symbols == tuple(answer.get("concerns", ()))
    assert given.retry_at == (answer["retry_at"] * SECOND if "retry_at" in answer else None)
    conversation.close()


def test_a_page_that_ends_inside_the_span_settles_no_further_than_its_last_whole_session() -> None:
    told = read(HERE / "massive" / "bars_day.toml")
    conversation = vendors.load("massive").history(question(told), None)
    next(conversation)
    given = conversation.send(Response(status=200, headers={}, body=told["body"].encode(), received_at=0))
    assert isinstance(given, PageResult)
    assert [one.through for one in given.complete_through] == [dt.date(2020, 1, 2)]
    following = next(conversation)
    assert isinstance(following, Request)
    assert following.path == "/v2/aggs/ticker/AAPL/range/1/day/1578114000000/2020-01-10"
    assert following.params == {"cursor": "bGltaXQ9Mg", "adjusted": "false"}


def test_a_symbol_named_as_invalid_is_dropped_and_the_rest_asked_again() -> None:
    asked = fetch("alpaca.sip", "equities_bars_day", ("AAPL", "bad1", "IBM"), "2012-12-03", "2012-12-07")
    conversation = vendors.load("alpaca").history(asked, None)
    next(conversation)
    body = b'{"message":"invalid symbol: bad1"}'
    given = conversation.send(Response(status=400, headers={}, body=body, received_at=0))
    assert isinstance(given, PageResult)
    assert given.symbols == ("bad1",)
    following = next(conversation)
    assert isinstance(following, Request)
    assert following.params["symbols"] == "AAPL,IBM"
    assert following.params["adjustment"] == "raw"
    assert following.params["asof"] == "-"
    assert following.params["end"].endswith(".999999999Z")
