"""From the pages of one fetch to rows in the dataset's schema, and to what was rejected."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import polars as pl

from fulltape.context import ConfiguredDataset, ConfiguredSource, valid_rows
from fulltape.contract.vendor import Page, Rejected, Vendor
from fulltape.decoding import frames
from fulltape.lake.fetches import StoredFetch, StoredPage


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedFetch:
    """Clean rows of one fetch, sorted by (instrument, ts) and unique, and the rejections with the page's bytes."""

    frame: pl.DataFrame
    rejected: tuple[Rejected, ...]


def decode(
    stored: StoredFetch, vendor: Vendor, feed: ConfiguredSource, wanted: ConfiguredDataset
) -> DecodedFetch:
    """All rows of a fetch's sound pages; whatever breaks the contract is rejected with a reason."""
    fetch = stored.record.fetch
    pages = [_page(stored, page) for page in stored.sound_pages()]
    decoded = vendor.decode(pages)
    capability = feed.capability(fetch.dataset)
    assert capability is not None
    frame, unread = frames.rows(decoded, wanted.dataset, capability, wanted.calendar)
    frame = frame.with_columns(
        pl.col("symbol").replace_strict(stored.record.instruments, return_dtype=pl.String).alias("instrument")
    )
    frame, broken = valid_rows.by_schema(frame, wanted)
    frame, outside = _inside(frame, fetch.first, fetch.last, positional=stored.positional)
    frame, wrong = valid_rows.by_sessions_and_keys(frame, wanted)
    frame = frame.drop("page").sort("instrument", "ts", maintain_order=True)
    return DecodedFetch(frame=frame, rejected=(*unread, *broken, *outside, *wrong))


def _page(stored: StoredFetch, page: StoredPage) -> Page:
    record = page.record
    return Page(
        fetch=stored.record.fetch,
        number=record.number,
        status=record.status,
        body=page.body,
        memo=record.memo,
    )


_NEAR = dt.timedelta(days=7)
"""A vendor's window may reach so far beyond what was asked for."""


def _inside(
    frame: pl.DataFrame, first: dt.date, last: dt.date, *, positional: bool
) -> tuple[pl.DataFrame, list[Rejected]]:
    """Take out rows of sessions that were not asked for. Far from these they say that the answer is about something else:
    then which sessions they stand for is unknown. Pages that are limited by count end where they end."""
    frame, rejections = valid_rows.without(
        frame, ~pl.col("session").is_between(first, last), "a session that was not asked for"
    )
    return frame, [
        replace(
            rejection,
            session=None,
            placed=True,
            reason=f"rows of {rejection.session}, far from what was asked for",
        )
        if rejection.session and not positional and not first - _NEAR <= rejection.session <= last + _NEAR
        else rejection
        for rejection in rejections
    ]
