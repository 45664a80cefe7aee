"""Nodes that are synced, for tests."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import places
import pytest

from clocks import SkippingClock
from fulltape import errors
from fulltape.lake import files
from fulltape.lake.objects import LocalObjects, StoredObject
from fulltape.market.time import Clock
from fulltape.node import nightly
from fulltape.remote import address, index
from fulltape.remote.index import IndexedFile, SyncIndex
from fulltape.simulator import market as markets
from fulltape.sync import run
from fulltape.sync.plan import SyncedPlace, SyncReport
from fulltape.sync.run import SyncOptions
from nodes import CANARY, Wish, opened, simulated

WISH = Wish("equities_bars_day", "2012-11-01", "2012-12-14", ("alpaca.sip",))
UNIVERSE = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\nIBM,1915-11-11,,\n"


KINDS = [
    "local",
    "ssh",
    pytest.param("s3", marks=pytest.mark.skipif(places.WEED is None, reason="there is no SeaweedFS")),
]
"""Of places."""


@dataclass(frozen=True)
class Node:
    """A node that has had a night, and how many requests its vendor has had."""

    folder: Path
    requests: Callable[[], int]


@contextlib.contextmanager
def made(place: Path) -> Iterator[Node]:
    """A node after a night; its vendors answer as long as the block runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MARKET_KEY", CANARY)
        with simulated(place, markets.sample(), [WISH], universe=UNIVERSE) as (folder, twins):
            settings = folder / "fulltape.toml"
            settings.write_text(settings.read_text().replace(CANARY, "${MARKET_KEY}"))
            with opened(folder) as context:
                assert nightly.run(context, SkippingClock()).complete
            yield Node(folder, lambda: sum(len(server.log) for server in twins.servers.values()))


def within(whole: Node, tmp_path: Path, patch: pytest.MonkeyPatch) -> Path:
    """A copy of a node, with its hard links."""
    patch.setenv("MARKET_KEY", CANARY)
    subprocess.run(["cp", "-a", whole.folder, tmp_path / "node"], check=True)
    return tmp_path / "node"


def synced(node: Path, target: str | Path, *, clock: Clock | None = None, **more: Any) -> SyncedPlace:
    report = tried(node, target, clock=clock, **more)
    assert not report.failed, report.failed
    return report.places[0]


def tried(node: Path, target: str | Path, *, clock: Clock | None = None, **more: Any) -> SyncReport:
    with opened(node) as context:
        options = SyncOptions(targets=(str(target),), **more)
        report = run.run_once(context, clock or SkippingClock(), options=options)
    assert report
    return report


def lake(node: Path) -> dict[str, str]:
    """Everything that is sent of a lake."""
    return {
        path.relative_to(node).as_posix(): files.sha256(path)
        for path in files.tree(node / "lake")
        if path.name not in ("lock", "state.json")
    }


def there(target: Path) -> SyncIndex:
    """The index of a place."""
    read = index.read(LocalObjects(target), "")
    assert read
    return read


def entry(target: Path, path: str) -> IndexedFile:
    """A file of the index; `StopIteration` where it is not there."""
    return next(file for file in there(target).files if file.path == path)


class _Cut(LocalObjects):
    """A place that takes no object of some keys."""

    def __init__(self, root: Path, begin: str) -> None:
        super().__init__(root)
        self._begin = begin

    def write(self, key: str, content: Any, *, only_new: bool = False) -> StoredObject:
        if key.startswith(self._begin):
            raise errors.StorageError("the line is cut.")
        return super().write(key, content, only_new=only_new)


@contextlib.contextmanager
def cut_at(monkeypatch: pytest.MonkeyPatch, begin: str) -> Iterator[None]:
    """The line is cut when an object of such a key is to be written."""
    with monkeypatch.context() as patch:
        patch.setattr(address, "objects", lambda text: _Cut(Path(text), begin))
        yield


def target_of(kind: str, request: pytest.FixtureRequest, tmp_path: Path, patch: pytest.MonkeyPatch) -> str:
    if kind == "s3":
        for name, value in places.environment(request.getfixturevalue("storage")).items():
            patch.setenv(name, value)
        return f"s3://{places.BUCKET}/{tmp_path.name}"
    (tmp_path / "target").mkdir()
    if kind == "ssh":
        patch.setenv("PATH", f"{places.ssh(tmp_path)}:{os.environ['PATH']}")
        return f"me@host:{tmp_path / 'target'}"
    return str(tmp_path / "target")
