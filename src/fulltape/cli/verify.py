"""`fulltape verify`: whether every file is what was written, and mending what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fulltape.terminal import options, wrapping
from fulltape.terminal.options import JsonOption, NodeOption, QuietOption, counted
from fulltape.terminal.progress import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fulltape.verify.plan import Finding, VerifyReport

_SHOWN = 3
"""So many of those that say the same."""


PANEL = "Keep"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape verify --deep")(verify)


def verify(
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Set apart what is damaged, take up what the ledger does not know, and run a night that makes the rest again.",
        ),
    ] = False,
    deep: Annotated[
        bool,
        typer.Option(
            "--deep",
            help="Read older revisions, every journal, every byte of the bundles and the ledger's pages as well.",
        ),
    ] = False,
    node: NodeOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Hold every file of the lake against the ledger, and every entry of the ledger against the files."""
    from fulltape.clock import SystemClock
    from fulltape.node import repair as repairing
    from fulltape.verify import run

    with (
        options.opened(node, asking=repair, owning=not repair) as context,
        Watch(quiet=quiet or json) as watch,
    ):
        clock = SystemClock(context.ledger.boots.anchor)
        if repair:
            done = repairing.run(context, clock, watch, deep=deep)
            before, after, complete = done.before, done.after, done.night.complete
        else:
            before = after = run.run_once(context, clock, watch, deep=deep)
            complete = True
    if json:
        options.emit_json(
            {"files": after.files, "bytes": after.bytes, "found": before.findings, "left": after.findings}
        )
    elif not quiet:
        wrapping.say(lines(before, "fulltape verify --repair mends what can be mended" if not repair else ""))
        if repair:
            wrapping.say(_left(after.findings, complete=complete))
    if after.findings or not complete:
        raise typer.Exit(1)


def lines(report: VerifyReport, then: str) -> list[str]:
    """What was looked at, and what is wrong."""
    size = f"{counted(report.files, 'part')}, {report.bytes / 1e6:,.1f} MB"
    if not report.findings:
        return [f"{size}: all as they were written."]
    summary = f"{size}; {counted(len(report.findings), 'finding')}"
    return [*folded(report.findings), summary, *([then] if then else [])]


def folded(findings: Sequence[Finding]) -> list[str]:
    """A line each; of those that say the same of many files a few, and how many more there are."""
    alike: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in sorted(findings, key=lambda entry: (entry.kind, entry.path)):
        alike.setdefault((finding.kind, finding.what, finding.cure), []).append(finding)
    out = []
    for (_, what, cure), some in alike.items():
        out += [f"{example.path}: {what}; {cure}" for example in some[:_SHOWN]]
        if len(some) > _SHOWN:
            out.append(f"… and {counted(len(some) - _SHOWN, 'file')} more of the same (--json)")
    return out


def _left(findings: Sequence[Finding], *, complete: bool) -> list[str]:
    if findings:
        return ["still wrong:", *(f"  {line}" for line in folded(findings))]
    if not complete:
        return ["mended, but not all is there again: fulltape gaps tells what is missing"]
    return ["mended: all that was looked at is as it was written."]
