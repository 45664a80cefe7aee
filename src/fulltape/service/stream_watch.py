"""Which live streams are down, and since when: said in the log at once, and to a person once it has lasted."""

from __future__ import annotations

from dataclasses import dataclass

from fulltape.lake.capture_state import OLD, CapturedSource, CaptureState
from fulltape.market.time import Instant
from fulltape.service.conditions import Condition
from fulltape.service.plan import Moment

PATIENCE = 300.0
"""Seconds for which a stream may be down before a person is called: most breaks heal by themselves in a few."""
_FIRST = 15.0
"""Seconds that a first connection may take before it is told of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Down:
    since: float
    words: str
    said: bool


class StreamWatch:
    """What it has seen of each source."""

    def __init__(self) -> None:
        self._down: dict[str, _Down] = {}
        self._up: set[str] = set()

    @property
    def all_live(self) -> bool:
        """Whether every stream that is wanted is live."""
        return not self._down

    def look(self, wanted: tuple[str, ...], state: CaptureState | None, now: Moment) -> list[str]:
        """What has changed, in lines for the log. `state` None: there is no capture process, or it has said nothing yet."""
        known = (
            {source.source: source for source in state.sources} if state and _fresh(state, now.wall) else {}
        )
        lines = []
        for source in wanted:
            words = _wrong(known.get(source))
            lines += self._seen(source, words, known.get(source), now)
        for source in set(self._down) - set(wanted):
            del self._down[source]
        self._up &= set(wanted)
        return lines

    def conditions(self, now: Moment) -> dict[str, Condition]:
        """What has lasted too long."""
        return {
            f"stream {source}": Condition(
                title=f"{source} is not live",
                text=f"For {(now.steady - down.since) // 60:.0f} minutes: {down.words}. It is tried again all the time; what it "
                "misses is asked of history once it is back, where the source has one.",
            )
            for source, down in self._down.items()
            if now.steady - down.since >= PATIENCE
        }

    def _seen(self, source: str, words: str, about: CapturedSource | None, now: Moment) -> list[str]:
        down = self._down.get(source)
        if not words:
            self._down.pop(source, None)
            first = source not in self._up
            self._up.add(source)
            live = len(about.channels) if about else 0
            if first:
                return [f"{source}: {live:,} streams are live"]
            return (
                [f"{source}: live again after {now.steady - down.since:,.0f} s"] if down and down.said else []
            )
        since = down.since if down else now.steady
        said = bool(down and down.said)
        loud = not said and (source in self._up or now.steady - since >= _FIRST)
        self._down[source] = _Down(since=since, words=words, said=said or loud)
        return [f"{source}: {words}"] if loud else []


def _fresh(state: CaptureState, now: Instant) -> bool:
    return state.running and now - state.at // 1_000 <= OLD


def _wrong(about: CapturedSource | None) -> str:
    """What is not as it should be with a source; '' where all of it is live."""
    if about is None:
        return "capture does not run"
    down = sum(not channel.live for channel in about.channels)
    if not down:
        return ""
    reason = f": {about.reason}" if about.reason else ""
    return f"{down:,} of {len(about.channels):,} streams are not live ({about.state}{reason})"
