"""A download from its beginning, or from where the last run ended."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

from fulltape import errors
from fulltape.audit import run as audit
from fulltape.backfill import estimate
from fulltape.backfill.estimate import Estimate
from fulltape.context import NodeContext, Progress, silent
from fulltape.download import publishing, records
from fulltape.download.plan import Wish
from fulltape.download.publishing import Publisher
from fulltape.download.records import DownloadKind, DownloadReport
from fulltape.lake import files
from fulltape.market.time import Clock
from fulltape.node import assemble, filling
from fulltape.node.filling import FilledGaps
from fulltape.settings import load
from fulltape.views import gaps

_MOST_WHY = 500


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """What a run came to: the whole folder, and what this run fetched."""

    report: DownloadReport
    filled: FilledGaps


@contextlib.contextmanager
def opened(folder: Path, wish: Wish, text: str) -> Iterator[NodeContext]:
    """The node of a download, with the settings of this run; nothing else may be at the same folder meanwhile. `UsageError` for a folder
    that is a node, or a download of another kind."""
    place = folder / records.NODE
    wanted = _kind(wish)
    if (folder / load.FILE).exists():
        raise errors.UsageError(f"{folder} is a node itself.", hint="Give another folder.")
    known = records.kind(folder)
    if known is not None and known != wanted:
        raise errors.UsageError(
            f"{folder} is a download of {known.vendor} as {known.form} by {known.by}.",
            hint="Give another folder, or the same options.",
        )
    with files.alone(place / "lock", f"a download into {folder}"):
        if known is None:
            for name in wish.datasets:
                if any(path.name.startswith(name) for path in folder.iterdir()):
                    raise errors.UsageError(
                        f"{folder} holds {name} already, which is no download of ours.",
                        hint="Give another folder.",
                    )
            records.set_kind(folder, wanted)
        for path in files.tree(folder):
            if path.name.startswith(files.TEMPORARY) and files.abandoned(path):
                path.unlink(missing_ok=True)
        _hold_to_earlier(folder, wish)
        files.publish_bytes(place / load.FILE, text.encode())
        context = assemble.open_context(load.load(place))
        try:
            yield context
        finally:
            context.close()


def _hold_to_earlier(folder: Path, wish: Wish) -> None:
    """`UsageError` where a file that holds several symbols would lose some."""
    for about in publishing.sidecars(folder) if wish.layout.by == "none" else ():
        lost = [symbol for symbol in about.symbols if symbol not in wish.symbols]
        if about.dataset in wish.datasets and lost:
            raise errors.UsageError(
                f"{about.file} holds {', '.join(lost)} too.",
                hint="Ask for all of its symbols, or give another folder.",
            )


def _kind(wish: Wish) -> DownloadKind:
    return DownloadKind(
        vendor=wish.vendor,
        by=wish.layout.by,
        form=wish.layout.form,
        compression=wish.layout.compression if wish.layout.form == "parquet" else "",
        row_group=wish.layout.row_group if wish.layout.form == "parquet" else 0,
    )


def expected(context: NodeContext, clock: Clock) -> Estimate:
    """What it would take; asks no vendor."""
    audit.run_once(context, clock)
    return estimate.run_once(context, clock)


def run(
    context: NodeContext,
    clock: Clock,
    folder: Path,
    wish: Wish,
    progress: Progress = silent,
    *,
    stop: threading.Event | None = None,
) -> Downloaded:
    """Fetch what is missing, write every file as soon as its sessions are settled, and report."""
    if not any(
        wanted.calendar.between(wanted.first, wanted.until or wanted.first)[0]
        < wanted.calendar.between(wanted.first, wanted.until or wanted.first)[1]
        for wanted in context.wanted.values()
    ):
        raise errors.UsageError(f"no session lies between {wish.first} and {wish.last}.")
    # What an earlier run said does not hold while this one is under way, nor if it fails.
    records.forget_report(folder)
    publisher = Publisher(context, clock, folder, wish, progress)
    filled = FilledGaps()
    for _ in range(context.rules.rounds):
        audit.run_once(context, clock, progress)
        more = filling.fill(context, clock, progress, stop=stop, before=filled, sealed=publisher.publish)
        filled += more
        if not more.fetches:
            break
    publisher.publish(everything=True)
    report = _report(context, clock, folder, wish)
    records.write_report(folder, report, readable(report))
    return Downloaded(report=report, filled=filled)


def _report(context: NodeContext, clock: Clock, folder: Path, wish: Wish) -> DownloadReport:
    parts = publishing.sidecars(folder)
    mine = [
        part
        for part in parts
        if part.dataset in wish.datasets and (not part.symbol or part.symbol in wish.symbols)
    ]
    sessions: dict[str, int] = {}
    pictures = gaps.pictures(context, clock.now(), all_series=True)
    for shown in (each for some in pictures.values() for _, each in some):
        for name, many in publishing.sizes(shown).items():
            sessions[name] = sessions.get(name, 0) + many
    why = [
        f"{gap.dataset} {gap.instrument} {gap.first} to {gap.last}: {gap.reason.replace('_', ' ')}; {gap.next}"
        for gap in gaps.gaps(context, clock.now())
    ]
    listed = why[:_MOST_WHY] + ([f"and {len(why) - _MOST_WHY:,} more"] if len(why) > _MOST_WHY else [])
    holes = sum(part.gaps.count for part in mine)
    lacking = sum(sessions.get(reason, 0) for reason in gaps.REASONS)
    return DownloadReport(
        vendor=wish.vendor,
        datasets=list(wish.datasets),
        symbols=list(wish.symbols),
        first=wish.first.isoformat(),
        last=wish.last.isoformat(),
        complete=not (lacking or holes) and bool(sessions.get("wanted")),
        files=len(parts),
        rows=sum(part.rows for part in parts),
        bytes=sum(part.bytes for part in parts),
        sessions=sessions,
        gaps=holes,
        why=listed,
        parts=parts,
    )


def readable(report: DownloadReport) -> str:
    """The report for people."""
    sessions = report.sessions
    lines = [
        f"{report.vendor}, {', '.join(report.datasets)} of {', '.join(report.symbols)}, {report.first} to {report.last}: "
        f"{'complete' if report.complete else 'NOT COMPLETE'}",
        f"in this folder: {report.rows:,} rows in {report.files:,} files, {report.bytes / 1e6:,.1f} MB",
        f"sessions asked for: {sessions.get('wanted', 0):,} wanted, {sessions.get('held', 0):,} held, {sessions.get('empty', 0):,} confirmed empty, "
        f"{sum(sessions.get(reason, 0) for reason in gaps.REASONS):,} not there",
        f"gaps inside sessions: {report.gaps:,}",
        "",
        *(
            f"{part.file}: {part.rows:,} rows, {part.bytes / 1e6:,.2f} MB{_holes(part)}"
            for part in report.parts
        ),
    ]
    if report.why:
        lines += ["", "Not there:", *report.why]
    return "\n".join(lines) + "\n"


def _holes(part: records.Sidecar) -> str:
    longest = f", the longest {part.gaps.longest_seconds:,.0f} s" if part.gaps.count else ""
    gap = f", {part.gaps.count:,} gaps{longest}" if part.gaps.count else ""
    return f"{gap}, {len(part.missing):,} spans missing" if part.missing else gap


def verify(folder: Path) -> tuple[int, list[str]]:
    """How many files of a download were held against their digests, and what is wrong, as sentences. `UsageError` for a folder that is none."""
    if records.kind(folder) is None:
        raise errors.UsageError(f"{folder} is no download.")
    known = publishing.sidecars(folder)
    wrong = []
    for about in known:
        file = folder / about.file
        if not file.is_file():
            wrong.append(f"{about.file} is gone")
        elif file.stat().st_size != about.bytes or files.sha256(file) != about.sha256:
            wrong.append(f"{about.file} is not what was written")
    named = {about.file for about in known}
    for path in files.tree(folder):
        name = path.relative_to(folder).as_posix()
        if records.NODE in Path(name).parts or name in (records.REPORT, records.READABLE):
            continue
        if name.endswith(records.SIDECAR):
            if name.removesuffix(records.SIDECAR) not in named:
                wrong.append(f"{name} cannot be read")
        elif name not in named and not path.with_name(path.name + records.SIDECAR).exists():
            wrong.append(f"{name}: nothing is said of it")
    return len(known), wrong
