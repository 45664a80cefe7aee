"""Alpaca's corporate actions: fifteen kinds, each with its own fields, as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fulltape.decoding.actions import VendorAction

_SPLITS = ("forward_splits", "reverse_splits")
_KINDS = dict.fromkeys(_SPLITS, "split") | {
    "name_changes": "rename",
    "rights_distributions": "rights",
    "worthless_removals": "removal",
    **dict.fromkeys(("cash_mergers", "stock_mergers", "stock_and_cash_mergers"), "merger"),
}


def announced_actions(by_kind: Mapping[str, Sequence[Mapping[str, object]]]) -> list[VendorAction]:
    """What is said of each action, under the symbol whose holders it concerns."""
    return [_told(kind, row) for kind, rows in by_kind.items() for row in rows]


def _told(kind: str, row: Mapping[str, object]) -> VendorAction:
    holders = ("symbol", "old_symbol", "source_symbol", "acquiree_symbol")
    symbol = next((str(row[name]) for name in holders if row.get(name)), "")
    old, new = _ratio(kind, row)
    cash = kind in ("cash_dividends", "cash_mergers", "redemptions")
    return VendorAction(
        symbol=symbol,
        event_id=row.get("id"),
        action_type=_KINDS.get(kind, kind.removesuffix("s")),
        subtype=kind.removesuffix("s"),
        ex_date=row.get("ex_date") or row.get("effective_date") or row.get("process_date"),
        record_date=row.get("record_date"),
        pay_date=row.get("payable_date"),
        process_date=row.get("process_date"),
        ratio_old=old,
        ratio_new=new,
        amount=row.get("rate") if cash else row.get("cash_rate"),
        currency=row.get("currency") or ("USD" if cash else None),
        special=row.get("special"),
        new_symbol=row.get("new_symbol") or row.get("acquirer_symbol") or None,
    )


def _ratio(kind: str, row: Mapping[str, object]) -> tuple[object, object]:
    """Shares before and after. A stock dividend of 0.05 makes 1.05 shares of one; rights are counted for one share."""
    rate = row.get("rate")
    if kind == "stock_dividends":
        return 1.0, 1.0 + rate if isinstance(rate, (int, float)) else None
    if kind == "rights_distributions":
        return row.get("source_rate") or 1.0, row.get("rate")
    if "acquiree_rate" in row:
        return row.get("acquiree_rate"), row.get("acquirer_rate")
    return row.get("old_rate") or row.get("source_rate"), row.get("new_rate")
