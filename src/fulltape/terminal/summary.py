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


def chosen(found: Sequence[Lines], most: int) -> tuple[list[Lines], list[Lines]]:
    """At most so many, those with something wrong first, in their order; and the rest."""
    if len(found) <= most:
        return list(found), []
    first = sorted(range(len(found)), key=lambda at: not found[at].wrong)[:most]
    return [found[at] for at in sorted(first)], [one for at, one in enumerate(found) if at not in set(first)]


def datasets(
    cells: Mapping[str, Mapping[str, int]],
    verdicts: Mapping[str, Mapping[str, int]],
    titles: Mapping[str, str],
    most: int,
) -> list[str]:
    """A line a dataset: its cells by state, and the verdicts on them."""
    told = {
        name: Lines(
            lines=[f"{titles[name]}: {_counts(by_state)}; {_verdicts(verdicts[name])}"],
            wrong=any(count for state, count in by_state.items() if state not in _GOOD)
            or any(count for verdict, count in verdicts[name].items() if verdict != "GREEN"),
        )
        for name, by_state in cells.items()
    }
    shown, rest = chosen(list(told.values()), most)
    lines = [line for one in shown for line in one.lines]
    if rest:
        names = [name for name, one in told.items() if one in rest]
        both = [_counts(_summed(cells, names)), _verdicts(_summed(verdicts, names))]
        lines.append(f"… and {counted(len(names), 'dataset')} more: {'; '.join(both)}")
    return lines


def sources(found: Sequence[SourceState], most: int, *, verbose: bool) -> list[str]:
    """What each source was asked and answered, its budgets, and what it may not be asked for."""
    told = [
        Lines(
            lines=[source_line(one), *refusals(one, verbose=verbose)],
            wrong=bool(one.closed_until or one.refusals or one.outcomes.keys() - {"rows", "empty"}),
        )
        for one in found
    ]
    shown, rest = chosen(told, most)
    lines = [line for one in shown for line in one.lines]
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
    told = [
        f"{names[0]}{f' and {number(len(names) - 1)} more' if len(names) > 1 else ''} ({why})"
        for why, names in alike.items()
    ]
    more = f", and for {counted(len(told) - 2, 'reason')} more" if len(told) > 2 else ""
    return [f"  may not be asked for {'; '.join(told[:2])}{more}"] if told else []


def damages(found: Sequence[Damage], *, verbose: bool) -> list[str]:
    """Files that are not what was written and are not healed yet: one line, or one each."""
    if not found:
        return []
    if verbose:
        return [f"damaged: {one.path}: {one.what}" for one in found]
    more = f" and {number(len(found) - 1)} more" if len(found) > 1 else ""
    return [f"damaged: {found[0].path}{more}: {found[0].what} (fulltape verify)"]


def rejections(found: Sequence[Row], most: int) -> list[str]:
    """Rejected rows by source and kind of reason, the most frequent first: those that differ in their numbers only are one
    kind."""
    kinds: dict[tuple[str, str], list[Row]] = {}
    for row in found:
        kinds.setdefault((row["source"], _NUMBER.sub("…", row["reason"])), []).append(row)
    told = sorted(
        (
            (sum(row["pages"] for row in rows), source, kind if len(rows) > 1 else rows[0]["reason"])
            for (source, kind), rows in kinds.items()
        ),
        key=lambda one: -one[0],
    )
    lines = [
        f"rejected: {source}, {counted(times, 'time')}: {reason}" for times, source, reason in told[:most]
    ]
    rest = told[most:]
    if rest:
        times = counted(sum(one[0] for one in rest), "time")
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
    found: dict[str, int] = {}
    for name in names:
        for word, count in counts[name].items():
            found[word] = found.get(word, 0) + count
    return found
