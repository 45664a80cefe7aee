"""The story of a cell in words, for the terminal and for the pages."""

from __future__ import annotations

from collections.abc import Sequence

from fulltape.market.time import parse_iso, to_second
from fulltape.views.explain import Explanation

_LONGEST = 110


def answer(story: Explanation) -> str:
    """What the cell is, and why."""
    if not story.wanted:
        return "not wanted: the session lies outside the dataset's from and until"
    return f"{story.cell.availability.value}: {story.cell.why}"


def pairs(story: Explanation) -> Sequence[tuple[str, str]]:
    """Everything behind it, each with what it is."""
    cell = story.cell
    out = [("expected", story.expected)]
    if cell.finality and cell.completeness:
        out += [("finality", cell.finality.value), ("completeness", cell.completeness.value)]
    out.append(("verdict", cell.verdict.value))
    if story.checked:
        out.append(("rows", f"{story.checked['rows']}{_usual(story)}"))
        out += [("finding", text) for text in (story.checked["findings"] or "").split("; ") if text]
    out += [("finding", story.laid)] if story.laid else []
    out += [("repair", text) for text in story.repairs]
    out += [
        (
            "fact",
            f"{fact['source']} {fact['fact']} ({fact['reason']}), learned {to_second(parse_iso(fact['since']))}",
        )
        for fact in story.facts
    ]
    out += [("source", f"{source['source']} {source['says']}") for source in story.sources]
    out += [("part", part) for part in story.parts]
    out += [
        (
            f"task {task.task_id}",
            f"{task.kind} {task.first} to {task.last}: {task.state}"
            + (f" by {task.source}" if task.source else "")
            + (f", {task.last_error}" if task.last_error else ""),
        )
        for task in story.tasks
    ]
    out += [
        ("request", f"{to_second(row['sent_at'])} {row['source']} {row['outcome']} {_short(row['target'])}")
        for row in story.requests
    ]
    return out


def _usual(story: Explanation) -> str:
    low, high = story.checked["expected_low"], story.checked["expected_high"]
    if high is None:
        return ""
    return f" ({low} to {high} usual)" if low is not None else f" (at most {high}, too few sessions to judge)"


def _short(target: str) -> str:
    return target if len(target) <= _LONGEST else f"{target[: _LONGEST - 1]}…"
