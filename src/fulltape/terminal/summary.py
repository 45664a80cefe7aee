"""A node's state in few lines: what needs a look first, and what is left out summed up."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fulltape.terminal.options import counted, number

if TYPE_CHECKING:
    from fulltape.ledger.damages import Damage
    from fulltape.ledger.database import Row
    from fulltape.views.state import SourceState

_NUMBER = re.compile(r"(?<!HTTP )\b\d[\d.,:T+-]*Z?")
_GOOD = {"wanted", "held", "empty"}
STATES = {
    "partial": "partly held",
    "empty": "confirmed empty",
    "unobtainable": "no vendor has it",
    "unknown_listing": "unknown listing",
}
"""What some states of cells are called, for people; others are called as they are."""
DATASETS, SOURCES, REJECTIONS, FUTURE = 7, 3, 3, 2
"""So many of each has a short summary at most; a source has one line more for what it may not be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Some lines about one thing, and whether something is wrong with it."""

    lines: Sequence[str]
    wrong: bool


def chosen(entries: Sequence[Lines], most: int) -> tuple[list[Lines], list[Lines]]:
    """At most so many, those with something wrong first, in their order; and the rest."""
    if len(entries) <= most:
        return list(entries), []
    first = sorted(range(len(entries)), key=lambda at: not entries[at].wrong)[:most]
    return [entries[at] for at in sorted(first)], [
        entry for at, entry in enumerate(entries) if at not in set(first)
    ]


def datasets(
    cells: Mapping[str, Mapping[str, int]],
    verdicts: Mapping[str, Mapping[str, int]],
    titles: Mapping[str, str],
    most: int,
) -> list[str]:
    """A line a dataset: its cells by state, and the verdicts on them."""
    by_dataset = {
        name: Lines(
            lines=[f"{titles[name]}: {_counts(by_state)}; {_verdicts(verdicts[name])}"],
            wrong=any(count for state, count in by_state.items() if state not in _GOOD)
            or any(count for verdict, count in verdicts[name].items() if verdict != "GREEN"),
        )
        for name, by_state in cells.items()
    }
    shown, rest = chosen(list(by_dataset.values()), most)
    lines = [line for entry in shown for line in entry.lines]
    if rest:
        names = [name for name, entry in by_dataset.items() if entry in rest]
        both = [_counts(_summed(cells, names)), _verdicts(_summed(verdicts, names))]
        lines.append(f"… and {counted(len(names), 'dataset')} more: {'; '.join(both)}")
    return lines


def sources(states: Sequence[SourceState], most: int, *, verbose: bool) -> list[str]:
    """What each source was asked and answered, its budgets, and what it may not be asked for."""
    entries = [
        Lines(
            lines=[source_line(state), *refusals(state, verbose=verbose)],
            wrong=bool(state.closed_until or state.refusals or state.outcomes.keys() - {"rows", "empty"}),
        )
        for state in states
    ]
    shown, rest = chosen(entries, most)
    lines = [line for entry in shown for line in entry.lines]
    if rest:
        lines.append(f"… and {counted(len(rest), 'source')} more")
    return lines


_OUTCOMES = {"rows": "with rows", "empty": "without"}


def source_line(source: SourceState) -> str:
    """Answers by outcome, and what was sent of what may be."""
    per_minute = f" of {number(source.per_minute)}" if source.per_minute else ""
    per_day = f" of {number(source.per_day)}" if source.per_day else ""
    outcomes = ", ".join(
        f"{number(count)} {_OUTCOMES.get(outcome, outcome.replace('_', ' '))}"
        for outcome, count in source.outcomes.items()
    )
    return (
        f"{source.source}: {counted(source.requests, 'answer')}{f' ({outcomes})' if outcomes else ''}; sent "
        f"{number(source.last_minute)}{per_minute} in the last minute, {number(source.today)}{per_day} today"
        + (f"; closed until {source.closed_until}" if source.closed_until else "")
    )


def refusals(source: SourceState, *, verbose: bool) -> list[str]:
    """What a source may not be asked for: each, or those for the same reason summed up in one line for all reasons."""
    if verbose:
        return [f"  may not be asked for {what}: {why}" for what, why in source.refusals.items()]
    alike: dict[str, list[str]] = {}
    for what, why in source.refusals.items():
        alike.setdefault(_NUMBER.sub("…", why), []).append(what)
    sentences = [
        f"{names[0]}{f' and {number(len(names) - 1)} more' if len(names) > 1 else ''} ({why})"
        for why, names in alike.items()
    ]
    more = f", and for {counted(len(sentences) - 2, 'reason')} more" if len(sentences) > 2 else ""
    return [f"  may not be asked for {'; '.join(sentences[:2])}{more}"] if sentences else []


def damages(damaged: Sequence[Damage], *, verbose: bool) -> list[str]:
    """Files that are not what was written and are not healed yet: one line, or one each."""
    if not damaged:
        return []
    if verbose:
        return [f"damaged: {damage.path}: {damage.what}" for damage in damaged]
    more = f" and {number(len(damaged) - 1)} more" if len(damaged) > 1 else ""
    return [f"damaged: {damaged[0].path}{more}: {damaged[0].what} (fulltape verify)"]


def rejections(rejected: Sequence[Row], most: int) -> list[str]:
    """Rejected rows by source and kind of reason, the most frequent first: those that differ in their numbers only are one
    kind."""
    kinds: dict[tuple[str, str], list[Row]] = {}
    for row in rejected:
        kinds.setdefault((row["source"], _NUMBER.sub("…", row["reason"])), []).append(row)
    by_frequency = sorted(
        (
            (sum(row["pages"] for row in rows), source, kind if len(rows) > 1 else rows[0]["reason"])
            for (source, kind), rows in kinds.items()
        ),
        key=lambda group: -group[0],
    )
    lines = [
        f"rejected: {source}, {counted(times, 'time')}: {reason}"
        for times, source, reason in by_frequency[:most]
    ]
    rest = by_frequency[most:]
    if rest:
        times = counted(sum(group[0] for group in rest), "time")
        lines.append(f"… and {counted(len(rest), 'kind')} of rejections more, {times}")
    return lines


def _counts(by_state: Mapping[str, int]) -> str:
    shown = ", ".join(
        f"{number(count)} {STATES.get(word, word)}" for word, count in by_state.items() if count
    )
    return shown or "no session is over yet"


def _verdicts(counts: Mapping[str, int]) -> str:
    shown = ", ".join(f"{number(count)} {verdict}" for verdict, count in sorted(counts.items()) if count)
    return shown or "no verdicts yet"


def _summed(counts: Mapping[str, Mapping[str, int]], names: Sequence[str]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for name in names:
        for word, count in counts[name].items():
            sums[word] = sums.get(word, 0) + count
    return sums
