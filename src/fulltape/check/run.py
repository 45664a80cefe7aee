"""Checks curated folders that changed, and writes verdicts and one file of cells per folder."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from fulltape.check import jumps, laid
from fulltape.check import trades as against_trades
from fulltape.check.folder import Folder
from fulltape.check.trades import Compared
from fulltape.checks import continuity, contradiction, identity, restatement
from fulltape.checks import trades as trade_rules
from fulltape.context import ConfiguredDataset, Event, NodeContext, Progress, bulk_coverage, damage, silent
from fulltape.context.jobs import StageReport
from fulltape.context.stretches import Stretch, Stretches
from fulltape.coverage import series
from fulltape.coverage.cell import Verdict
from fulltape.coverage.verdict_ranges import VerdictRange
from fulltape.lake import layout
from fulltape.ledger.part import Part
from fulltape.market.ranges import Ranges
from fulltape.market.time import Clock, Instant
from fulltape.schedule.rules import Trigger

STAGE = "check"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport(StageReport):
    """How many cells were checked now, and their verdicts; `broken` are all sessions missing between held ones."""

    cells: int = 0
    green: int = 0
    unchecked: int = 0
    amber: int = 0
    red: int = 0
    broken: int = 0

    @property
    def complete(self) -> bool:
        """Whether nothing that was checked now is RED."""
        return not self.red

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """See `StageReport`."""
        return ("checked",) if self.cells else ()


def run_once(context: NodeContext, clock: Clock, progress: Progress = silent) -> CheckReport:
    """Check the curated folders that changed since the bookmark."""
    with context.stage(STAGE, clock, layer="qc"):
        latest = context.ledger.catalogue.last_position("curated")
        catalogue = context.ledger.catalogue
        touched: dict[tuple[str, Stretch], list[Part]] = defaultdict(list)
        redo: dict[str, set[str]] = {}
        for name, wanted in context.wanted.items():
            cuts = Stretches(context, wanted)
            for part in catalogue.since("curated", context.ledger.bookmark(STAGE, name), dataset=name):
                first = dt.date.fromisoformat(part.first)
                key = layout.folder_key(wanted.dataset.raw_folder, first)
                for stretch in cuts.of(key):
                    if stretch.touches(part):
                        touched[name, stretch].append(part)
            if misfit := cuts.misfit("qc"):
                # The first of two new files replaces one that has the cells of both: after a kill both are written again.
                with context.ledger.write():
                    context.ledger.damages.redo(STAGE, name, {cut.key for cut in misfit})
            redo[name] = context.ledger.damages.to_redo(STAGE, name)
            for stretch in {cut for key in redo[name] for cut in cuts.of(key)}:
                touched[name, stretch] = catalogue.current(
                    "curated", name, first=stretch.first, last=stretch.last
                )
        counts = dict.fromkeys(Verdict, 0)
        broken = 0
        for done, (name, stretch) in enumerate(sorted(touched), start=1):
            whole = damage.sound(context, touched[name, stretch], clock.now())
            if whole:
                tally = Folder(context, context.wanted[name], stretch, clock.now()).check(whole)
                for verdict, count in tally.items():
                    counts[verdict] += count
            progress(Event(stage=STAGE, done=done, total=len(touched), unit="folders"))
        beside = {
            name: against_trades.compared(context, wanted, clock, progress)
            for name, wanted in context.wanted.items()
        }
        with context.ledger.write():
            for name, said in beside.items():
                _lay_trades(context, context.wanted[name], said, clock.now())
            for name, wanted in context.wanted.items():
                broken += _across(context, wanted, clock.now())
                context.ledger.set_bookmark(STAGE, name, latest)
                context.ledger.damages.redone(STAGE, name, redo[name])
        return CheckReport(
            cells=sum(counts.values()),
            green=counts[Verdict.GREEN],
            unchecked=counts[Verdict.UNCHECKED],
            amber=counts[Verdict.AMBER],
            red=counts[Verdict.RED],
            broken=broken,
        )


def _lay_trades(context: NodeContext, wanted: ConfiguredDataset, said: Compared | None, now: Instant) -> None:
    """Lay AMBER over minutes that are other than their trades, in place of what was said of them before; over none where the node does not
    keep their trades any more."""
    name, code = wanted.dataset.name, trade_rules.CODE
    before = context.ledger.verdicts.with_codes(name, code)
    cells = sorted(against_trades.doubted(wanted, before, said)) if said else []
    laid.lay(
        context,
        wanted,
        code,
        [_amber(wanted, instrument, (day, day), code, now) for instrument, day in cells],
        now,
    )
    if said or context.ledger.bookmark(against_trades.STAGE, name):
        # Trades that are kept again are compared anew.
        context.ledger.set_bookmark(against_trades.STAGE, name, said.position if said else 0)


def _across(context: NodeContext, wanted: ConfiguredDataset, now: Instant) -> int:
    """Lay AMBER over sessions that are missing between held ones, over those before a silence that perhaps divides two
    companies, over those of which a source now says that there is nothing, and over those that one has restated, in place of what
    was said before; returns how many are missing."""
    doubted = [
        _amber(wanted, fact.instrument, (fact.first, fact.last), contradiction.CODE, now)
        for fact in context.ledger.coverage.contradicted(wanted.dataset.name)
    ]
    laid.lay(context, wanted, contradiction.CODE, doubted, now)
    laid.lay(context, wanted, restatement.CODE, _restated(context, wanted, doubted, now), now)
    if continuity.CODE not in wanted.dataset.checks:
        return 0
    missing: list[VerdictRange] = []
    divided: dict[str, list[Ranges]] = {}
    for known_series in bulk_coverage.lacking(context, wanted, now):
        shown, name = series.picture(known_series), known_series.instrument.instrument
        missing += [
            _amber(wanted, name, wanted.days(span), continuity.CODE, now) for span in continuity.broken(shown)
        ]
        if len(stretches := identity.stretches(shown)) > 1:
            divided[name] = stretches
    laid.lay(context, wanted, continuity.CODE, missing, now, held=False)
    laid.lay(context, wanted, identity.CODE, jumps.verdicts(context, wanted, divided, now), now)
    calendar = wanted.calendar
    return sum(stop - start for said in missing for start, stop in [calendar.between(said.first, said.last)])


def _restated(
    context: NodeContext, wanted: ConfiguredDataset, contradicted: Sequence[VerdictRange], now: Instant
) -> list[VerdictRange]:
    """Sessions that a source has restated by more than a little, but for those that are contradicted: of a cell one finding is told."""
    about = {
        (said.instrument, wanted.calendar.label(position))
        for said in contradicted
        for position in range(*wanted.calendar.between(said.first, said.last))
    }
    unconfirmed = context.ledger.restatements.unconfirmed(
        wanted.dataset.name, beyond=context.rules.thresholds.restated
    )
    doubted = {
        (each.instrument, each.session): _amber(
            wanted, each.instrument, (each.session, each.session), restatement.CODE, now
        )
        for each in unconfirmed
        if (each.instrument, each.session) not in about
    }
    said = laid.said_of_rows(context, wanted, list(doubted.values()), now)
    # Of what another source has restated the curated rows know nothing.
    concerned = {
        (each.instrument, each.session)
        for each in unconfirmed
        if (known := said.get((each.instrument, each.session))) is None or known.source == each.source
    }
    return [verdict for cell, verdict in doubted.items() if cell in concerned]


def _amber(
    wanted: ConfiguredDataset, instrument: str, days: tuple[dt.date, dt.date], code: str, now: Instant
) -> VerdictRange:
    return VerdictRange(
        dataset=wanted.dataset.name,
        instrument=instrument,
        source="",
        first=days[0],
        last=days[1],
        verdict=Verdict.AMBER,
        codes=code,
        since=now,
    )
