"""Corporate actions as vendors tell them, into the columns of `corporate_actions`."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from fulltape.contract.vendor import Page, Rejected, Table
from fulltape.market.time import midnight


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorAction:
    """One action in the vendor's own values: dates as ISO text, ratios and amounts as numbers, absent as None.

    A holder of `ratio_old` shares has `ratio_new` afterwards; `amount` is `currency` per share. `symbol` is spelled as
    the vendor spells it.
    """

    symbol: str
    event_id: object
    action_type: str
    ex_date: object
    subtype: object = None
    declared_date: object = None
    record_date: object = None
    pay_date: object = None
    process_date: object = None
    ratio_old: object = None
    ratio_new: object = None
    amount: object = None
    currency: object = None
    special: object = None
    new_symbol: object = None


_DATES = ("ex_date", "declared_date", "record_date", "pay_date", "process_date")
_NUMBERS = ("ratio_old", "ratio_new", "amount")


def tables(
    page: Page, ours: Mapping[str, str], actions: Iterable[VendorAction], rejected: list[Rejected]
) -> list[Table]:
    """One table for each symbol asked for, of the actions whose ex-date was asked for; others were not our question."""
    by_symbol: dict[str, list[dict[str, object]]] = {}
    for action in actions:
        symbol = ours.get(action.symbol)
        if symbol is None:
            continue
        try:
            row = _row(action)
        except (ValueError, TypeError, OverflowError) as error:
            session = _session(action)
            rejected.append(
                Rejected(
                    page=page.number, symbol=symbol, session=session, rows=1, reason=f"an action: {error}"
                )
            )
            continue
        if page.fetch.first <= row["session"] <= page.fetch.last:  # type: ignore[operator]
            by_symbol.setdefault(symbol, []).append(row)
    return [
        Table(
            page=page.number, symbol=symbol, columns={name: [row[name] for row in rows] for name in rows[0]}
        )
        for symbol, rows in by_symbol.items()
    ]


def _row(action: VendorAction) -> dict[str, object]:
    row: dict[str, object] = {
        part.name: getattr(action, part.name) for part in fields(action) if part.name != "symbol"
    }
    if not isinstance(row["event_id"], (str, int)) or isinstance(row["event_id"], bool):
        raise ValueError("it has no id")  # noqa: TRY004 — bytes of a stranger
    row["event_id"] = str(row["event_id"])
    for name in _DATES:
        row[name] = dt.date.fromisoformat(row[name]) if row[name] else None  # type: ignore[arg-type]
    if row["ex_date"] is None:
        raise ValueError("it has no date")
    for name in _NUMBERS:
        row[name] = _number(row[name], name)
    for name in ("subtype", "currency", "new_symbol"):
        row[name] = None if row[name] is None else str(row[name])
    if not isinstance(row["special"], bool):
        row["special"] = None
    row["session"] = row["ex_date"]
    row["timestamp"] = midnight(row["ex_date"])  # type: ignore[arg-type]
    return row


def _number(value: object, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{name} is {value!r}")
    return float(value)


def _session(action: VendorAction) -> dt.date | None:
    try:
        return dt.date.fromisoformat(action.ex_date)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return None
