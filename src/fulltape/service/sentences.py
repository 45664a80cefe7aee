"""What the service says of its jobs, a line each; what programs read beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fulltape.market.time import Instant, to_second
from fulltape.service.config import JobEnd
from fulltape.service.plan import Cause, EntryState, Moment


class Say(Protocol):
    """Writes a line for people, or for programs as JSON: its kind, the words and fields."""

    def __call__(self, words: str, /, *, kind: str = "said", **fields: object) -> None:
        """Write it."""
        ...


WHY: dict[Cause, str] = {
    "schedule": "its time has come",
    "interval": "its time has come",
    "event": "there may be work",
    "retry": "again",
    "again": "there is room again",
    "person": "asked for",
}
_LOUD = ("schedule", "person")
"""Causes for which a run is told of even where it does nothing: it was expected."""


def begun_words(begun: EntryState) -> str:
    """A job begins; '' where that is nothing to tell people of."""
    return f"{begun.entry.name}: begins, {WHY[begun.cause]}" if begun.cause in _LOUD else ""


def ended_words(begun: EntryState, started: Moment, end: JobEnd, now: Moment) -> str:
    """A job has ended; '' where it did nothing that people would look for."""
    name, took = begun.entry.name, f"{now.steady - started.steady:,.1f} s"
    if end.outcome == "busy":
        return f"{name}: waits, {end.error}"
    if end.outcome == "stopped":
        return f"{name}: stopped after {took}, goes on at the next start"
    if end.outcome != "done":
        return f"{name}: failed after {took}: {end.error} {end.hint}".rstrip()
    if not end.numbers and not end.full:
        return f"{name}: nothing to do ({took})" if begun.cause in _LOUD else ""
    numbers = ", ".join(counted(many, what) for what, many in end.numbers.items())
    words = f"{name}: {numbers or 'nothing to do'} ({took})"
    return f"{words}; {end.full}" if end.full else words


def stopping_words(names: Sequence[str]) -> str:
    """The service ends."""
    return f"stopping, once {', '.join(names)} can be left" if names else "stopping"


def counted(many: int, what: str) -> str:
    """1 captured file, 2 captured files, 1 series, 1 fetch."""
    noun = what.replace("_", " ")
    if noun.startswith("out "):  # sources that took no further part, and why
        return f"{many:,} {'source' if many == 1 else 'sources'} {noun.removeprefix('out ')}"
    return f"{many:,} {_singular(noun) if many == 1 else noun}"


def _singular(noun: str) -> str:
    if noun.endswith("series"):
        return noun
    for ending, becomes in (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"), ("s", "")):
        if noun.endswith(ending):
            return noun.removesuffix(ending) + becomes
    return noun


def resting_words(source: str, reason: str, until: Instant) -> str:
    """A source is left alone."""
    return f"{source} is left alone until {to_second(until)}: {reason}"
