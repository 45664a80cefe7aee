"""Binance's rows: of the API and of the archive's files."""

from __future__ import annotations

from collections.abc import Sequence

from fulltape.contract.vendor import Decoded, FieldKind, Page, Rejected, RowFormat, Slice, WireField
from fulltape.decoding import archives

_KLINE = RowFormat(
    fields=(
        WireField(wire=0, column="timestamp", kind="integer"),
        WireField(wire=1, column="open", kind="decimal"),
        WireField(wire=2, column="high", kind="decimal"),
        WireField(wire=3, column="low", kind="decimal"),
        WireField(wire=4, column="close", kind="decimal"),
        WireField(wire=5, column="volume", kind="decimal"),
        WireField(wire=7, column="quote_volume", kind="decimal"),
        WireField(wire=8, column="trade_count", kind="integer"),
        WireField(wire=9, column="taker_buy_volume", kind="decimal"),
    ),
    unit="epoch",
)
_MAKER_IS_BUYER = {"true": "sell", "false": "buy", "True": "sell", "False": "buy"}


def _aggregates(*wires: str | int) -> RowFormat:
    """Aggregate trades: the API's keys or the archive's columns."""
    columns: tuple[tuple[str, FieldKind], ...] = (
        ("trade_id", "text"), ("price", "decimal"), ("size", "decimal"), ("first_trade_id", "text"),
        ("last_trade_id", "text"), ("timestamp", "integer"), ("aggressor", "text"),
    )  # fmt: skip
    fields = (
        WireField(wire=wire, column=column, kind=kind)
        for wire, (column, kind) in zip(wires, columns, strict=True)
    )
    return RowFormat(fields=tuple(fields), unit="epoch", renamed={"aggressor": _MAKER_IS_BUYER})


_AGG_API = _aggregates("a", "p", "q", "f", "l", "T", "m")
_AGG_FILE = _aggregates(0, 1, 2, 3, 4, 5, 6)
_TRADE_FILE = RowFormat(
    fields=(
        WireField(wire=0, column="trade_id", kind="text"),
        WireField(wire=1, column="price", kind="decimal"),
        WireField(wire=2, column="size", kind="decimal"),
        WireField(wire=4, column="timestamp", kind="integer"),
        WireField(wire=5, column="aggressor", kind="text"),
    ),
    unit="epoch",
    renamed={"aggressor": _MAKER_IS_BUYER},
)


def decode(pages: Sequence[Page]) -> Decoded:
    """One slice for each page of the API or file of the archive."""
    slices: list[Slice] = []
    rejected: list[Rejected] = []
    for page in pages:
        (symbol,) = page.fetch.symbols
        within = (page.fetch.start, int(page.memo or page.fetch.end))
        if not archives.is_archive(page.body):
            row_format = _AGG_API if page.fetch.dataset == "crypto_aggtrades" else _KLINE
            if page.status == 200:
                slices.append(
                    Slice(
                        page=page.number, symbol=symbol, rows=page.body, row_format=row_format, within=within
                    )
                )
            continue
        try:
            rows = archives.only_file(page.body)
        except ValueError as error:
            rejected.append(
                Rejected(page=page.number, symbol=symbol, session=None, rows=0, reason=str(error))
            )
            continue
        row_format = {"crypto_bars_minute": _KLINE, "crypto_trades": _TRADE_FILE}.get(
            page.fetch.dataset, _AGG_FILE
        )
        headed = rows[:1].isalpha()
        rows = rows.partition(b"\n")[2] if headed else rows
        slices.append(
            Slice(
                page=page.number, symbol=symbol, rows=rows, form="csv", row_format=row_format, within=within
            )
        )
    return Decoded(slices=tuple(slices), rejected=tuple(rejected))
