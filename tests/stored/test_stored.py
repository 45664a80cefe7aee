"""Nodes that earlier code has written open in the present one, which makes the same of them.

`make.py` beside this file stores them. Each holds the bundle of its last night; the present code makes that again, out of
the same lake and ledger, and once more after everything was curated and checked anew.
"""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock
from fulltape.check import run as check
from fulltape.context import NodeContext
from fulltape.curate import run as curate
from fulltape.export import run as export
from fulltape.lake import files
from fulltape.ledger.changes import Knowledge
from fulltape.ledger.ledger import Ledger
from fulltape.verify import run as verify
from nodes import opened

STORED = sorted(Path(__file__).parent.glob("*/*.tar.xz"))
POSITIONS = ("knowledge",)
"""What a manifest says of the ledger's own numbers, and no file depends on."""
SINCE = (
    "intervals.parquet",
    "gaps.html",
    "gaps.json",
    "series.parquet",
    "calendars/XNYS.csv",
    "calendars/overrides.toml",
)
"""Files that bundles have only since these nodes were stored; they are part of what a bundle's digest is made of."""


def named(path: Path) -> str:
    return f"{path.parent.name} {path.name.removesuffix('.tar.xz')}"


@pytest.fixture(params=STORED, ids=named)
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "node"


def clock(node: Path) -> FakeClock:
    """As late as the stored node's last night."""
    return FakeClock(int((node / "now").read_text()))


def bundle(node: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """The digest of each file of the newest bundle but its manifest and sums, and the manifest without positions."""
    (folder,) = {path.parent for path in (node / "lake" / "exports").rglob("manifest.json")}
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest = {name: value for name, value in manifest.items() if name not in POSITIONS}
    for entry in manifest["files"]:
        entry["path"] = without_digest(entry["path"])
    found = {
        without_digest(path.relative_to(folder).as_posix()): files.sha256(path)
        for path in files.tree(folder)
        if path.name not in ("manifest.json", "SHA256SUMS")
    }
    return found, manifest


def without_digest(path: str) -> str:
    """A file of rows by its cells: its name ends with a digest, in older bundles with that of the file that it was cut from."""
    return f"{path.rpartition('_')[0]}.parquet" if path.startswith("curated/") else path


def exported(context: NodeContext, node: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """The bundle, made anew."""
    shutil.rmtree(node / "lake" / "exports")
    done = export.run_once(context, clock(node))
    assert done is not None
    assert done.written
    return bundle(node)


def test_the_bundle_of_a_stored_node_is_made_again(node: Path) -> None:
    before = bundle(node)
    assert before[1]["rows"] > 0
    with opened(node) as context:
        assert not verify.run_once(context, clock(node), deep=True).findings
        now = exported(context, node)
    assert set(now[0]) - set(before[0]) <= set(SINCE)
    if set(now[0]) == set(before[0]):
        assert now == before
    assert _without_later_files(now) == _without_later_files(before)


def _without_later_files(
    of: tuple[dict[str, str], dict[str, Any]],
) -> tuple[dict[str, str], dict[str, Any]]:
    found, manifest = of
    told = {name: value for name, value in manifest.items() if name != "digest"}
    told["files"] = [entry for entry in manifest["files"] if entry["path"] not in SINCE]
    return {name: digest for name, digest in found.items() if name not in SINCE}, told


def test_all_of_it_can_be_curated_and_checked_anew(node: Path) -> None:
    before = bundle(node)
    with opened(node) as context:
        known = judged(context.ledger)
        with context.ledger.write():
            for name in context.wanted:
                for stage in (curate.STAGE, check.STAGE):
                    context.ledger.set_bookmark(stage, name, 0)
        assert curate.run_once(context, clock(node)).written == 0, "the same rows come to the same files"
        assert check.run_once(context, clock(node)).cells > 0
        assert judged(context.ledger) == known
        assert exported(context, node)[1]["verdicts"] == before[1]["verdicts"]


def judged(ledger: Ledger) -> list[tuple[object, ...]]:
    """What is known of every cell, but since when."""
    facts = [
        (one.dataset, one.instrument, one.source, one.first, one.last, one.fact, one.sound, one.reason)
        for name in ("equities_bars_day", "equities_bars_minute", "crypto_aggtrades")
        for one in ledger.coverage.of_dataset(name)
    ]
    verdicts = [
        (one.dataset, one.instrument, one.source, one.first, one.last, one.verdict, one.codes)
        for name in ("equities_bars_day", "equities_bars_minute", "crypto_aggtrades")
        for one in ledger.verdicts.of_dataset(name)
    ]
    return sorted(facts, key=repr) + sorted(verdicts, key=repr)


def test_what_is_known_follows_from_the_log(node: Path) -> None:
    """Also after everything was curated and checked anew; what was known before is known still."""
    with opened(node) as context:
        changes = context.ledger.changes
        before = {name: told(context, name) for name in context.wanted}
        position = changes.position
        with context.ledger.write():
            for name in context.wanted:
                for stage in (curate.STAGE, check.STAGE):
                    context.ledger.set_bookmark(stage, name, 0)
                context.ledger.verdicts.forget(name, "")
        curate.run_once(context, clock(node))
        check.run_once(context, clock(node))
        for name, wanted in context.wanted.items():
            assert changes.known(name, changes.position, wanted.next_session) == told(context, name)
            assert changes.known(name, position, wanted.next_session) == before[name]


def told(context: NodeContext, name: str) -> Knowledge:
    """What the ledger's tables say of a dataset now."""
    sources = sorted({"", *context.feeds})
    verdicts = [one for source in sources for one in context.ledger.verdicts.of_dataset(name, source)]
    return Knowledge(
        facts=context.ledger.coverage.of_dataset(name),
        verdicts=sorted(verdicts, key=lambda one: (one.instrument, one.source, one.first)),
    )
