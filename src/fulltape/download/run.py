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
from fulltape.context import ConfiguredDataset, NodeContext, Progress, silent
from fulltape.coverage import series
from fulltape.download import plan, publishing, records
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
def opened(folder: Path, wish: Wish, text: str, *, only_look: bool = False) -> Iterator[NodeContext]:
    """The node of a download, with the settings of this run, which are kept unless one will `only_look`; nothing else may be at the same
    folder meanwhile. `UsageError` for a folder that is a node, or a download of another kind."""
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
        _hold_to_folder(folder, wish, known)
        _hold_to_earlier(folder, wish)
        loaded = load.load(place, text=text)
        for path in files.tree(folder):
            if path.name.startswith(files.TEMPORARY) and files.abandoned(path):
                path.unlink(missing_ok=True)
        context = assemble.open_context(loaded)
        try:
            if known is None:
                records.set_kind(folder, wanted)
            if not only_look:
                files.publish_bytes(place / load.FILE, text.encode())
            yield context
        finally:
            context.close()


def _hold_to_folder(folder: Path, wish: Wish, known: DownloadKind | None) -> None:
    """`UsageError` where something lies in the way that is not ours, or two symbols would have one file."""
    for path in folder.iterdir():
        if not any(path.name == name or path.name.startswith(f"{name}.") for name in wish.datasets):
            continue
        if path.is_symlink():
            raise errors.UsageError(f"{path} is a link.", hint="Let it be a folder, or give another one.")
        if known is None:
            raise errors.UsageError(
                f"{folder} holds {path.name} already, which is no download of ours.",
                hint="Give another folder.",
            )
    for name in wish.datasets:
        paths = [each.path for each in plan.partitions(wish, name, wish.symbols)]
        twice = {path for path in paths if paths.count(path) > 1} if len(set(paths)) < len(paths) else set()
        if twice:
            raise errors.UsageError(
                f"two symbols would have the file {min(twice)}.", hint="Give each a folder of its own."
            )


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
    if not any(map(_has_sessions, context.wanted.values())):
        raise errors.UsageError(f"no session lies between {wish.first} and {wish.last}.")
    # What an earlier run said does not hold while this one is under way, nor if it fails.
    records.forget_report(folder)
    publisher = Publisher(context, clock, folder, wish, progress)
    filled = FilledGaps()
    for _ in range(context.rules.rounds):
        audit.run_once(context, clock, progress)
        more = filling.fill(context, clock, progress, stop=stop, before=filled, sealed=publisher.publish)
        filled += more
        publisher.publish(everything=True)
        if not more.fetches and not publisher.kept:
            break
    report = _report(context, clock, folder, wish, publisher)
    records.write_report(folder, report, readable(report))
    return Downloaded(report=report, filled=filled)


def _has_sessions(wanted: ConfiguredDataset) -> bool:
    start, stop = wanted.calendar.between(wanted.first, wanted.until or wanted.first)
    return start < stop


def _report(
    context: NodeContext, clock: Clock, folder: Path, wish: Wish, publisher: Publisher
) -> DownloadReport:
    parts = publishing.sidecars(folder)
    mine, unwritten = publisher.sidecars(), publisher.unwritten()
    sessions: dict[str, int] = {}
    pictures = gaps.pictures(context, clock.now(), all_series=True)
    for shown in (each for some in pictures.values() for _, each in some):
        for name, many in series.sizes(shown).items():
            sessions[name] = sessions.get(name, 0) + many
    why = [
        f"{gap.dataset} {gap.instrument} {gap.first} to {gap.last}: {gap.reason.replace('_', ' ')}; {gap.next}"
        for gap in gaps.gaps(context, clock.now())
    ]
    why = [*unwritten, *(f"{part.file}: {missing}" for part in mine for missing in part.missing), *why]
    listed = why[:_MOST_WHY] + ([f"and {len(why) - _MOST_WHY:,} more"] if len(why) > _MOST_WHY else [])
    holes = sum(part.gaps.count for part in mine)
    lacking = sum(sessions.get(reason, 0) for reason in gaps.REASONS)
    return DownloadReport(
        vendor=wish.vendor,
        datasets=list(wish.datasets),
        symbols=list(wish.symbols),
        first=wish.first.isoformat(),
        last=wish.last.isoformat(),
        complete=not (lacking or holes or unwritten or any(part.missing for part in mine))
        and bool(sessions.get("wanted")),
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
    gap = (
        f", gaps: {part.gaps.count:,} (the longest {part.gaps.longest_seconds:,.0f} s)"
        if part.gaps.count
        else ""
    )
    return f"{gap}, spans missing: {len(part.missing):,}" if part.missing else gap


def verify(folder: Path) -> tuple[int, list[str]]:
    """How many files of a download were held against their digests, and what is wrong, as sentences. `UsageError` for a folder that is none."""
    if records.kind(folder) is None:
        raise errors.UsageError(f"{folder} is no download.")
    known = {about.file: about for about in publishing.sidecars(folder)}
    wrong = []
    for about in known.values():
        file = folder / about.file
        if not file.is_file():
            wrong.append(f"{about.file} is gone")
        elif file.stat().st_size != about.bytes or files.sha256(file) != about.sha256:
            wrong.append(f"{about.file} is not what was written")
    made = records.every_made(folder)
    for each in made:
        if each.file not in known:
            wrong.append(f"{each.file}{records.SIDECAR} is gone, or cannot be read")
        elif known[each.file].sha256 != each.sha256:
            wrong.append(f"{each.file}{records.SIDECAR} is not what was written")
    if not (folder / records.REPORT).is_file():
        wrong.append("the last run did not end, or failed: there is no report")
    if not made:
        wrong.append("no file was written yet")
    return len(known), wrong
