"""`fulltape adopt`: files of other layouts become rows of this node."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fulltape import errors
from fulltape.terminal import options, wrapping
from fulltape.terminal.options import JsonOption, NodeOption, QuietOption, counted

if TYPE_CHECKING:
    from fulltape.adopt.adopted import Adoption
    from fulltape.adopt.plan import FileMapping, Question, Recognised
    from fulltape.adopt.report import AdoptReport
    from fulltape.context import NodeContext

PANEL = "Keep"
_FIELDS = {"zone": "zone", "timestamp": "timestamp", "adjustment": "adjustment", "time format": "time_format"}

ZoneOption = Annotated[
    str, typer.Option(help="Zone of times that bear none, such as America/New_York.", show_default=False)
]
TimestampOption = Annotated[
    str, typer.Option(help="Where bars are stamped: start or end of the bar.", show_default=False)
]
AdjustmentOption = Annotated[
    str,
    typer.Option(
        help="What prices are adjusted for: raw, split, all (splits and dividends).", show_default=False
    ),
]
FormatOption = Annotated[
    str, typer.Option(help="How times are written, such as %d.%m.%Y.", show_default=False)
]
FixedOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="A column that is the same in all rows.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        epilog="Example: fulltape adopt ~/old/minute --dataset equities_bars_minute --source files.old --dry-run"
    )(adopt)


def adopt(
    path: Annotated[Path, typer.Argument(help="A folder of data files, or one file.", show_default=False)],
    dataset: Annotated[
        str, typer.Option("--dataset", "-d", help="The dataset that the rows go into.", show_default=False)
    ],
    source: Annotated[
        str,
        typer.Option(
            "--source",
            "-s",
            help="The source that the rows are stored under: one of the dataset's, such as files.NAME.",
            show_default=False,
        ),
    ],
    mapping: Annotated[
        Path | None, typer.Option(help="How they are read (TOML; docs/adopt.md).", show_default=False)
    ] = None,
    zone: ZoneOption = "",
    timestamp: TimestampOption = "",
    adjustment: AdjustmentOption = "",
    time_format: FormatOption = "",
    fixed: FixedOption = None,
    as_evidence: Annotated[
        bool, typer.Option("--as-evidence", help="Adjusted prices: take them into the table of evidence.")
    ] = False,
    again: Annotated[
        bool,
        typer.Option("--again", help="Read files again that were taken in before; what the node has stays."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how they are read, and what would be taken.")
    ] = False,
    node: NodeOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Take in data files of other tools: how they are read is shown, and what they do not tell is asked.

    Their rows are held against the contract like any answer; the files are not changed. Interrupted, it goes on.
    """
    from fulltape.adopt import run
    from fulltape.adopt.adopted import Adoption
    from fulltape.clock import SystemClock
    from fulltape.terminal.progress import Watch

    given = _given(mapping, zone, timestamp, adjustment, time_format, fixed or [])
    with options.opened(node) as context:
        name = _evidence(context, dataset) if as_evidence else dataset
        adoption = Adoption(root=path.expanduser(), dataset=name, source=source, given=given)
        recognised, paths = run.recognise(context, adoption)
        if not json:
            wrapping.say(_read(recognised, len(paths)))
            adoption = _asked(adoption, recognised)
        with Watch(quiet=quiet or json) as watch:
            report = run.run(context, SystemClock(), adoption, watch, dry_run=dry_run, again=again)
    if json:
        options.emit_json(report)
    else:
        wrapping.say(_taken(report, adoption))
    raise typer.Exit(0 if report.complete and not report.recognised.questions else 1)


def _given(
    path: Path | None, zone: str, timestamp: str, adjustment: str, time_format: str, fixed: list[str]
) -> FileMapping:
    import dataclasses

    from fulltape.adopt import mapping
    from fulltape.adopt.plan import ADJUSTMENTS, FileMapping

    if timestamp not in ("", "start", "end"):
        raise errors.UsageError(f"--timestamp {timestamp} is neither start nor end.")
    if adjustment not in ("", *ADJUSTMENTS):
        raise errors.UsageError(f"--adjustment {adjustment} is none of {', '.join(ADJUSTMENTS)}.")
    pairs = {}
    for text in fixed:
        name, equals, value = text.partition("=")
        if not equals:
            raise errors.UsageError(f"--fixed {text} is not NAME=VALUE.")
        pairs[name] = value
    given = mapping.read(path) if path else FileMapping()
    answers: dict[str, Any] = {
        name: value
        for name, value in (
            ("zone", zone), ("timestamp", timestamp), ("adjustment", adjustment), ("time_format", time_format),
        )
        if value
    }  # fmt: skip
    return dataclasses.replace(given, **answers, fixed={**given.fixed, **pairs})


def _evidence(context: NodeContext, dataset: str) -> str:
    """The table of evidence beside a dataset."""
    from fulltape.market import datasets

    asset_class = datasets.get(dataset).asset_class
    for name, wanted in context.wanted.items():
        if wanted.dataset.adjusted and wanted.dataset.asset_class is asset_class:
            return name
    raise errors.UsageError(
        f"this node has no table of evidence for {asset_class.name}.",
        hint="Add [dataset.equities_adjusted_evidence], with this source among its sources.",
    )


def _asked(adoption: Adoption, recognised: Recognised) -> Adoption:
    """The adoption with the answers of the person at the terminal; without one it stays as it is."""
    import dataclasses

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return adoption
    answers: dict[str, Any] = {
        _FIELDS[question.about]: _answer(question)
        for question in recognised.questions
        if question.about in _FIELDS
    }
    given: Any = dataclasses.replace(adoption.given, **answers)
    return dataclasses.replace(adoption, given=given)


def _answer(question: Question) -> str:
    while True:
        choices = f" ({', '.join(question.choices)})" if question.choices else ""
        answer = str(typer.prompt(f"{question.text}{choices}"))
        if answer in question.choices or question.about in ("zone", "time format"):
            return answer


def _read(recognised: Recognised, files: int) -> list[str]:
    from fulltape.adopt import run

    mapping = recognised.mapping
    lines = [f"{counted(files, 'file')}; how they are read:"]
    given = {
        "zone": mapping.zone and f"{mapping.zone}, as you say",
        "timestamp": mapping.timestamp and f"at the {mapping.timestamp} of the bar, as you say",
        "adjustment": mapping.adjustment and f"{mapping.adjustment}, as you say",
    }
    about = {**{name: text for name, text in given.items() if text}, **recognised.why}
    about |= {name: f"{value}, as you say" for name, value in mapping.fixed.items()}
    lines += [f"  {name:<16} {text}" for name, text in about.items()]
    lines += [
        f"  {question.about:<16} ?  {question.text} {run.answer(question)}"
        for question in recognised.questions
    ]
    return lines


def _taken(report: AdoptReport, adoption: Adoption) -> list[str]:
    if report.recognised.questions:
        return ["answer these first; nothing has been taken"]
    would = "would be taken" if report.dry_run else "taken"
    span = f", {report.first} to {report.last}" if report.first else ""
    lines = [
        f"{counted(report.sessions, 'session')} of {counted(len(report.symbols), 'symbol')} in all {would} as {adoption.source}, "
        f"{counted(report.rows, 'row')}{span}"
    ]
    for count, words in (
        (report.done_before, "files were taken in before, and are the same"),
        (report.known, "sessions are known from this source already: what it answered stands"),
        (report.edges, "sessions at the ends of their symbol's rows may be cut off, and are left"),
        (report.open, "sessions are not final yet"),
        (report.outside, "sessions lie outside of what the dataset wants"),
    ):
        if count:
            lines.append(f"  {count:,} {words}")
    if report.regular and report.rows:
        share = 100 * report.regular / report.rows
        lines.append(f"  {share:.1f} % of the rows lie in the regular session; with a wrong zone few would")
    if report.named:
        lines.append(
            f"  symbols by name: {', '.join(f'{name} → {symbol}' for name, symbol in report.named.items())}"
        )
    if report.unknown:
        rows = sum(report.unknown.values())
        lines.append(
            f"  {counted(rows, 'row')} of symbols that the universe does not have: {wrapping.some(tuple(report.unknown))}"
        )
    lines += [f"  not read: {name}: {reason}" for name, reason in report.unreadable.items()]
    lines += [
        f"  {counted(rows, 'row')} rejected, with their sessions: {reason}"
        for reason, rows in report.rejected.items()
    ]
    if report.parts:
        lines.append(
            "run fulltape nightly: it curates and checks what was taken in, and asks for what is missing"
        )
    return lines
