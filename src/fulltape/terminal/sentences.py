"""What is said to people of what happened in a stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fulltape.context import Event, EventKind

SENTENCES: Mapping[EventKind, str] = {
    "started": "",
    "finished": "",
    "no_symbols": "{dataset} has no symbols: its universe is empty (see fulltape symbols)",
    "no_room": "{why}",
    "left": "{folders:,} folders are left for the next time",
    "removed": "{count:,} {what} went: {why}",
    "would_remove": "{count:,} {what} would go: {why}",
    "kept_unproved": "{files:,} files stay until every place of [sync] has proved them",
    "damaged": "{files:,} damaged, because of which a stage stopped: {error}",
    "resuming": "resuming {fetches:,} interrupted requests",
    "backed_up": "the ledger is backed up in {folder}/",
    "stopping": "stopping, once the answers on their way are here",
    "unreachable": "{source} cannot be reached, and is left alone for now",
    "trouble": "{source} had trouble, asking again: {reason}",
    "rate_limited": "{source} told to wait {seconds:.1f} s: {reason}",
    "waiting": "{source} waits {seconds:.0f} s for room ({limit})",
    "symbol_refused": "{source} {symbol}: {outcome} ({reason})",
    "written": "{file}: {rows:,} rows, {bytes:,} bytes, {gaps:,} gaps, {missing:,} sessions missing",
    "refused": "{source} {outcome}: {reason}",
}


def of(event: Event) -> str:
    """An event in words; '' where people see it anyway. Progress has none."""
    words = {
        name: value.replace("_", " ") if name == "outcome" else value
        for name, value in event.fields.items()
        if isinstance(value, str)
    }
    return SENTENCES[event.kind].format(**{**event.fields, **words})
