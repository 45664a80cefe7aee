"""Takes files in: a look at all of them first, then one batch after the other, each in one transaction."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from fulltape import errors
from fulltape.adopt import plan, reading
from fulltape.adopt.adopted import STAGE, AdoptedFiles, Adoption, FilesSeen
from fulltape.adopt.cells import TIMELESS, CellChoice, ChosenRows
from fulltape.adopt.plan import FileSample, Recognised
from fulltape.adopt.report import AdoptReport
from fulltape.context import ConfiguredDataset, Event, NodeContext, Progress, drafts, silent
from fulltape.context.quarantine import SetAside
from fulltape.contract.vendor import Rejected
from fulltape.coverage.facts import CoverageFact
from fulltape.decoding import frames
from fulltape.lake.layout import folder_key
from fulltape.market.time import Clock, Instant
from fulltape.version import VERSION

_SHOWN = 5
_BATCH = 1_000_000
"""Rows that are taken at once."""


def recognise(context: NodeContext, adoption: Adoption) -> tuple[Recognised, list[Path]]:
    """How the files are read, and which they are; `UsageError` for what cannot be taken in at all."""
    wanted = _wanted(context, adoption)
    lake = context.layout.root.resolve()
    if adoption.root.resolve().is_relative_to(lake) or lake.is_relative_to(adoption.root.resolve()):
        raise errors.UsageError(
            f"{adoption.root} and the node's own lake lie in each other.",
            hint="Name the folder of the other tool.",
        )
    paths = reading.data_files(adoption.root, adoption.given.files)
    if not paths:
        raise errors.UsageError(
            f"there are no data files in {adoption.root}.",
            hint="Parquet, Feather, CSV (also .gz and .zip) and JSON arrays are read.",
        )
    names = {column.name for column in wanted.dataset.schema.columns}
    for name in (*adoption.given.fixed, *adoption.given.columns):
        if name not in names:
            raise errors.UsageError(
                f"{adoption.dataset} has no column {name}.", hint=f"It has {', '.join(sorted(names))}."
            )
    if adoption.given.zone:
        _check_zone(adoption.given.zone)
    sample = _first_readable(paths, adoption)
    recognised = plan.recognised(sample, adoption.given, wanted.dataset)
    if recognised.lacking:
        raise errors.UsageError(
            f"{sample.path} has no {', '.join(recognised.lacking)}, which {adoption.dataset} needs; it has "
            f"{', '.join(sample.columns)}.",
            hint="Name the columns in a file for --mapping, or give one value for all rows: --fixed NAME=VALUE.",
        )
    adjusted = recognised.mapping.adjustment not in ("", "raw")
    if adjusted and not wanted.dataset.adjusted:
        raise errors.UsageError(
            f"prices are adjusted ({recognised.mapping.adjustment}), and {adoption.dataset} holds raw ones.",
            hint="--as-evidence takes them into the evidence table, against which raw prices are checked.",
        )
    return recognised, paths


def run(
    context: NodeContext,
    clock: Clock,
    adoption: Adoption,
    progress: Progress = silent,
    *,
    dry_run: bool = False,
    again: bool = False,
) -> AdoptReport:
    """Take in what is new, with `again` also what was taken in before and is lost. Interrupted, it goes on where it was: a file that was taken in is not read again as long as it is the
    same. `UsageError` where something still has to be asked."""
    recognised, paths = recognise(context, adoption)
    if recognised.questions and not dry_run:
        raise errors.UsageError(
            " ".join(f"{question.about}: {question.text}" for question in recognised.questions),
            hint="; ".join(answer(question) for question in recognised.questions),
        )
    if recognised.questions:
        return AdoptReport(recognised=recognised, files=len(paths), dry_run=True)
    taking = _Taking(context, clock, adoption, recognised, progress)
    if dry_run:
        return taking.run(paths, dry_run=True, again=again)
    with context.stage(drafts.RAW_STAGE, clock, layer="raw"):
        return taking.run(paths, dry_run=False, again=again)


def _first_readable(paths: Sequence[Path], adoption: Adoption) -> FileSample:
    """The begin of the first file that can be read; the others are told when their turn comes."""
    failure: errors.UsageError | None = None
    for path in paths:
        try:
            return reading.sample(path, adoption.name(path), adoption.given)
        except errors.UsageError as error:
            failure = failure or error
    assert failure is not None
    raise failure


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise errors.UsageError(
            f"{name!r} is no time zone.", hint="Write a name such as America/New_York, or UTC."
        ) from None


def answer(question: plan.Question) -> str:
    """How a question is answered on the command line."""
    quoted = [f"'{choice}'" if " " in choice else choice for choice in question.choices]
    return f"{question.option} {' or '.join(quoted)}" if quoted else question.option


def _wanted(context: NodeContext, adoption: Adoption) -> ConfiguredDataset:
    if adoption.dataset not in context.wanted:
        raise errors.UsageError(
            f"this node has no dataset {adoption.dataset}.",
            hint=f"It has {', '.join(context.wanted)}; add [dataset.{adoption.dataset}].",
        )
    wanted = context.wanted[adoption.dataset]
    if wanted.dataset.grain == "event":
        raise errors.UsageError(f"{adoption.dataset} has no bars and no ticks; only these are taken in.")
    if adoption.source not in wanted.sources:
        raise errors.UsageError(
            f"{adoption.source} is no source of {adoption.dataset}.",
            hint=f"Its sources are {', '.join(wanted.sources)}. For files of another origin add a name of your own, such as "
            f"files.mine, to [dataset.{adoption.dataset}] sources, and a table [vendor.files].",
        )
    return wanted


class _Taking:
    """One run over the files."""

    def __init__(
        self,
        context: NodeContext,
        clock: Clock,
        adoption: Adoption,
        recognised: Recognised,
        progress: Progress,
    ) -> None:
        self._context, self._clock, self._adoption = context, clock, adoption
        self._recognised, self._progress = recognised, progress
        self._wanted = context.wanted[adoption.dataset]
        self._files = AdoptedFiles(adoption, recognised.mapping, self._wanted)
        self._rows = self._parts = 0

    def run(self, paths: Sequence[Path], *, dry_run: bool, again: bool) -> AdoptReport:
        """Take what is new, or tell what would be taken."""
        ledger = self._context.ledger
        waiting = [path for path in paths if again or not ledger.bookmark(STAGE, self._files.mark(path))]
        seen = self._files.look(waiting, self._progress)
        choice = CellChoice(self._context, self._adoption, self._recognised.mapping, seen, self._clock.now())
        carried: pl.DataFrame | None = None
        left: set[int] = set()
        unmarked: dict[int, Path] = {}
        for batch in _batches(waiting, seen):
            unmarked |= dict(batch)
            wide = self._files.frame(batch)
            wide = wide if carried is None else pl.concat([carried, wide], how="vertical_relaxed")
            chosen = choice.of(wide, batch[-1][0])
            carried = chosen.deferred
            left |= chosen.left
            going_on = set(carried["page"].unique().to_list())
            finished = [unmarked[number] for number in unmarked if number not in going_on | left]
            self._rows += chosen.rows.height
            if not dry_run:
                self._take([seen.marks[path] for path in finished], wide, chosen)
            unmarked = {number: path for number, path in unmarked.items() if number in going_on | left}
            self._progress(Event(stage=STAGE, done=batch[-1][0] + 1, total=len(waiting), unit="files"))
        count = choice.count
        return AdoptReport(
            recognised=self._recognised,
            files=len(paths),
            done_before=len(paths) - len(waiting),
            rows=self._rows,
            sessions=count.taken,
            parts=self._parts,
            known=count.known,
            edges=count.edges,
            open=count.open,
            outside=count.outside,
            symbols=tuple(sorted(count.symbols)),
            first=min(count.days).isoformat() if count.days else "",
            last=max(count.days).isoformat() if count.days else "",
            regular=count.regular,
            named=dict(list(seen.named.items())[:_SHOWN]),
            unknown=dict(seen.unknown),
            unreadable=dict(seen.unreadable),
            rejected=dict(count.rejected),
            dry_run=dry_run,
        )

    def _take(self, finished: Sequence[str], wide: pl.DataFrame, chosen: ChosenRows) -> None:
        """Write what is taken, and note that files are done with."""
        now = self._clock.now()
        frame = chosen.rows
        origin = f"adopt-{hashlib.sha256(f'{self._adoption.root} {now}'.encode()).hexdigest()[:12]}"
        aside = self._set_aside(wide, chosen.rejected, origin)
        written = [
            drafts.write(
                self._context,
                self._wanted,
                rows,
                layer="raw",
                folder=folder,
                source=self._adoption.source,
                origin="fetched",
                metadata={
                    "schema_version": str(self._wanted.dataset.schema.version),
                    "source": self._adoption.source,
                    "asks": origin,
                    "software": f"fulltape {VERSION}",
                    "known_at": str(now),
                    "adopted": str(self._adoption.root),
                },
            )
            for folder, rows in self._folders(frame)
        ]
        registered = drafts.publish(self._context, written, now=now)
        self._parts += len(registered)
        ledger = self._context.ledger
        with ledger.write():
            for part in registered:
                ledger.catalogue.register(part, now=now)
            ledger.coverage.record(list(self._facts(frame, origin, now)), self._wanted.next_session)
            for rejection in aside.rejections:
                ledger.reject(rejection, now=now)
            for mark in finished:
                ledger.set_bookmark(STAGE, mark, 1)

    def _set_aside(self, wide: pl.DataFrame, lost: Sequence[Rejected], origin: str) -> SetAside:
        """Keep the rows of the sessions that are not taken, a file for each reason."""
        aside = SetAside(self._context.layout)
        day = pl.col("ts").dt.convert_time_zone(self._wanted.calendar.zone).dt.date()
        placed = wide.with_columns(pl.coalesce("session", day).alias("session"))
        for number, reason in enumerate(sorted({each.reason for each in lost})):
            of_reason = [each for each in lost if each.reason == reason]
            cells = pl.DataFrame(
                [(each.page, each.symbol, each.session) for each in of_reason],
                schema={"page": pl.Int64, "symbol": pl.String, "session": pl.Date},
                orient="row",
            )
            body = io.BytesIO()
            placed.join(cells.unique(), on=cells.columns, how="semi", maintain_order="left").write_csv(body)
            rows = sum(each.rows for each in of_reason)
            whole = Rejected(page=number, symbol=None, session=None, rows=rows, reason=reason)
            aside.rows(self._adoption.source, origin, number, body.getvalue(), whole)
        timeless = wide.filter(pl.col("ts").is_null())
        if timeless.height:
            body = io.BytesIO()
            timeless.write_csv(body)
            whole = Rejected(page=0, symbol=None, session=None, rows=timeless.height, reason=TIMELESS)
            aside.rows(self._adoption.source, origin, len(lost), body.getvalue(), whole)
        return aside

    def _folders(self, frame: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
        kind = self._wanted.dataset.raw_folder
        days = {day: folder_key(kind, day) for day in frame["session"].unique().to_list()}
        key = pl.col("session").replace_strict(list(days), list(days.values()), return_dtype=pl.String)
        rows = frame.drop("page").sort("instrument", "ts", maintain_order=True)
        if rows.height:
            for piece in rows.with_columns(key.alias("folder")).partition_by("folder", maintain_order=True):
                yield piece["folder"][0], piece.drop("folder")

    def _facts(self, frame: pl.DataFrame, origin: str, now: Instant) -> Iterator[CoverageFact]:
        for instrument, spans in frames.spans(frame, self._wanted.calendar).items():
            for first, last in spans:
                yield CoverageFact(
                    dataset=self._adoption.dataset,
                    instrument=instrument,
                    source=self._adoption.source,
                    first=first,
                    last=last,
                    fact="present",
                    sound=True,
                    final=True,
                    since=now,
                    evidence=origin,
                )


def _batches(paths: Sequence[Path], seen: FilesSeen) -> Iterator[list[tuple[int, Path]]]:
    """Files that are taken at once, with their numbers."""
    batch: list[tuple[int, Path]] = []
    rows = 0
    for number, path in enumerate(paths):
        if path not in seen.rows:
            continue
        batch.append((number, path))
        rows += seen.rows[path]
        if rows >= _BATCH:
            yield batch
            batch, rows = [], 0
    if batch:
        yield batch
