"""Whether silence is believed: how unlikely it is that nothing traded, and how much evidence that takes.

A source that answers without rows may be right or may lack data. The longer and the less likely a silence, the more
evidence it takes, judged against the density of rows outside of it. `docs/data.md` states the rule.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fulltape.market import ranges
from fulltape.market.ranges import Range, Ranges

CONTEXT, CONTEXT_ROWS, WIDEST = 120, 20, 1_000
"""So many answered sessions nearest a silence are its context, more where fewer than so many of them have rows, and so
many at most: how an instrument trades once in fifty sessions is not told by two of its silences."""
PRIOR_WEIGHT = 10
"""The prior density counts as much as so many sessions."""
DENSEST = 0.9999
REPEAT, WITNESS = 2.0, 4.0
"""From which surprise on a silence needs a second answer, and from which on a witness."""
WITNESS_SESSIONS = 20
"""A vendor that holds so many sessions of an instrument outside of a silence is a witness of it."""
STAYED, FOLLOWED = 0.5, 1.5
"""Before anything is known one silent session in three is taken to be followed by another: with an even chance the same
answer twice would prove four days of a currency pair, which a vendor's outage has been seen to lose."""
_ROUNDING = 1e-9

SOUND, POSITIONAL, REPEATED, SPOILED = 1, 2, 4, 8
"""What an answer proves, as bits: an empty one is sound; a single venue's page limited by count has rows on both sides of it;
the same was answered again at least 20 hours later over another span. A refusal is spoiled where there were rows, and they were
rejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty:
    """What one source showed of a series: `held` positions with rows, and its empty answers by what they prove."""

    held: Ranges = ()
    sound: Ranges = ()
    positional: Ranges = ()
    repeated: Ranges = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What lies around a series.

    `prior` is the dataset's declared density, `peers(source, span)` the median density of other instruments at a source
    in a span (None with fewer than five), `siblings()` the positions in which other datasets hold rows of the same
    instrument. The functions are called for silent series only.
    """

    prior: float = 0.98
    peers: Callable[[str, Range], float | None] = field(default=lambda _source, _span: None)
    siblings: Callable[[], Ranges] = field(default=lambda: ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A maximal run of sessions without rows: its surprise, where it is proved, and what the rest lacks."""

    span: Range
    sessions: int
    surprise: float
    proved: Ranges
    doubt: str


def judge(
    *, wanted: Ranges, held: Ranges, silent: Ranges, by_source: Mapping[str, Empty], around: Around
) -> list[Silence]:
    """The silences of a series in order. `silent` are the wanted positions that every source has answered and none with
    rows, `held` those with rows. Positions between two silent ones that are unanswered or refused do not end a run."""
    if not silent:
        return []
    line = _Line(held)
    runs = [
        _Run(span=span, sessions=ranges.size(ranges.clip(silent, *span)))
        for span in _runs(wanted, held, silent)
    ]
    siblings = around.siblings()
    surprises = _surprises(runs, line, silent, by_source, around)
    evidence = _Evidence(by_source)
    return [
        _judged(run, surprise, silent, evidence, siblings)
        for run, surprise in zip(runs, surprises, strict=True)
    ]


def independent(source: str, other: str) -> bool:
    """Whether two sources are different vendors; a vendor that passes another one's feed on is the same."""
    vendor, feed = source.partition(".")[::2]
    their_vendor, their_feed = other.partition(".")[::2]
    return vendor not in (their_vendor, their_feed) and feed != their_vendor


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    span: Range
    sessions: int


class _Line:
    """Ranges in which positions are counted quickly."""

    def __init__(self, where: Ranges) -> None:
        self._starts = [start for start, _ in where]
        self._stops = [stop for _, stop in where]
        self._counts = [0, *itertools.accumulate(stop - start for start, stop in where)]
        self.first, self.last = (where[0][0], where[-1][1]) if where else (0, 0)

    def before(self, at: int) -> int:
        index = bisect.bisect_right(self._starts, at)
        return self._counts[index] - (max(0, self._stops[index - 1] - at) if index else 0)

    def between(self, start: int, stop: int) -> int:
        return self.before(stop) - self.before(start)


def _runs(wanted: Ranges, held: Ranges, silent: Ranges) -> list[Range]:
    """Maximal runs of positions without rows that hold silent ones, cut to the silent ones at their ends."""
    runs = []
    for start, stop in ranges.subtract(wanted, held):
        inside = ranges.clip(silent, start, stop)
        if inside:
            runs.append((inside[0][0], inside[-1][1]))
    return runs


def _surprises(
    runs: list[_Run], held: _Line, silent: Ranges, by_source: Mapping[str, Empty], around: Around
) -> list[float]:
    """The surprise of each run. Runs that are surprising are left out of the others' context, which can only make those
    more surprising: so the loop ends, and only those that are still in it are looked at again before it does."""
    priors = [_prior(run, by_source, around) for run in runs]
    surprises = [0.0] * len(runs)
    likely = list(range(len(runs)))
    while True:
        context = ranges.intersect(silent, ranges.normalise([runs[at].span for at in likely]))
        counted = _Line(context)
        for at in likely:
            surprises[at] = _surprise(runs[at], priors[at], held, counted, context)
        left = [at for at in likely if surprises[at] < REPEAT - _ROUNDING]
        if left == likely:
            break
        likely = left
    # What takes a witness already takes no less with fewer silences around it.
    for at in {*range(len(runs))} - {*likely}:
        if surprises[at] < WITNESS - _ROUNDING:
            surprises[at] = _surprise(runs[at], priors[at], held, counted, context)
    return surprises


def _prior(run: _Run, by_source: Mapping[str, Empty], around: Around) -> float:
    """The peers' density where there is one. Peers that are all silent say that the source lacks the sessions as likely
    as that nothing traded: then the declared prior holds."""
    for source in sorted(by_source):
        if ranges.overlaps(by_source[source].sound, run.span) and (density := around.peers(source, run.span)):
            return density
    return around.prior


def _surprise(run: _Run, prior: float, held: _Line, quiet: _Line, context: Ranges) -> float:
    start, stop = run.span
    own = quiet.between(start, stop)
    most = max(start - min(held.first, quiet.first), max(held.last, quiet.last) - stop, 1)

    def lacking(reach: int) -> int:
        rows = held.between(start - reach, stop + reach)
        answered = rows + quiet.between(start - reach, stop + reach) - own
        return 0 if answered >= WIDEST else max(CONTEXT - answered, CONTEXT_ROWS - rows)

    radius = _radius(lacking, most)
    low, high = start - radius, stop + radius
    began, followed, stayed = 0, 0, 0
    for first, last in (*ranges.clip(context, low, start), *ranges.clip(context, stop, high)):
        began += 1
        stayed += last - first - 1
        followed += last - first - 1 + (1 if held.between(last, last + 1) and last < high else 0)
    # A silence counts once, however long it is: two holes would make a dense instrument a thin one.
    begins = (began + PRIOR_WEIGHT * (1 - prior)) / (held.between(low, high) + PRIOR_WEIGHT)
    begins = min(1.0, max(1 - DENSEST, begins))
    persistence = min(1.0, max(begins, (stayed + STAYED) / (followed + FOLLOWED)))
    return -math.log10(begins) - (run.sessions - 1) * math.log10(persistence)


def _radius(lacking: Callable[[int], int], most: int) -> int:
    """The smallest distance within which nothing is lacking of the context, or one that reaches over everything."""
    reach = CONTEXT // 2
    # A session further on either side adds two at most: so it never goes too far.
    while (more := lacking(reach)) > 0:
        if reach >= most:
            return most
        reach += -(-more // 2)
    return reach


class _Evidence:
    """What the answers to a series prove wherever they do, by how much it takes."""

    def __init__(self, by_source: Mapping[str, Empty]) -> None:
        self._by_source = by_source
        positional = (ranges.intersect(empty.sound, empty.positional) for empty in by_source.values())
        repeated = (ranges.intersect(empty.sound, empty.repeated) for empty in by_source.values())
        self.sound = ranges.union(*(empty.sound for empty in by_source.values()))
        self.positional = ranges.union(*positional)
        self._pairs = [
            (source, other, ranges.intersect(by_source[source].sound, by_source[other].sound))
            for source, other in itertools.combinations(by_source, 2)
            if by_source[source].held and by_source[other].held and independent(source, other)
        ]
        self.again = ranges.union(*repeated, self.positional, *(both for _, _, both in self._pairs))
        """Shown again, by a page that counts for more, or by two vendors that have rows of the instrument at all."""
        self._sizes = {name: ranges.size(empty.held) for name, empty in by_source.items()}

    def witnessed(self, span: Range) -> Ranges:
        """What of a span two vendors say, each of which holds enough of the instrument outside of it to know."""
        return ranges.union(
            *(
                ranges.clip(both, *span)
                for source, other, both in self._pairs
                if self._knows(source, span) and self._knows(other, span)
            )
        )

    def _knows(self, source: str, span: Range) -> bool:
        inside = ranges.size(ranges.clip(self._by_source[source].held, *span))
        return self._sizes[source] - inside >= WITNESS_SESSIONS


def _judged(run: _Run, surprise: float, silent: Ranges, evidence: _Evidence, siblings: Ranges) -> Silence:
    inside = ranges.clip(silent, *run.span)
    if ranges.overlaps(siblings, run.span):
        proof, doubt = (
            ranges.EMPTY,
            "rows of this instrument were captured in the same silence, or another dataset has some",
        )
    elif surprise < REPEAT - _ROUNDING:
        proof, doubt = evidence.sound, ""
    elif surprise < WITNESS - _ROUNDING:
        proof = evidence.again
        doubt = _implausible(
            run,
            "it takes the same answer of another vendor, or again at least 20 hours later over another span",
        )
    else:
        proof = ranges.union(ranges.clip(evidence.positional, *run.span), evidence.witnessed(run.span))
        doubt = _implausible(
            run, f"it takes another vendor that holds {WITNESS_SESSIONS} sessions outside of it"
        )
    proved = ranges.intersect(inside, ranges.clip(proof, *run.span))
    lacking = ranges.subtract(inside, proved)
    if lacking and not ranges.intersect(lacking, ranges.clip(evidence.sound, *run.span)):
        doubt = "no answer proves that there was nothing"
    return Silence(
        span=run.span, sessions=run.sessions, surprise=surprise, proved=proved, doubt=doubt if lacking else ""
    )


def _implausible(run: _Run, needed: str) -> str:
    return f"implausible silence of {run.sessions} session{'s' if run.sessions > 1 else ''}: {needed}"
