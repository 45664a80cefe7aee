"""`make bench-truth`: situations whose truth is known, and what the node says of them."""

from __future__ import annotations

import time

from benchmarks.report import Report
from benchmarks.truth import sessions, silences, streams


def main() -> None:
    """Measure, print the tables, end with 1 if a demanded figure is missed."""
    report = Report(name="truth")
    began = time.perf_counter()
    _silences(report)
    _sessions(report)
    _streams(report)
    report.figures["seconds"] = time.perf_counter() - began
    report.end()


def _silences(report: Report) -> None:
    found = silences.measure()
    believed = found.proved_empty / found.proved
    doubted = found.unproved_missing / found.unproved
    report.table(
        f"Silence: {found.cells:,} generated cells in series of {', '.join(map(str, silences.SIZES))} sessions",
        ("what", "cells", "of"),
        [
            ["traded, and called empty", found.false_empty, found.cells],
            ["silent with a second fact, and called empty", found.proved_empty, found.proved],
            ["silent without one, and called missing", found.unproved_missing, found.unproved],
            ["untouched real days that are called missing", found.real_missing, found.real],
        ],
    )
    report.figures["silences"] = {name: getattr(found, name) for name in found.__dataclass_fields__}
    report.demand("false empty", found.false_empty, at_most=0)
    report.demand("silent with a second fact: empty", believed, at_least=0.99)
    report.demand("silent without one: missing", doubted, at_least=1)
    if found.real:
        report.demand("false missing on real days", found.real_missing / found.real, at_most=1 / 2_000)


def _sessions(report: Report) -> None:
    found = sessions.measure()
    report.table(
        "Rows that are not what they seem",
        ("what", "cells", "taken or GREEN"),
        [
            ["asked for over symbols that leave and return (another's)", found.asked, found.foreign_taken],
            ["real sessions shifted by minutes and hours", found.shifted, found.shifted_green],
            ["real sessions truncated", found.truncated, found.truncated_green],
            ["untouched real sessions (AMBER or RED)", found.untouched, found.untouched_blamed],
        ],
    )
    report.figures["sessions"] = {name: getattr(found, name) for name in found.__dataclass_fields__}
    report.demand("foreign rows taken", found.foreign_taken, at_most=0)
    if found.untouched:
        report.demand("shifted and GREEN", found.shifted_green, at_most=0)
        report.demand("truncated and GREEN", found.truncated_green, at_most=0)
        report.demand("untouched and blamed", found.untouched_blamed, at_most=0)


def _streams(report: Report) -> None:
    found = streams.measure()
    report.table(
        f"{found.histories:,} live histories with clocks and ids that begin anew",
        ("what", "seconds"),
        [
            ["captured", found.captured],
            ["claimed to be live and free of doubt", found.claimed],
            ["of these not captured", found.false],
        ],
    )
    report.figures["streams"] = {name: getattr(found, name) for name in found.__dataclass_fields__}
    report.demand("false verified", found.false, at_most=0)


if __name__ == "__main__":
    main()
