"""Files that were taken in: rows of them have a source, and nothing can be asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from fulltape.contract.plans import Limits
from fulltape.contract.vendor import (
    Capability,
    Conversation,
    Cursor,
    Decoded,
    FetchRequest,
    Page,
    Rejected,
    Source,
    VendorSpec,
)
from fulltape.market import datasets

_NEVER = dt.date(9999, 1, 1)
"""Nothing is served before it, so that nothing is asked for."""


def _source(feed: str) -> Source | None:
    if not feed:
        return None
    return Source(
        name=f"files.{feed}",
        feed=feed,
        scope="as the files say",
        capabilities=tuple(
            Capability(dataset=name, history_from=_NEVER, symbols_per_request=1, rows_per_page=1)
            for name in datasets.DATASETS
        ),
    )


SPEC = VendorSpec(
    name="files",
    title="files that were taken in",
    hosts={},
    secrets=(),
    auth={},
    plans={"": Limits()},
    default_plan="",
    sources=(),
    documents=(),
    any_source=_source,
)


def history(fetch: FetchRequest, resume: Cursor | None) -> Conversation:  # noqa: ARG001 — the signature of every vendor
    """There is nothing to ask."""
    yield from ()


def decode(pages: Sequence[Page]) -> Decoded:
    """There are no pages."""
    return Decoded(
        rejected=tuple(
            Rejected(page=page.number, symbol=None, session=None, rows=0, reason="files have no pages")
            for page in pages
        )
    )
