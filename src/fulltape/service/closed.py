"""Journals of captured messages that were closed since they were looked for last."""

from __future__ import annotations

from pathlib import Path

from fulltape.lake import journal
from fulltape.lake.layout import Layout


class ClosedJournals:
    """Those that wait to be sealed. One that sealing leaves where it is, is told of once."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._known: set[Path] = set()

    def look(self) -> bool:
        """Whether there is one that was not there, or was in use, when this was asked last."""
        files = self._layout.captured_files()
        closed = {path for path in files if path in self._known or not journal.in_use(path)}
        new = bool(closed - self._known)
        self._known = closed
        return new
