"""Silences whose truth is known: through a ledger's coverage to what the node calls each cell."""

from __future__ import annotations

import datetime as dt
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.truth import real
from fulltape import context as opening
from fulltape.context import ConfiguredDataset, ConfiguredSource, NodeContext, known
from fulltape.contract.plans import Limits
from fulltape.contract.vendor import Capability, Source
from fulltape.coverage import series
from fulltape.coverage.silence import WITNESS_SESSIONS
from fulltape.lake.layout import Layout
from fulltape.market import datasets, ranges
from fulltape.market.instruments import DatedSymbol, Instrument
from fulltape.market.ranges import Range, Ranges
from fulltape.market.time import SECOND
from fulltape.settings.rules import Rules

A, B = "a.sip", "b.sip"
SIZES = (250, 1_250, 5_036)
SEEDS = (1, 2, 3)
FEW = 4
LOST_TRADES = 20
OUTAGE = (dt.date(2016, 12, 12), dt.date(2016, 12, 15))
"""Days that a vendor of EURUSD has really lost, shown twice all the same."""
_FIRST = dt.date(1998, 1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One instrument: where it truly traded, what each source shows of it, and whether a second fact proves where not.

    `repeated` says that emptiness was shown again later over another span, `positional` that it lies between rows of one
    page limited by count. `needs` is whether its true silences are to be believed only with more than one answer.
    """

    kind: str
    truth: Ranges
    shown: dict[str, Ranges]
    proved: bool
    repeated: bool = False
    positional: bool = False
    needs: bool = True


@dataclass(slots=True)
class Counts:
    """Cells by what is true and what was said, and by kind of case where that is wrong."""

    cells: int = 0
    false_empty: int = 0
    proved: int = 0
    proved_empty: int = 0
    unproved: int = 0
    unproved_missing: int = 0
    real: int = 0
    real_missing: int = 0
    wrong: Counter[str] = field(default_factory=Counter)


def measure() -> Counts:
    """All worlds, generated and real."""
    counts = Counts()
    for size in SIZES:
        for seed in SEEDS:
            for sources in ((A,), (A, B)):
                dice = random.Random(f"{seed} {size} {sources}")
                dense = [case for make in _MAKERS[sources] for case in make(dice, size)]
                _world("equities_bars_day", sources, size, dense, counts)
                # Where five peers traded that day, the same answer twice is not enough.
                _world("equities_bars_day", (A,), size, list(_silent_once(dice, size)), counts)
                _world("options_bars_day", sources, size, _thin(dice, size, sources), counts)
    _real(counts)
    return counts


def _holes(dice: random.Random, size: int) -> Iterator[Range]:
    for length in (1, 2, 5, 20, 60, size // 4):
        start = dice.randrange(5, size - length - 5)
        yield start, start + length


def _whole(_: random.Random, size: int) -> Iterator[Case]:
    everything: Ranges = ((0, size),)
    for _number in range(8):
        yield Case(kind="whole", truth=everything, shown={A: everything, B: everything}, proved=False)


def _lost(dice: random.Random, size: int) -> Iterator[Case]:
    """A source has lost a stretch, or the whole instrument, that did trade."""
    everything: Ranges = ((0, size),)
    for hole in _holes(dice, size):
        shown = ranges.subtract(everything, (hole,))
        # Any other vendor lacks it as well, or has never had the instrument.
        yield Case(kind="lost stretch", truth=everything, shown={A: shown, B: ()}, proved=False)
        yield Case(
            kind="lost, shown twice",
            truth=everything,
            shown={A: shown, B: ()},
            proved=False,
            repeated=True,
        )
    yield Case(kind="never held", truth=everything, shown={A: (), B: ()}, proved=False, repeated=True)


def _stopped_alone(dice: random.Random, size: int) -> Iterator[Case]:
    """It truly did not trade, and only one answer of one source says so."""
    for hole in _holes(dice, size):
        truth = ranges.subtract(((0, size),), (hole,))
        yield Case(kind="stopped, one answer", truth=truth, shown={A: truth, B: ()}, proved=False)


def _stopped_positional(dice: random.Random, size: int) -> Iterator[Case]:
    for hole in _holes(dice, size):
        truth = ranges.subtract(((0, size),), (hole,))
        yield Case(
            kind="stopped, counted page",
            truth=truth,
            shown={A: truth, B: ()},
            proved=True,
            positional=True,
        )


def _silent_once(dice: random.Random, size: int) -> Iterator[Case]:
    for _number in range(FEW):
        at = dice.randrange(5, size - 5)
        truth = ranges.subtract(((0, size),), ((at, at + 1),))
        yield Case(kind="a day, repeated", truth=truth, shown={A: truth, B: ()}, proved=True, repeated=True)


def _stopped_witnessed(dice: random.Random, size: int) -> Iterator[Case]:
    for hole in _holes(dice, size):
        truth = ranges.subtract(((0, size),), (hole,))
        yield Case(kind="stopped, two vendors", truth=truth, shown={A: truth, B: truth}, proved=True)


_Maker = Callable[[random.Random, int], Iterator[Case]]
_MAKERS: dict[tuple[str, ...], list[_Maker]] = {
    (A,): [_whole, _lost, _stopped_alone, _stopped_positional],
    (A, B): [_whole, _lost, _stopped_witnessed],
}


def _thin(dice: random.Random, size: int, sources: tuple[str, ...]) -> list[Case]:
    """Contracts that trade on few days. A stretch that a source has lost held twenty of them: a shorter one cannot be
    told for certain from how they trade (with ten, one series in fifty was believed)."""
    found = []
    for chance in (0.02, 0.05, 0.2, 0.5):
        for lost in (False, True):
            traded = [at for at in range(size) if dice.random() < chance]
            truth = ranges.from_points(traded)
            shown = truth
            if lost and len(traded) > 2 * LOST_TRADES:
                start = dice.randrange(5, len(traded) - LOST_TRADES)
                shown = ranges.subtract(truth, ((traded[start], traded[start + LOST_TRADES - 1] + 1),))
            found.append(
                Case(
                    kind="thin, lost stretch" if shown != truth else "thin",
                    truth=truth,
                    shown={A: shown, B: shown if len(sources) == 1 else truth if not lost else ()},
                    # Another vendor is a witness only if it holds twenty sessions outside of a silence.
                    proved=shown == truth and len(sources) == 2 and len(traded) >= 2 * WITNESS_SESSIONS,
                    needs=False,
                )
            )
    return found


def _world(name: str, sources: tuple[str, ...], size: int, cases: list[Case], counts: Counts) -> None:
    dataset = datasets.get(name)
    calendar = opening.calendar(dataset.calendar)
    begin = calendar.between(_FIRST, calendar.known_to)[0]
    with tempfile.TemporaryDirectory(prefix="bench-truth-") as folder:
        context, wanted = _context(Path(folder), name, sources, begin, size, len(cases))
        rows = [
            row
            for number, case in enumerate(cases)
            for source in sources
            for row in _facts(name, f"I{number}", source, case, wanted, begin, size)
        ]
        with context.ledger.write():
            context.ledger.database.run_many("add_coverage", rows)
        now = calendar.sessions[begin + size].close + 10 * 86_400 * SECOND
        for one in known.read(context, wanted, now):
            case = cases[int(one.instrument.instrument[1:])]
            _count(case, series.picture(one), begin, size, counts)
        context.close()


def _count(case: Case, said: series.Picture, begin: int, size: int, counts: Counts) -> None:
    span = ((begin, begin + size),)
    truth: Ranges = tuple((start + begin, stop + begin) for start, stop in case.truth)
    silent = ranges.subtract(span, truth)
    empty = ranges.intersect(said.empty, span)
    counts.cells += size
    wrong = ranges.size(ranges.intersect(empty, truth))
    counts.false_empty += wrong
    counts.wrong[case.kind] += wrong
    missing = ranges.size(ranges.intersect(said.missing, silent))
    if case.proved:
        counts.proved += ranges.size(silent)
        believed = ranges.size(ranges.intersect(empty, silent))
        counts.proved_empty += believed
        counts.wrong[f"{case.kind}: not believed"] += ranges.size(silent) - believed
    elif case.needs:
        counts.unproved += ranges.size(silent)
        counts.unproved_missing += missing
        counts.wrong[f"{case.kind}: believed"] += ranges.size(silent) - missing


def _facts(
    dataset: str, name: str, source: str, case: Case, wanted: ConfiguredDataset, begin: int, size: int
) -> Iterator[dict[str, object]]:
    held = case.shown[source]
    calendar = wanted.calendar
    for fact, spans in (("present", held), ("empty", ranges.subtract(((0, size),), held))):
        for start, stop in spans:
            yield {
                "dataset": dataset,
                "instrument": name,
                "source": source,
                "first_session": calendar.label(begin + start).isoformat(),
                "last_session": calendar.label(begin + stop - 1).isoformat(),
                "fact": fact,
                "sound": 1,
                "final": 1,
                "since": SECOND,
                "evidence": f"{name} {source}",
                "reason": "",
                "shown": 1,
                "extent": "" if fact == "present" else "positional" if case.positional else "span",
                "asked": "",
                "repeated": int(case.repeated and fact == "empty"),
            }


def _context(
    folder: Path, name: str, sources: tuple[str, ...], begin: int, size: int, instruments: int
) -> tuple[NodeContext, ConfiguredDataset]:
    dataset = datasets.get(name)
    calendar = opening.calendar(dataset.calendar)
    first = calendar.label(begin)
    wanted = ConfiguredDataset(
        dataset=dataset,
        calendar=calendar,
        instruments={
            f"I{at}": Instrument(
                instrument=f"I{at}", symbols=(DatedSymbol(symbol=f"I{at}", first=first, last=None),)
            )
            for at in range(instruments)
        },
        sources=sources,
        first=first,
        until=calendar.label(begin + size - 1),
        final_after=0,
    )
    capability = Capability(dataset=name, history_from=first, symbols_per_request=1, rows_per_page=1_000)
    context = NodeContext(
        folder=folder,
        ledger=opening.open_ledger(folder),
        layout=Layout(root=folder / "lake"),
        wanted={name: wanted},
        feeds={
            source: ConfiguredSource(
                source=Source(
                    name=source,
                    feed=source.partition(".")[2],
                    scope="consolidated",
                    capabilities=(capability,),
                ),
                vendor=source.partition(".")[0],
                limits=Limits(),
                history_from=None,
            )
            for source in sources
        },
        vendors={},
        accounts={},
        rules=Rules(),
    )
    return context, wanted


def _real(counts: Counts) -> None:
    """Untouched real series of one source, whose silent days were shown twice: what of them is called missing."""
    for name, _, labels in real.days():
        calendar = opening.calendar(datasets.get(name).calendar)
        found = ranges.from_points(
            position for label in labels if (position := calendar.position(label)) is not None
        )
        begin, stop = found[0][0], found[-1][1]
        size = stop - begin
        held: Ranges = tuple((start - begin, end - begin) for start, end in found)
        case = Case(kind="real", truth=held, shown={A: held}, proved=False, repeated=True, needs=False)
        with tempfile.TemporaryDirectory(prefix="bench-truth-") as folder:
            context, wanted = _context(Path(folder), name, (A,), begin, size, 1)
            with context.ledger.write():
                rows = list(_facts(name, "I0", A, case, wanted, begin, size))
                context.ledger.database.run_many("add_coverage", rows)
            now = calendar.sessions[stop].close + 10 * 86_400 * SECOND
            (one,) = known.read(context, wanted, now)
            said = series.picture(one)
            context.close()
        lost = ranges.normalise([calendar.between(*OUTAGE)]) if name == "forex_bars_day" else ()
        counts.real += size - ranges.size(lost)
        counts.real_missing += ranges.size(ranges.subtract(said.missing, lost))
        counts.false_empty += ranges.size(ranges.intersect(said.empty, lost))
