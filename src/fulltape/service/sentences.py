"""What the service says of its jobs, a line each."""

from __future__ import annotations

from fulltape.service.config import JobEnd
from fulltape.service.plan import Cause, EntryState, Moment

_WHY: dict[Cause, str] = {
    "schedule": "it is due",
    "interval": "it is due",
    "event": "there is work for it",
    "retry": "once more",
    "again": "there is room again",
    "person": "asked for",
}


def begun_words(begun: EntryState) -> str:
    """A job begins."""
    return f"{begun.entry.name}: begins, {_WHY[begun.cause]}"


def ended_words(begun: EntryState, started: Moment, end: JobEnd, now: Moment) -> str:
    """A job has ended."""
    name, took = begun.entry.name, f"{now.steady - started.steady:,.1f} s"
    if end.outcome == "busy":
        return f"{name}: waits, {end.error}"
    if end.outcome == "stopped":
        return f"{name}: stopped after {took}, goes on at the next start"
    if end.outcome != "done":
        return f"{name}: failed after {took}: {end.error} {end.hint}".rstrip()
    numbers = ", ".join(f"{many:,} {what.replace('_', ' ')}" for what, many in end.numbers.items())
    words = f"{name}: {numbers or 'nothing to do'} ({took})"
    return f"{words}; {end.full}" if end.full else words
