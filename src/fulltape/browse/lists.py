"""Findings, tasks and bundles, for the pages."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import msgspec

from fulltape import errors
from fulltape.browse.questions import (
    Bundle,
    BundlesAnswer,
    BundlesQuestion,
    FindingsAnswer,
    SeriesFinding,
    TasksAnswer,
    TasksQuestion,
)
from fulltape.bundle import manifest
from fulltape.bundle.manifest import MANIFEST, Manifest
from fulltape.context import NodeContext
from fulltape.coverage.cell import Verdict
from fulltape.ledger.task_state import STATES

_MOST_FINDINGS, _MOST_TASKS, _MOST_BUNDLES = 300, 100, 60


def findings(context: NodeContext) -> FindingsAnswer:
    """Of what is wanted: RED before AMBER, then those of most sessions."""
    many: Counter[tuple[str, str, str, str]] = Counter()
    ends: dict[tuple[str, str, str, str], tuple[str, str]] = {}
    for name, wanted in context.wanted.items():
        for kind in (Verdict.RED, Verdict.AMBER):
            for said in context.ledger.verdicts.of_kind(name, kind):
                first, last = max(said.first, wanted.first), min(said.last, wanted.until or said.last)
                start, stop = wanted.calendar.between(first, last)
                if said.instrument not in wanted.instruments or start >= stop:
                    continue
                key = (name, said.instrument, kind.value, said.codes)
                many[key] += stop - start
                days = tuple(day.isoformat() for day in wanted.days((start, stop)))
                earlier = ends.get(key, days)
                ends[key] = min(earlier[0], days[0]), max(earlier[1], days[1])
    codes: Counter[tuple[str, str, str]] = Counter()
    for (name, _, verdict, code), sessions in many.items():
        codes[name, verdict, code] += sessions
    worst = sorted(many, key=lambda key: (key[2] != Verdict.RED.value, -many[key], key))
    return FindingsAnswer(
        series=len(worst),
        findings=[
            SeriesFinding(
                dataset=key[0],
                instrument=key[1],
                verdict=key[2],
                codes=key[3],
                sessions=many[key],
                first=ends[key][0],
                last=ends[key][1],
            )
            for key in worst[:_MOST_FINDINGS]
        ],
        codes=[
            (*key, sessions)
            for key, sessions in sorted(
                codes.items(), key=lambda item: (item[0][1] != "RED", -item[1], item[0])
            )
        ],
    )


def tasks(context: NodeContext, question: TasksQuestion) -> TasksAnswer:
    """The newest; `UsageError` for a state that tasks do not have."""
    if question.state and question.state not in STATES:
        raise errors.UsageError(f"{question.state!r} is no state.", hint=f"States: {', '.join(STATES)}.")
    newest = context.ledger.tasks.newest(state=question.state, most=_MOST_TASKS)
    return TasksAnswer(tasks=[msgspec.to_builtins(task) for task in newest])


def bundles(context: NodeContext, question: BundlesQuestion) -> BundlesAnswer:
    """What lies on disk, the newest first."""
    written = {row["path"]: int(row["at"]) for row in context.ledger.exports()}
    paths = context.layout.bundles()[::-1]
    listed = [path for at, path in enumerate(paths) if at < _MOST_BUNDLES or path.name == question.day]
    return BundlesAnswer(
        bundles=[
            _bundle(path, written.get(context.layout.relative(path), 0), files=path.name == question.day)
            for path in listed
        ],
        older=len(paths) - len(listed),
    )


def _bundle(path: Path, at: int, *, files: bool) -> Bundle:
    try:
        body = (path / MANIFEST).read_bytes()
        described = manifest.parsed(body)
    except (OSError, msgspec.DecodeError) as error:
        why = f"it cannot be read ({type(error).__name__}: {error})"
        return Bundle(
            day=path.name, at=at, rows=0, bytes=0, verdicts={}, digest="", count=0, files=[], problem=why
        )
    return Bundle(
        day=path.name,
        at=at,
        rows=described.rows,
        bytes=sum(file.bytes for file in described.files),
        verdicts=described.verdicts,
        digest=hashlib.sha256(body).hexdigest(),
        count=len(described.files),
        files=described.files if files else [],
        problem=_problem(path, described),
    )


def _problem(path: Path, described: Manifest) -> str:
    """What is wrong with the files of a bundle, as far as their sizes tell."""
    wrong = [file.path for file in described.files if _size(path / file.path) != file.bytes]
    more = f" and {len(wrong) - 1:,} more" if len(wrong) > 1 else ""
    return (
        f"{wrong[0]}{more}: gone, or not of the size that was written; fulltape verify tells more"
        if wrong
        else ""
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
