"""`fulltape download`: files of history, without a node of one's own."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from fulltape import errors
from fulltape.terminal import options, wrapping
from fulltape.terminal.options import JsonOption, QuietOption, counted
from fulltape.terminal.progress import Watch

if TYPE_CHECKING:
    from fulltape.backfill.estimate import Estimate
    from fulltape.download.plan import Compression, Cut, FileLayout, Form, Wish
    from fulltape.download.run import Downloaded
    from fulltape.setup.plan import Answers

PANEL = "Begin"
PLACE = 1
DatasetsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        "-d",
        help="What: bars_minute, ticks, equities_bars_day …; may be repeated.",
        show_default=False,
    ),
]
FirstOption = Annotated[
    str,
    typer.Option(
        "--from", help="The first day, month or year: 2023-01-31, 2023-01, 2023.", show_default=False
    ),
]
LastOption = Annotated[
    str, typer.Option("--to", help="The last one, inclusive; else yesterday.", show_default=False)
]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="The folder of the files.")]
ByOption = Annotated[
    str, typer.Option(help="A file for each: month, week, day, symbol, or none: one for a dataset.")
]
FormOption = Annotated[str, typer.Option("--format", help="parquet, csv, csv.gz or jsonl.")]
CompressionOption = Annotated[str, typer.Option(help="Of Parquet: zstd, snappy, gzip, lz4 or uncompressed.")]
RowGroupOption = Annotated[int, typer.Option(min=1_000, max=10_000_000, help="Rows a row group of Parquet.")]
GapOption = Annotated[
    list[str] | None,
    typer.Option(
        help="How long nothing may come inside a session: 30s, off, bars_minute=5m; else 10 s of ticks, one interval of bars. May be repeated.",
        show_default=False,
    ),
]
PlanOption = Annotated[
    str, typer.Option(help="Your plan at the vendor, as fulltape vendors names it.", show_default=False)
]
LimitOption = Annotated[
    int | None,
    typer.Option(min=1, help="Requests a minute at most, where the plan allows more.", show_default=False),
]
BaseUrlOption = Annotated[
    str,
    typer.Option(
        help="Another address of the vendor, such as that of fulltape simulate.", show_default=False
    ),
]
HistoryOption = Annotated[
    str,
    typer.Option(
        help="Since when your plan serves, where fulltape takes another day for it.", show_default=False
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only tell what it would take: requests, time, rows, disk.")
]
VerifyOption = Annotated[
    bool, typer.Option("--verify", help="Only hold the files in the folder against their digests.")
]
VendorArgument = Annotated[
    str,
    typer.Argument(help="The vendor, or a source of it such as alpaca.iex, ccxt.okx.", show_default=False),
]
SymbolsArgument = Annotated[
    list[str] | None,
    typer.Argument(help="As fulltape writes them: BTC/USDT, AAPL, EURUSD, R_100.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    example = "Example: fulltape download binance BTC/USDT --data bars_minute --from 2024-01 --to 2024-03 --out data"
    app.command(epilog=example)(download)


def download(
    vendor: VendorArgument = "",
    symbols: SymbolsArgument = None,
    data: DatasetsOption = None,
    first: FirstOption = "",
    last: LastOption = "",
    out: OutOption = Path("data"),
    by: ByOption = "month",
    form: FormOption = "parquet",
    compression: CompressionOption = "zstd",
    row_group: RowGroupOption = 100_000,
    max_gap: GapOption = None,
    plan: PlanOption = "",
    limit: LimitOption = None,
    base_url: BaseUrlOption = "",
    history_from: HistoryOption = "",
    dry_run: DryRunOption = False,
    verify: VerifyOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fetch history into files: no node, no settings. Run it again to go on, to fill holes, or with a longer range to extend either end."""
    if verify:
        _verify(out, json=json, quiet=quiet)
        return
    from fulltape.clock import SystemClock
    from fulltape.download import run

    answers, wish = _meant(
        vendor,
        symbols or [],
        data or [],
        first,
        last,
        _layout(by, form, compression, row_group),
        max_gap or [],
        plan,
    )
    text = _settings(answers, _vendor_lines(limit, base_url, history_from), keys=not dry_run)
    if dry_run:
        _dry_run(out, wish, text, json=json)
        return
    with options.interruptible(), run.opened(out, wish, text) as context, Watch(quiet=quiet or json) as watch:
        clock = SystemClock(context.ledger.boots.anchor)
        done = run.run(context, clock, out, wish, watch)
    if json:
        options.emit_json({"report": done.report, "filled": done.filled})
    elif not quiet:
        _tell(done, out)
    options.fail_for_vendors(done.filled)
    if not done.report.complete:
        raise typer.Exit(4 if done.filled.full else 1)


def _layout(by: str, form: str, compression: str, row_group: int) -> FileLayout:
    from fulltape.download import plan

    for option, value, known in (
        ("--by", by, plan.CUTS),
        ("--format", form, plan.FORMS),
        ("--compression", compression, plan.COMPRESSIONS),
    ):
        if value not in known:
            raise errors.UsageError(f"{option} {value}: there is {', '.join(known)}.")
    return plan.FileLayout(
        by=cast("Cut", by),
        form=cast("Form", form),
        compression=cast("Compression", compression),
        row_group=row_group,
    )


def _meant(
    vendor: str,
    symbols: list[str],
    data: list[str],
    first: str,
    last: str,
    layout: FileLayout,
    max_gap: list[str],
    plan_name: str,
) -> tuple[Answers, Wish]:
    """What the words of the command line ask for."""
    from fulltape import vendors
    from fulltape.clock import SystemClock
    from fulltape.download import plan
    from fulltape.market.time import utc_date
    from fulltape.setup import plan as setup
    from fulltape.setup import run
    from fulltape.setup.plan import Answers, VendorChoice

    lacking = [
        name for name, value in (("a symbol", symbols), ("--data", data), ("--from", first)) if not value
    ]
    if lacking:
        raise errors.UsageError(
            f"a download needs {', '.join(lacking)}.",
            hint="fulltape download binance BTC/USDT --data bars_minute --from 2024-01",
        )
    former, dot, feed = vendor.partition(".")
    choice = VendorChoice(name=f"{vendors.FORMER.get(former, former)}{dot}{feed}", plan=plan_name)
    specs = {choice.vendor: run.vendor(choice.vendor)}
    listed = [part for symbol in symbols for part in symbol.split(",") if part]
    names = plan.chosen(
        [part for name in data for part in name.split(",") if part], listed, setup.sources([choice], specs)
    )
    begin, end = plan.span(first, last, utc_date(SystemClock().now()))
    answers = Answers(vendors=(choice,), datasets=names, symbols=listed, first=begin, last=end)
    wish = plan.Wish(
        vendor=choice.name,
        datasets=names,
        symbols=listed,
        first=begin,
        last=end,
        layout=layout,
        most_gap=plan.most_gap(max_gap, names),
    )
    return answers, wish


def _vendor_lines(limit: int | None, base_url: str, history_from: str) -> list[str]:
    """Settings of the vendor that options say."""
    from fulltape.download import plan
    from fulltape.setup.plan import quoted

    return [
        *([f"requests_per_minute = {limit}"] if limit else []),
        *([f"base_url = {quoted(base_url)}"] if base_url else []),
        *([f"history_from = {plan.day(history_from)}"] if history_from else []),
    ]


def _settings(answers: Answers, more: list[str], *, keys: bool) -> str:
    """The settings of the node inside the folder. Secrets stay in the environment of this process."""
    from fulltape.setup import plan, run

    specs = run.known(answers)
    lines = plan.files(answers, specs, most_listed=sys.maxsize).files["fulltape.toml"].splitlines()
    for name, vendor in specs.items():
        spec = vendor.SPEC
        for secret in spec.secrets:
            variable = f"{name.upper()}_{secret.upper()}"
            if not keys:
                os.environ.setdefault(variable, "not given")
            elif not os.environ.get(variable):
                if not sys.stdin.isatty():
                    raise errors.UsageError(
                        f"{spec.title} needs its {secret}.", hint=f"Set {variable} in the environment."
                    )
                os.environ[variable] = typer.prompt(f"{spec.title} {secret}", hide_input=True).strip()
        at = lines.index(f"[vendor.{name}]") + 1
        lines[at:at] = more
    return "\n".join([*lines, ""])


def _dry_run(out: Path, wish: Wish, text: str, *, json: bool) -> None:
    import tempfile

    from fulltape.clock import SystemClock
    from fulltape.download import records, run

    with tempfile.TemporaryDirectory() as nowhere:
        # What is not there yet is not begun by a question.
        place = out if records.kind(out) else Path(nowhere) / "download"
        with run.opened(place, wish, text, only_look=True) as context:
            expected = run.expected(context, SystemClock(context.ledger.boots.anchor))
    here = out.resolve()
    while not here.exists():
        here = here.parent
    free = shutil.disk_usage(here).free
    if json:
        options.emit_json({"estimate": expected, "free_bytes": free})
        return
    _tell_estimate(expected, free)


def _tell_estimate(expected: Estimate, free: int) -> None:
    requests = sum(each.requests for each in expected.by_source)
    rows = sum(each.rows for each in expected.by_source)
    size = sum(each.bytes for each in expected.by_source)
    guessed = " (a guess: nothing of it is held yet)" if expected.guessed else ""
    wrapping.say(
        [
            f"requests  {requests:,.0f}, in about {wrapping.length(expected.seconds)}",
            f"rows      at most {rows:,.0f}{guessed}",
            f"disk      about {size / 1e6:,.0f} MB; {free / 1e9:,.1f} GB are free{'' if size < free else ': THIS IS NOT ENOUGH'}",
            "nothing was sent",
        ]
    )


def _tell(done: Downloaded, out: Path) -> None:
    from fulltape.download import records
    from fulltape.views.gaps import REASONS

    report, filled = done.report, done.filled
    sessions = report.sessions
    lines = [
        f"fetched   {counted(filled.requests, 'request')}, {counted(filled.rows, 'row')}",
        f"written   {counted(report.files, 'file')} in {out}, {counted(report.rows, 'row')}, {report.bytes / 1e6:,.1f} MB",
        f"sessions  {sessions.get('held', 0):,} of {sessions.get('wanted', 0):,} held, {sessions.get('empty', 0):,} confirmed empty, "
        f"{sum(sessions.get(reason, 0) for reason in REASONS):,} not there",
        f"gaps      {report.gaps:,} inside sessions",
    ]
    if report.gaps:
        lines.append(
            "          thin markets have minutes without trades; --max-gap says how long a gap may be (30m, off)"
        )
    if filled.full:
        lines.append(f"disk      {filled.full}")
    lines += [f"not there {why}" for why in report.why[:10]]
    if len(report.why) > 10:
        lines.append(f"          and {len(report.why) - 10:,} more: {out / 'report.txt'}")
    if report.why:
        lines.append(f"          the node inside tells more: fulltape gaps --node {out / records.NODE}")
    lines.append(
        f"report    {out / 'report.json'}, {out / 'report.txt'}: {'complete' if report.complete else 'NOT COMPLETE'}"
    )
    wrapping.say(lines)


def _verify(out: Path, *, json: bool, quiet: bool) -> None:
    from fulltape.download import run

    count, wrong = run.verify(out)
    if json:
        options.emit_json({"files": count, "wrong": wrong})
    elif not quiet:
        cure = "Delete damaged files with the .json beside, and run the download again with its whole range."
        wrapping.say(
            [*wrong, cure] if wrong else [f"{counted(count, 'file')} in {out}: each is what was written"]
        )
    if wrong:
        raise typer.Exit(1)
