"""What the pages say, and in which tone. Pure. Nothing is said to be well that is not known to be."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Literal

import msgspec

from fulltape.lake.capture_state import OLD
from fulltape.market.time import DAY, MINUTE, SECOND, Instant, to_datetime
from fulltape.service.memory import NightRecord
from fulltape.service.shown import ServiceState
from fulltape.web.snapshot import NodeCounts, Snapshot, totals

Tone = Literal["well", "working", "attention", "unknown"]
NIGHTS = 90
KINDS = {
    "missing": "are missing",
    "partial": "are there in part",
    "unobtainable": "no vendor has",
    "unknown_listing": "may or may not have been listed",
}
"""What keeps a cell from being held, in words."""
_OLD = 5 * MINUTE
"""What was read of the ledger longer ago says nothing of now."""


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """The one sentence: whether everything is all right; and a second one with what comes next."""

    tone: Tone
    text: str
    more: str


class Square(msgspec.Struct, frozen=True, kw_only=True):
    """One night of the ribbon."""

    day: str
    tone: Tone
    text: str


def headline(shown: Snapshot) -> Headline:
    """The sentence. What keeps the node from being well comes first; it is well only if every cell that is wanted is held or
    confirmed empty, checked, and none is RED."""
    counts, service = shown.counts, shown.service
    if shown.stale:
        more = shown.problem or "Reading it takes too long, or fails."
        return Headline(tone="unknown", text=f"The node was last looked at {clock(shown.at)}.", more=more)
    following = next_words(shown)
    if service is None:
        return Headline(
            tone="attention",
            text="No service runs.",
            more="fulltape run starts it. What stands below is what it left.",
        )
    if service.conditions:
        first = service.conditions[0]
        rest = len(service.conditions) - 1
        more = f"{first.text}{f' And {rest} more below.' if rest else ''}"
        return Headline(tone="attention", text=f"{first.title}.", more=more)
    if service.message:
        return Headline(
            tone="attention",
            text="The settings were not taken.",
            more=f"{service.message} Those of before go on.",
        )
    if service.held:
        return Headline(tone="attention", text="Work waits.", more=f"{next(iter(service.held.values()))}.")
    if down := not_live(shown):
        reasons = (
            [f"{source.source}: {source.reason}." for source in shown.capture.sources if source.reason]
            if shown.capture
            else []
        )
        held = f" Beside that: {_of_counts(counts, '', working=False).text}" if counts else ""
        return Headline(tone="attention", text=down, more=f"{' '.join(reasons)}{held} {following}".strip())
    if counts is None:
        return Headline(
            tone="unknown",
            text="The ledger has not been read yet.",
            more=shown.problem or "It is being read.",
        )
    if shown.problem or shown.at - counts.at > _OLD:
        text = f"What is held was last read at {clock(counts.at)}."
        return Headline(tone="unknown", text=text, more=shown.problem or following)
    return _of_counts(counts, following, working=bool(service.running))


def _of_counts(counts: NodeCounts, following: str, *, working: bool) -> Headline:
    all_of = totals(counts)
    wanted, red = all_of.get("wanted", 0), all_of.get("RED", 0)
    lacking = sum(dataset.lacking for dataset in counts.datasets)
    if not wanted:
        return Headline(tone="unknown", text="Nothing is wanted yet that is final.", more=following)
    if lacking:
        kinds = [f"{all_of[state]:,} {words}" for state, words in KINDS.items() if all_of.get(state)]
        names = ", ".join(dataset.dataset for dataset in counts.datasets if dataset.lacking)
        open_tasks = sum(
            many for state, many in counts.tasks.items() if state in ("queued", "leased", "fetched")
        )
        tone: Tone = "working" if open_tasks else "attention"
        text = f"Of {wanted:,} cells {', '.join(kinds)}."
        asked = (
            f"{open_tasks:,} tasks are open."
            if open_tasks
            else "No task is open for them: fulltape gaps says why, and what would help."
        )
        return Headline(tone=tone, text=text, more=f"{names}. {asked} {following}")
    if counts.damaged:
        text = f"{counts.damaged:,} files are not what was written, and are not healed."
        return Headline(
            tone="attention", text=text, more="fulltape verify --repair mends what can be mended."
        )
    if red:
        return Headline(
            tone="attention",
            text=f"Nothing is missing; {red:,} cells are RED.",
            more=f"fulltape status says more. {following}",
        )
    # Of each dataset by itself: what one has too many of must not hide what another lacks.
    unjudged = sum(
        max(
            0,
            dataset.cells.get("held", 0)
            - dataset.verdicts.get("GREEN", 0)
            - dataset.verdicts.get("AMBER", 0),
        )
        for dataset in counts.datasets
    )
    if unjudged > 0:
        text = f"Everything is held; {unjudged:,} cells are not checked yet."
        return Headline(tone="working" if working else "attention", text=text, more=following)
    empty = [dataset.dataset for dataset in counts.datasets if not dataset.cells.get("wanted")]
    if empty:
        text = (
            f"All that is wanted is held and checked; of {', '.join(empty)} nothing is wanted that is final."
        )
        return Headline(tone="unknown", text=text, more=f"Is its universe empty? {following}")
    newest = min((dataset.newest for dataset in counts.datasets if dataset.newest), default="")
    amber = all_of.get("AMBER", 0)
    noted = f" {amber:,} cells are AMBER." if amber else ""
    return Headline(
        tone="well", text=f"Everything is held and checked to {day_words(newest)}.{noted}", more=following
    )


def not_live(shown: Snapshot) -> str:
    """What of live capture is not as it should be, as a sentence; '' where all of it is."""
    service, capture = shown.service, shown.capture
    if service is None or service.capture == "none":
        return ""
    if capture is None or not fresh(shown):
        return "Live capture is not running."
    down = [source for source in capture.sources if not all(channel.live for channel in source.channels)]
    if not down:
        return ""
    first = down[0]
    missing = sum(not channel.live for source in down for channel in source.channels)
    return f"{missing:,} live streams are down ({first.source} is {first.state})."


def fresh(shown: Snapshot) -> bool:
    """Whether the capture process that the service started has told how it is just now."""
    capture, service = shown.capture, shown.service
    if capture is None or service is None or not capture.running:
        return False
    return not shown.stale and shown.at - capture.at <= OLD and capture.process == service.capture_process


def upcoming(service: ServiceState) -> Sequence[tuple[Instant, str]]:
    """The next moments at which something runs, each with the entries that then do."""
    moments: dict[Instant, list[str]] = {}
    for entry in service.entries:
        if entry.next and entry.enabled:
            moments.setdefault(entry.next // MINUTE * MINUTE, []).append(entry.name)
    return [(at, ", ".join(names)) for at, names in sorted(moments.items())[:4]]


def next_words(shown: Snapshot) -> str:
    """What the service does next."""
    if shown.service is None:
        return ""
    due = [
        entry
        for entry in shown.service.entries
        if entry.next and entry.enabled and entry.name in ("forward", "export")
    ]
    if not due:
        return ""
    first = min(due, key=lambda entry: entry.next or 0)
    what = "new sessions" if first.name == "forward" else "the night's bundle"
    return f"Next: {what}, {clock(first.next or 0)}."


def ribbon(nights: dict[str, NightRecord], today: dt.date) -> Sequence[Square]:
    """The last nights, the oldest first."""
    squares, first = [], min(nights, default="")
    for back in range(NIGHTS - 1, -1, -1):
        day = (today - dt.timedelta(days=back)).isoformat()
        night = nights.get(day)
        if night is None:
            words = "no bundle was made" if first and day > first else "before the first night"
            squares.append(Square(day=day, tone="unknown", text=f"Night of {day}: {words}"))
        elif night.outcome != "done":
            squares.append(Square(day=day, tone="attention", text=f"Night of {day}: {night.outcome}"))
        else:
            tone: Tone = "well" if night.complete else "working"
            text = "bundle written" if night.complete else "bundle with cells that are RED or not there"
            squares.append(Square(day=day, tone=tone, text=f"Night of {day}: {text}"))
    return squares


def clock(at: Instant) -> str:
    """A moment, to the minute."""
    return f"{to_datetime(at):%a %d %b %H:%M} UTC"


def moment(at: Instant) -> str:
    """A moment, to the second, short."""
    return f"{to_datetime(at):%m-%d %H:%M:%S}"


def day_words(day: str) -> str:
    """A day."""
    return f"{dt.date.fromisoformat(day):%A, %d %B %Y}" if day else "no day"


def ago(at: Instant, now: Instant) -> str:
    """How long ago a moment was."""
    if not at:
        return "never"
    length = max(0, now - at)
    for unit, worth in (("d", DAY), ("h", 60 * MINUTE), ("min", MINUTE)):
        if length >= worth:
            return f"{length // worth} {unit} ago"
    return f"{length // SECOND} s ago"
