"""Everything that the pages show, read at one moment, so that no request reads the ledger."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from fulltape import errors
from fulltape.context import LEDGER, NodeContext, open_ledger, room
from fulltape.lake import capture_state
from fulltape.lake.capture_state import CaptureState
from fulltape.lake.layout import CAPTURE, Layout
from fulltape.ledger.sqlite import Sqlite
from fulltape.market.time import Clock, Instant
from fulltape.node import assemble
from fulltape.service import memory, shown
from fulltape.service.memory import NightRecord, RunRecord
from fulltape.service.shown import ServiceState
from fulltape.settings.load import Loaded
from fulltape.views import state

_MOST_TRIES = 3
RUNS = 200
"""So many of the newest runs are shown."""


class DatasetCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Cells of one dataset by availability and by verdict, and its newest final session (ISO date, '' none)."""

    dataset: str
    cells: dict[str, int]
    verdicts: dict[str, int]
    newest: str

    @property
    def lacking(self) -> int:
        """Cells that should be there and are not, or not whole."""
        return sum(
            self.cells.get(name, 0) for name in ("missing", "partial", "unobtainable", "unknown_listing")
        )


class SourceCounts(msgspec.Struct, frozen=True, kw_only=True):
    """A source today: requests sent, its limits (0: none), until when it is closed (ISO, '' open), and outcomes since it was first
    asked."""

    source: str
    last_minute: int
    per_minute: int
    today: int
    per_day: int
    closed_until: str
    outcomes: dict[str, int]


class NodeCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What is read out of the ledger: at which moment, and how long that took (seconds)."""

    at: Instant
    took: float
    datasets: tuple[DatasetCounts, ...]
    sources: tuple[SourceCounts, ...]
    tasks: dict[str, int]
    """By state."""
    damaged: int
    rejected: int
    disk: dict[str, float | str | None]
    disk_sentence: str
    bundle: str
    """The day of the newest bundle, '' where there is none."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The node at a moment. `counts` are None until the ledger has been read, or where it could not be: then `problem` says why."""

    node: str
    at: Instant
    service: ServiceState | None
    capture: CaptureState | None
    """Its moments are microseconds here, as all are."""
    counts: NodeCounts | None
    problem: str
    runs: tuple[RunRecord, ...]
    nights: dict[str, NightRecord]
    stale: bool = False
    """Whether the node could not be looked at since: nothing is known of now."""


def counted(loaded: Loaded, clock: Clock) -> NodeCounts:
    """Read the ledger; short reads, nothing is written."""
    began = clock.steady()
    if not loaded.ledger_url and not (loaded.folder / LEDGER).is_file():
        raise FileNotFoundError(f"{loaded.folder / LEDGER} is not there yet")
    for _ in range(_MOST_TRIES):
        ledger = open_ledger(loaded.folder, loaded.ledger_url, read_only=True, untouched=True)
        try:
            context = assemble.open_context(loaded, asking=False, reading=ledger)
            counts = _read(context, clock, began)
            if not (isinstance(ledger.database, Sqlite) and ledger.database.stirred):
                return counts
        finally:
            ledger.close()
    raise errors.StorageError("the ledger was written again and again while it was read.")


def _read(context: NodeContext, clock: Clock, began: Instant) -> NodeCounts:
    now = clock.now()
    cells, verdicts = state.cells(context, now), state.verdicts(context, now)
    export = context.ledger.newest_export()
    disk = room.forecast(context, now)
    tasks: dict[str, int] = {}
    for row in context.ledger.tasks.counts():
        tasks[row["state"]] = tasks.get(row["state"], 0) + int(row["tasks"])
    return NodeCounts(
        at=now,
        took=(clock.steady() - began) / 1e6,
        datasets=tuple(
            DatasetCounts(
                dataset=wanted.title,
                cells=dict(cells[name]),
                verdicts=dict(verdicts.get(name, {})),
                newest=_newest(context, name, now),
            )
            for name, wanted in context.wanted.items()
        ),
        sources=tuple(
            SourceCounts(
                source=source.source,
                last_minute=source.last_minute,
                per_minute=source.per_minute,
                today=source.today,
                per_day=source.per_day,
                closed_until=source.closed_until,
                outcomes=dict(source.outcomes),
            )
            for source in state.sources(context, clock)
        ),
        tasks=tasks,
        damaged=len(context.ledger.damages.all()),
        rejected=len(context.ledger.rejections()),
        disk={
            name: value
            for name, value in disk.fields().items()
            if isinstance(value, (int, float, str)) or value is None
        },
        disk_sentence=disk.sentence,
        bundle=str(export["day"]) if export else "",
    )


def _newest(context: NodeContext, name: str, now: Instant) -> str:
    wanted = context.wanted[name]
    until = wanted.final_until(now)
    if not until:
        return ""
    day = wanted.calendar.label(until - 1)
    return min(day, wanted.until or day).isoformat()


def moment(loaded: Loaded, now: Instant, counts: NodeCounts | None, problem: str) -> Snapshot:
    """Everything else: small files."""
    folder = loaded.folder
    service = shown.read(folder)
    layout = Layout(root=folder / loaded.values.node.lake)
    path = layout.capture_state(f"{loaded.values.node.worker}{CAPTURE}")
    kept = memory.read(folder)
    return Snapshot(
        node=folder.resolve().name,
        at=now,
        service=service if shown.alive(service, now) else None,
        capture=_in_microseconds(capture_state.read(path)),
        counts=counts,
        problem=problem,
        runs=tuple(memory.runs(folder, RUNS)),
        nights=dict(kept.nights),
    )


def _in_microseconds(state: CaptureState | None) -> CaptureState | None:
    """What capture tells, with its moments as everything else has them."""
    if state is None:
        return None
    sources = tuple(
        msgspec.structs.replace(
            source,
            channels=tuple(
                msgspec.structs.replace(channel, last=channel.last // 1_000) for channel in source.channels
            ),
        )
        for source in state.sources
    )
    return msgspec.structs.replace(state, at=state.at // 1_000, since=state.since // 1_000, sources=sources)


def totals(counts: NodeCounts) -> Mapping[str, int]:
    """Cells of all datasets by availability and verdict."""
    out: dict[str, int] = {}
    for dataset in counts.datasets:
        for name, many in {**dataset.cells, **dataset.verdicts}.items():
            out[name] = out.get(name, 0) + many
    return out
