"""`fulltape tail` on terminals of the widths that people have."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from fulltape.cli import tail
from fulltape.live.plan import Provisional
from fulltape.views.tailing import Row

SYMBOLS = ("BTC/USDT", "1000PEPE/USDT")


def row(dataset: str, symbol: str, *, live: bool = True, doubtful: int = 0) -> Row:
    bar = Provisional(
        symbol=symbol, grain="1m", start=0, over=False, first=0, last=1, open=68_100.25, high=68_203.21, low=67_944.32,
        close=68_183.71, volume=1234.5678, trades=1_212, revision=25,
    )  # fmt: skip
    return Row(
        source="deriv.synthetic",
        dataset=dataset,
        symbol=symbol,
        live=live,
        rate=1_044.4 if live else None,
        lag=0.6 if live else 75.2,
        last=68_183.71,
        bar=bar if dataset == "synthetic_bars_minute" else None,
        doubtful=doubtful,
    )


ROWS = [
    row(dataset, symbol) for dataset in ("synthetic_bars_minute", "synthetic_ticks") for symbol in SYMBOLS
]
ROWS[1] = row("synthetic_bars_minute", SYMBOLS[1], live=False, doubtful=3)


def shown(width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(tail.table(ROWS, "", width=width))
    return out.getvalue().splitlines()


@pytest.mark.parametrize(
    ("width", "more"),
    [(80, []), (120, ["1m volume", "1m high", "1m low"]), (200, ["1m open", "1m ticks", "1m revision"])],
)
def test_what_matters_is_shown_whole_at_every_width(width: int, more: list[str]) -> None:
    lines = shown(width)
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    text = "\n".join(lines)
    for word in (
        "state",
        "last",
        "rate",
        "lag",
        "deriv.synthetic synthetic_ticks",
        "1,044.4/s",
        "not live, 3 doubtful",
        *more,
    ):
        assert word in text
    assert [line.split()[0] for line in lines if line.startswith("  ")] == [*SYMBOLS, *SYMBOLS]


def test_a_node_without_streams_has_an_empty_table() -> None:
    out = io.StringIO()
    Console(file=out, width=80).print(tail.table([], "no capture is running", width=80))
    assert "no capture is running" in out.getvalue()
