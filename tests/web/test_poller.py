"""The thread that reads the node for the pages goes on whatever it meets, and what it has not seen for a while is unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from fulltape.market.time import SECOND
from fulltape.service import memory
from fulltape.settings import load
from fulltape.simulator import market as markets
from fulltape.web import snapshot, words
from fulltape.web.poller import Poller
from nodes import DAYS_2012, simulated


@pytest.fixture
def poller(tmp_path: Path) -> Poller:
    with simulated(tmp_path, markets.sample(), [DAYS_2012]) as (folder, _):
        (folder / memory.FOLDER).mkdir()
        return Poller(load.load(folder), every=0.01)


def test_nothing_that_lies_in_the_folder_ends_it(poller: Poller) -> None:
    folder = poller._loaded.folder
    for spoil in (b"\xff\xfe", b"{", b"[]", b'{"entries": {"x": {"spec": 1}}}'):
        for name in ("memory.json", "state.json", "runs.jsonl"):
            (folder / memory.FOLDER / name).write_bytes(spoil)
        poller.look()
    (folder / memory.FOLDER / "memory.json").unlink()
    (folder / memory.FOLDER / "memory.json").mkdir()
    poller.look()
    assert poller.newest.service is None


def test_a_defect_is_told_and_the_next_look_may_see_again(
    poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("out of descriptors")

    genuine = snapshot.moment
    monkeypatch.setattr(snapshot, "moment", broken)
    poller.start()
    while "out of descriptors" not in poller._problem:
        assert poller._thread.is_alive()
    monkeypatch.setattr(snapshot, "moment", genuine)
    before = poller.newest.at
    while poller.newest.at == before:
        assert poller._thread.is_alive()
    poller.close()


def test_a_page_is_read_anew_only_where_something_has_changed(poller: Poller) -> None:
    poller.look()
    before = poller.version
    for _ in range(3):
        poller.look()
    assert poller.version == before


def test_what_was_seen_long_ago_is_stale(poller: Poller, monkeypatch: pytest.MonkeyPatch) -> None:
    poller.look()
    assert words.headline(poller.newest).text == "No service runs."
    later = poller._newest.at + 21 * SECOND
    monkeypatch.setattr(poller._clock, "now", lambda: later)
    assert poller.newest.stale
    assert words.headline(poller.newest).tone == "unknown"
