"""The certificate of a bundle: `gaps.json` for programs, and `gaps.html` for people. The one door to jinja2 of bundles."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import msgspec

from fulltape.bundle import layout
from fulltape.context import NodeContext, known
from fulltape.coverage import live
from fulltape.coverage.live import Interval
from fulltape.export import gaps
from fulltape.export.status import Summary
from fulltape.lake import files
from fulltape.market.time import Instant
from fulltape.version import VERSION

_PAGE = "certificate.html"
_SHOWN = 300
"""So many stretches the page shows; `gaps.json` has more, and the table of cells all."""


class DatasetCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset in cells: how many are wanted, held, confirmed empty, and `lacking` something; by verdict how many of those that are held. `there`: percent of the wanted ones that lack nothing; `green`: percent of the held ones that are GREEN; null
    of none."""

    name: str
    wanted: int
    held: int
    empty: int
    lacking: int
    there: float | None
    green: float | None
    verdicts: dict[str, int]


class LackingStretch(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions from `first` to `last`, both inclusive, that lack something, and why; `findings` in the words of the checks."""

    dataset: str
    instrument: str
    symbol: str
    first: dt.date
    last: dt.date
    sessions: int
    why: str
    sentence: str
    codes: str
    findings: str


class StreamCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """A captured stream over all of its sessions in the bundle: percent of the time in which nothing was doubtful (`clean`), and that is clean
    or was proved by history since (`verified`); `unnoticed` counts rows of history that were lost while all seemed well."""

    source: str
    dataset: str
    symbol: str
    sessions: int
    clean: float | None
    verified: float | None
    unnoticed: int


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What is not in a bundle, and why. `omitted`: so many shorter stretches are in the table of cells only."""

    bundle: str
    software: str
    policy: str
    datasets: list[DatasetCertificate]
    gaps: list[LackingStretch]
    omitted: int
    streams: list[StreamCertificate]


def inputs(context: NodeContext, now: Instant) -> dict[str, str]:
    """A digest of what is told of streams, where there are any; all else follows from the cells."""
    streams = _streams(context, now)
    return {"streams": hashlib.sha256(msgspec.json.encode(streams)).hexdigest()} if streams else {}


def write(context: NodeContext, folder: Path, summary: Summary, now: Instant) -> None:
    """Write both files into a bundle's folder."""
    certificate = Certificate(
        bundle=summary.last.isoformat() if summary.last else "",
        software=f"fulltape {VERSION}",
        policy=context.rules.export_policy,
        datasets=_datasets(context, summary),
        gaps=[
            LackingStretch(**row, sentence=gaps.SENTENCES[row["why"]])
            for row in summary.lacking.iter_rows(named=True)
        ],
        omitted=summary.omitted,
        streams=_streams(context, now),
    )
    body = msgspec.json.format(msgspec.json.encode(certificate), indent=2) + b"\n"
    files.publish_bytes(folder / layout.GAPS, body)
    files.publish_bytes(folder / layout.GAPS_PAGE, page(certificate).encode())


def page(certificate: Certificate) -> str:
    """The certificate as a page that needs nothing else."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__package__, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["many"] = "{:,}".format
    environment.filters["percent"] = percent
    doubtful = sum(
        count
        for each in certificate.datasets
        for verdict, count in each.verdicts.items()
        if verdict != "GREEN"
    )
    shown = certificate.gaps[:_SHOWN]
    hidden = len(certificate.gaps) - len(shown) + certificate.omitted
    return environment.get_template(_PAGE).render(
        certificate=certificate, gaps=shown, hidden=hidden, doubtful=doubtful
    )


def percent(share: float | None) -> str:
    """100 % is only what is whole: 99.9996 is never rounded up to it."""
    if share is None:
        return "–"
    return "100 %" if share == 100 else f"{min(share, 99.99):.2f} %"


def _datasets(context: NodeContext, summary: Summary) -> list[DatasetCertificate]:
    """Every wanted dataset, also one without any cell yet."""
    counted = {row.pop("dataset"): row for row in summary.counts.iter_rows(named=True)}
    return [_dataset(name, counted.get(name, {})) for name in sorted(context.wanted)]


def _dataset(name: str, known: Mapping[str, int]) -> DatasetCertificate:
    count = Counter(known)
    verdicts = ("GREEN", "UNCHECKED", "AMBER", "RED")
    return DatasetCertificate(
        name=name,
        wanted=count["wanted"],
        held=count["held"],
        empty=count["empty"],
        lacking=count["lacking"],
        there=_percent(count["wanted"] - count["lacking"], count["wanted"]),
        green=_percent(count["GREEN"], count["held"]),
        verdicts={verdict: count[verdict] for verdict in verdicts if count[verdict]},
    )


def _percent(part: int, whole: int) -> float | None:
    return 100.0 * part / whole if whole else None


def _streams(context: NodeContext, now: Instant) -> list[StreamCertificate]:
    """Every captured stream of the bundle's datasets, in sessions that are in it."""
    return [
        stream
        for name, wanted in sorted(context.wanted.items())
        if wanted.live and (last := known.last_wanted(wanted, now))
        for stream in _streams_of(context, name, last)
    ]


def _streams_of(context: NodeContext, dataset: str, last: dt.date) -> list[StreamCertificate]:
    intervals: dict[tuple[str, str, dt.date], list[Interval]] = {}
    for interval in context.ledger.intervals.find(dataset=dataset, last=last):
        intervals.setdefault((interval.source, interval.instrument, interval.session), []).append(interval)
    totals: dict[tuple[str, str], _Total] = {}
    for day in context.ledger.streams.days(last=last):
        if day.dataset == dataset:
            mine = intervals.get((day.source, day.instrument, day.session), [])
            total = totals.setdefault((day.source, day.symbol), _Total())
            open_ones = [interval for interval in mine if interval.state != "verified"]
            total.add(day.end - day.start, live.lost(day, mine), live.lost(day, open_ones), 1, day.missed)
    for month in context.ledger.streams.months.of_dataset(dataset):
        total = totals.setdefault((month.source, month.symbol), _Total())
        total.add(month.live, month.doubtful, 0, len(month.sessions), month.missed)
    return [total.certified(source, dataset, symbol) for (source, symbol), total in sorted(totals.items())]


class _Total:
    """Sums of one stream, in microseconds, sessions and rows."""

    def __init__(self) -> None:
        self._live = self._doubtful = self._open = self._sessions = self._missed = 0

    def add(self, alive: int, doubtful: int, unproved: int, sessions: int, missed: int) -> None:
        self._live += alive
        self._doubtful += doubtful
        self._open += unproved
        self._sessions += sessions
        self._missed += missed

    def certified(self, source: str, dataset: str, symbol: str) -> StreamCertificate:
        return StreamCertificate(
            source=source,
            dataset=dataset,
            symbol=symbol,
            sessions=self._sessions,
            clean=_percent(self._live - self._doubtful, self._live),
            verified=_percent(self._live - self._open, self._live),
            unnoticed=self._missed,
        )
