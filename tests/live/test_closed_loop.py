"""What the network loses comes back from history, and the node can prove it."""

from __future__ import annotations

from pathlib import Path

import pytest
from living import VENUES, Venue, living, promised


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
