"""Massive's splits and dividends."""

from __future__ import annotations

from collections.abc import Mapping

from fulltape.decoding.actions import VendorAction


def told_of(row: Mapping[str, object]) -> VendorAction:
    """A row of the dividends' endpoint, or of the splits'."""
    if "cash_amount" in row:
        return VendorAction(
            symbol=str(row.get("ticker", "")),
            event_id=row.get("id"),
            action_type="cash_dividend",
            subtype=row.get("distribution_type"),
            ex_date=row.get("ex_dividend_date"),
            declared_date=row.get("declaration_date"),
            record_date=row.get("record_date"),
            pay_date=row.get("pay_date"),
            amount=row.get("cash_amount"),
            currency=row.get("currency"),
            special=row.get("distribution_type") in ("special", "supplemental"),
        )
    subtype = row.get("adjustment_type")
    return VendorAction(
        symbol=str(row.get("ticker", "")),
        event_id=row.get("id"),
        action_type="stock_dividend" if subtype == "stock_dividend" else "split",
        subtype=subtype,
        ex_date=row.get("execution_date"),
        ratio_old=row.get("split_from"),
        ratio_new=row.get("split_to"),
    )
