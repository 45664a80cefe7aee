"""What the network loses comes back from history, and the node can prove it."""

from __future__ import annotations

from pathlib import Path

import pytest
from living import BINANCE, VENUES, Venue, living, promised

from fulltape.backfill import run as backfill


@pytest.mark.parametrize("venue", VENUES, ids=lambda venue: venue.vendor)
def test_what_broken_connections_lose_comes_back(tmp_path: Path, venue: Venue) -> None:
    with living(tmp_path, venue) as node:
        with node.capturing():
            for _ in range(2):
                node.until(node.ticks(20))
                node.break_all()
            node.until(node.ticks(80))
            node.stream.pause()
        report = node.seal()
        assert report.captured.rows > 0
        assert report.captured.intervals >= 2 * len(venue.symbols)
        node.heal()
        states = {state for _, state, _ in node.intervals()}
        assert states == {"verified"}
        found = node.curated()
        promised(found, node.truth(), venue)
        assert found["is_final"].sum() == 0


def test_what_is_captured_after_an_answer_came_does_not_speak_against_it(tmp_path: Path) -> None:
    """History is asked for some seconds beyond an interval, and the stream goes on while the answer waits to be sealed."""
    with living(tmp_path, BINANCE, rate=60, extra='rotate_every = "1s"\n') as node:
        with node.capturing():
            node.until(node.all_live)
            node.until(node.ticks(60))
            node.break_all()
            node.until(lambda: bool(node.seal().captured.tasks))
            with node.opened() as context:
                assert backfill.run_once(context, node.clock).pages
            node.until(node.ticks(60 * 2 * 3))
            node.seal()
        answered = [state for _, state, evidence in node.intervals() if evidence]
        assert set(answered) == {"verified"}, node.intervals()
