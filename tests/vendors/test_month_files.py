"""A month's file of minutes is held against the API: a checksum shows only that it came as it was published."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable

import pytest

from conversations import Talk, fetch, talk
from fulltape import vendors
from fulltape.contract.vendor import Outcome, Request, Response
from fulltape.decoding import archives
from fulltape.market.time import MINUTE
from fulltape.vendors.binance import sampling

FETCH = fetch("binance.spot", "crypto_bars_minute", ("BTC/USDT",), "2024-02-01", "2024-02-29")
MINUTES = 29 * 1_440
Row = list[str]


def rows() -> list[Row]:
    """What really happened: a candle for every minute of February 2024, but for an hour of maintenance."""
    out = []
    for at in range(MINUTES):
        if not 20_000 <= at < 20_060:
            timestamp = (FETCH.start + at * MINUTE) // 1_000
            price = f"{100 + at % 7}.5"
            out.append(
                [
                    str(timestamp),
                    price,
                    price,
                    price,
                    price,
                    "1.5",
                    str(timestamp + 59_999),
                    "150",
                    "3",
                    "1",
                    "70",
                    "0",
                ]
            )
    return out


def venue(spoil: Callable[[list[Row]], list[Row]]) -> tuple[Callable[[Request], Response], list[str]]:
    """The API with all of it, and a file that says something else, with a checksum that matches it."""
    whole, asked = rows(), list[str]()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("BTCUSDT-1m-2024-02.csv", "\n".join(",".join(row) for row in spoil(rows())) + "\n")
    file = packed.getvalue()

    def send(request: Request) -> Response:
        asked.append(request.path)
        if request.path.endswith(".CHECKSUM"):
            body = f"{hashlib.sha256(file).hexdigest()}  file\n".encode()
        elif request.path.endswith(".zip"):
            body = file
        else:
            start, end = int(request.params["startTime"]), int(request.params["endTime"])
            inside = [row for row in whole if start <= int(row[0]) <= end][: int(request.params["limit"])]
            body = json.dumps(
                [[int(row[0]), *row[1:6], int(row[6]), row[7], int(row[8]), *row[9:]] for row in inside]
            ).encode()
        return Response(status=200, headers={}, body=body, received_at=0)

    return send, asked


def found(said: Talk) -> dict[int, str]:
    """Closes by start."""
    out: dict[int, str] = {}
    for one in vendors.load("binance").decode(said.pages).slices:
        page = one.rows
        parsed = (
            json.loads(page)
            if page.startswith(b"[")
            else [line.split(",") for line in page.decode().splitlines()]
        )
        out |= {int(row[0]): row[4] for row in parsed}
    return out


def test_a_file_that_agrees_is_taken_and_asked_about_where_it_lacks_minutes() -> None:
    send, asked = venue(lambda whole: whole)
    said = talk(FETCH, send, most=100)
    assert found(said) == {int(row[0]): row[4] for row in rows()}
    assert len([page for page in said.pages if archives.is_archive(page.body)]) == 1
    assert len(asked) == 5, "the checksum, two samples, and the file before and after the second"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:5_000] + whole[5_700:],
        lambda whole: [[*row[:4], "7.25", *row[5:]] for row in whole],
        lambda whole: [row for at, row in enumerate(whole) if at % 2],
    ],
    ids=["truncated", "a hole", "other prices", "every other minute"],
)
def test_a_file_that_says_otherwise_gives_way_to_the_api(spoil: Callable[[list[Row]], list[Row]]) -> None:
    send, _ = venue(spoil)
    said = talk(FETCH, send, most=200)
    assert found(said) == {int(row[0]): row[4] for row in rows()}
    assert not any(archives.is_archive(page.body) for page in said.pages)
    assert any("the API is asked" in answer.reason for answer in said.answers)


def test_without_a_page_of_the_api_the_file_stands() -> None:
    genuine, _ = venue(lambda whole: whole)

    def send(request: Request) -> Response:
        if request.path.startswith("/api"):
            return Response(
                status=400, headers={}, body=b'{"code": -1121, "msg": "Invalid symbol."}', received_at=0
            )
        return genuine(request)

    said = talk(FETCH, send, most=100)
    assert said.answers[-1].outcome is Outcome.ROWS
    assert found(said) == {int(row[0]): row[4] for row in rows()}


def test_where_a_file_is_sampled_differs_from_file_to_file() -> None:
    places = {
        sampling.anywhere(f"BTCUSDT-1m-2024-{month:02}.zip", 0, MINUTES * MINUTE) for month in range(1, 13)
    }
    assert len(places) == 12
    assert all(0 <= place <= (MINUTES - sampling.PAGE) * MINUTE for place in places)
