"""What sealing journals of messages has come to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedTotals:
    """What was captured: journals, messages, rows, parts; messages of unknown kinds, broken ones and rows refused;
    doubtful intervals found, and how many of them ids proved whole at once; tasks enqueued for the others."""

    files: int = 0
    messages: int = 0
    rows: int = 0
    parts: int = 0
    unknown: int = 0
    broken: int = 0
    damaged: int = 0
    intervals: int = 0
    proved: int = 0
    tasks: int = 0

    def __add__(self, other: CapturedTotals) -> CapturedTotals:
        """Both together."""
        names = self.__dataclass_fields__
        return CapturedTotals(**{name: getattr(self, name) + getattr(other, name) for name in names})
