"""What is sent to other places comes back as it was; what was not read back counts for nothing."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from syncing import KINDS, Node, entry, lake, made, synced, target_of, tried, within
from typer.testing import CliRunner

from clocks import FakeClock, SkippingClock
from fulltape import errors
from fulltape.audit import run as audit
from fulltape.cli import app
from fulltape.lake import files
from fulltape.lake.objects import LocalObjects
from fulltape.market.time import DAY
from fulltape.node import nightly
from fulltape.remote import address, index
from fulltape.sweep import run as sweep
from fulltape.sync import restore, run
from fulltape.sync.run import SyncOptions
from nodes import CANARY, opened

CUTS = int(os.environ.get("FULLTAPE_SYNC_CUTS", "25"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with made(tmp_path_factory.mktemp("whole")) as node:
        yield node


@pytest.fixture
def node(whole: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return within(whole, tmp_path, monkeypatch)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


def bundles(node: Path) -> dict[str, str]:
    root = node / "lake" / "exports" / "nightly"
    return {path.relative_to(root).as_posix(): files.sha256(path) for path in files.tree(root)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_node_that_was_destroyed_comes_back(
    kind: str,
    request: pytest.FixtureRequest,
    whole: Node,
    node: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = target_of(kind, request, tmp_path, monkeypatch)
    place = synced(node, target)
    assert place.complete
    assert place.sent > 10
    before = lake(node)
    with opened(node) as context:
        known = audit.run_once(context, SkippingClock())
    shutil.rmtree(node)
    done = CliRunner().invoke(app, ["restore-from", target, "--node", str(node), "--json"])
    assert done.exit_code == 0, (done.output, done.exception)
    assert json.loads(done.output)["lacking"] == []
    after = lake(node)
    assert after.keys() == before.keys()
    assert {path for path in after if after[path] != before[path]} <= {"lake/node.json"}
    made, requests = bundles(node), whole.requests()
    with opened(node) as context:
        assert audit.run_once(context, SkippingClock()) == known
        assert nightly.run(context, SkippingClock()).complete
    assert bundles(node) == made
    assert whole.requests() == requests, "nothing is fetched again"
    again = synced(node, target)
    assert again.sent <= 4, "the ledger, what the node says of itself, and what the night wrote anew"


def test_bundles_that_come_back_share_their_files_with_the_lake(
    node: Path, target: Path, tmp_path: Path
) -> None:
    synced(node, target)
    restore.run(address.objects(str(target)), str(target), tmp_path / "back")
    curated = files.tree(tmp_path / "back" / "lake" / "curated")
    assert curated
    assert all(path.stat().st_nlink > 1 for path in curated)


def test_what_is_there_is_not_sent_again(node: Path, target: Path) -> None:
    first = synced(node, target)
    second = synced(node, target)
    assert (second.sent, second.complete) == (0, True)
    assert second.kept == first.kept + first.sent
    assert synced(node, target, fresh=True).sent == 1, "only a new copy of the ledger"


def test_a_dry_run_sends_nothing(node: Path, target: Path) -> None:
    assert synced(node, target, dry_run=True).sent > 10
    assert files.tree(target) == []


def test_a_flipped_byte_is_found_and_only_that_file_is_sent_again(node: Path, target: Path) -> None:
    synced(node, target)
    chosen = random.Random(5).choice(files.tree(target / "lake" / "curated"))
    body = bytearray(chosen.read_bytes())
    body[len(body) // 2] ^= 1
    chosen.write_bytes(body)
    assert synced(node, target).sent == 0, "nothing is read back without being asked to"
    place = synced(node, target, verify=True)
    assert (place.sent, place.complete) == (1, True)
    assert synced(node, target, verify=True).sent == 0


def test_a_flipped_byte_never_comes_back_as_a_node(node: Path, target: Path, tmp_path: Path) -> None:
    synced(node, target)
    chosen = files.tree(target / "lake" / "raw")[0]
    body = bytearray(chosen.read_bytes())
    body[9] ^= 1
    chosen.write_bytes(body)
    with pytest.raises(errors.StorageError, match="is not what was proved there"):
        restore.run(address.objects(str(target)), str(target), tmp_path / "back")
    assert not (tmp_path / "back" / "ledger.db").exists()
    shutil.copy(node / chosen.relative_to(target), chosen)
    done = restore.run(address.objects(str(target)), str(target), tmp_path / "back")
    assert done.complete
    assert done.fetched < done.kept + done.fetched, "what had come is not fetched again"


def test_what_a_place_loses_is_sent_again(node: Path, target: Path) -> None:
    synced(node, target)
    for path in files.tree(target / "lake"):
        path.unlink()
    assert synced(node, target).sent > 1
    assert synced(node, target).sent == 0


class Lying(LocalObjects):
    """A place that gives back another byte than it was given."""

    def open(self, key: str, offset: int = 0) -> BinaryIO:
        file = super().open(key, offset)
        if not key.startswith("lake/raw/"):
            return file
        import io

        with file:
            body = bytearray(file.read())
        body[-1] ^= 1
        return io.BytesIO(bytes(body))


def test_a_place_that_lies_has_proved_nothing(
    node: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address, "objects", lambda text: Lying(Path(text)))
    report = tried(node, target)
    assert "gives back something else" in report.failed[str(target)]
    assert not report.complete
    assert not (target / "index.json").exists()
    with opened(node) as context:
        assert not [path for path in context.ledger.sent.at(str(target)) if path.startswith("lake/raw/")]


class Cut(LocalObjects):
    """A place on which the line is cut after so many bytes."""

    def __init__(self, root: Path, left: list[int]) -> None:
        super().__init__(root)
        self._left = left

    def write(self, key: str, content: Any, *, only_new: bool = False) -> Any:
        return super().write(key, self._over(content if not isinstance(content, bytes) else [content]))

    def _over(self, content: Any) -> Iterator[bytes]:
        for piece in content:
            self._left[0] -= len(piece)
            if self._left[0] < 0:
                raise errors.StorageError("the line is cut.")
            yield piece


def test_cut_anywhere_it_ends_with_proved_copies(
    node: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = random.Random(7)
    size = sum(path.stat().st_size for path in files.tree(node / "lake"))
    for _ in range(CUTS):
        left = [generator.randrange(size)]
        with monkeypatch.context() as patch:
            patch.setattr(address, "objects", lambda text, left=left: Cut(Path(text), left))
            report = tried(node, target, fresh=True)
        if report.complete:  # begin once more
            shutil.rmtree(target)
            target.mkdir()
            with opened(node) as context, context.ledger.write():
                context.ledger.sent.forget(str(target), list(context.ledger.sent.at(str(target))))
    assert synced(node, target).complete
    assert synced(node, target, verify=True).sent == 0
    assert restore.run(address.objects(str(target)), str(target), tmp_path / "back").complete


def test_a_full_place_keeps_what_it_had(
    node: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced(node, target)
    with monkeypatch.context() as patch:
        patch.setattr(address, "objects", lambda text: Cut(Path(text), [10]))
        report = tried(node, target, fresh=True)
    assert "the line is cut" in report.failed[str(target)]
    assert restore.run(address.objects(str(target)), str(target), tmp_path / "back").complete


def test_a_place_that_is_not_mounted_is_not_filled_again(node: Path, target: Path) -> None:
    synced(node, target)
    shutil.rmtree(target)
    assert "is its disk mounted" in failure(node, target)
    target.mkdir()
    assert "Is it mounted?" in failure(node, target)
    assert files.tree(target) == []
    assert synced(node, target, anew=True).sent > 10


def failure(node: Path, target: str | Path) -> str:
    try:
        return tried(node, target).failed[str(target)]
    except errors.FulltapeError as error:
        return str(error)


def test_places_that_cannot_be_meant_are_refused(node: Path, target: Path, tmp_path: Path) -> None:
    (target / "holiday.jpg").write_bytes(b"x")
    assert "is not empty: it has holiday.jpg" in failure(node, target)
    assert "lie in each other" in failure(node, node / "lake")
    assert "lie in each other" in failure(node, tmp_path)
    (target / "holiday.jpg").unlink()
    synced(node, target)
    with opened(node) as context, context.ledger.write():
        context.ledger.set_identity("node", "another")
    (node / "lake" / "node.json").write_text('{"node": "another"}')
    assert "another node" in failure(node, target)


def test_a_secret_in_the_settings_is_never_sent(node: Path, target: Path) -> None:
    settings = node / "fulltape.toml"
    settings.write_text(settings.read_text().replace("${MARKET_KEY}", CANARY))
    assert "vendor.alpaca.key" in failure(node, target)
    settings.write_text(settings.read_text() + "\n[sync]\nsettings = false\n")
    assert synced(node, target).complete
    assert all(CANARY.encode() not in path.read_bytes() for path in files.tree(target))
    there = index.read(LocalObjects(target), "")
    assert there
    assert "fulltape.toml" not in {file.path for file in there.files}


def test_patterns_leave_out(node: Path, target: Path) -> None:
    settings = node / "fulltape.toml"
    settings.write_text(
        settings.read_text() + '\n[sync]\nexclude = ["lake/raw/*", "lake/exports/**", "nothing/*"]\n'
    )
    place = synced(node, target)
    assert place.left_out == ("nothing/*",)
    there = index.read(LocalObjects(target), "")
    assert there
    names = {file.path.split("/")[1] for file in there.files if file.path.startswith("lake/")}
    assert "curated" in names
    assert not names & {"raw", "exports"}


def test_what_the_node_has_no_more_is_kept_for_a_while(node: Path, target: Path) -> None:
    clock = FakeClock(SkippingClock().now())
    gone = node / "lake" / "rejected" / "alpaca.sip" / "x.body"
    gone.parent.mkdir(parents=True)
    gone.write_bytes(b"what could not be taken")
    synced(node, target, clock=clock)
    gone.unlink()
    synced(node, target, clock=clock)
    path = f"lake/{gone.relative_to(node / 'lake').as_posix()}"
    assert entry(target, path).gone
    clock.sleep(89 * DAY / 1e6)
    synced(node, target, clock=clock)
    assert entry(target, path).gone
    clock.sleep(2 * DAY / 1e6)
    synced(node, target, clock=clock)
    removed = synced(node, target, clock=clock, fresh=True)
    with pytest.raises(StopIteration):
        entry(target, path)
    assert removed.removed >= 1
    assert len(files.tree(target / "index")) == 2


def test_damage_here_is_not_sent(node: Path, target: Path) -> None:
    chosen = files.tree(node / "lake" / "curated")[0]
    chosen.write_bytes(chosen.read_bytes()[:-1] + b"?")
    place = synced(node, target)
    assert chosen.relative_to(node).as_posix() in place.damaged
    assert not place.complete
    there = index.read(LocalObjects(target), "")
    assert there
    listed = {file.path: file for file in there.files}
    assert not [path for path in listed if path.startswith("lake/exports/nightly/")], (
        "nor a bundle that has it"
    )
    for file in listed.values():
        assert files.sha256(target / file.key) == file.sha256


def test_what_is_missing_here_stays_there(node: Path, target: Path) -> None:
    synced(node, target)
    chosen = files.tree(node / "lake" / "raw")[0]
    chosen.unlink()
    place = synced(node, target)
    path = chosen.relative_to(node).as_posix()
    assert place.missing == (path,)
    assert not entry(target, path).gone


def test_nothing_is_swept_that_a_place_has_not_proved(node: Path, target: Path) -> None:
    settings = node / "fulltape.toml"
    settings.write_text(
        settings.read_text().replace("2012-12-14", "2012-12-21")
        + f'\n[retention]\nreplaced = "0s"\nbundles = 1\n[sync]\ntargets = ["{target}"]\n'
    )
    target.rmdir()  # so that the night, which ends with a sync, sends nothing
    with opened(node) as context:
        assert nightly.run(context, SkippingClock()).curated.folders
        before = files.tree(context.layout.root)
        assert sweep.run_once(context, SkippingClock()).unproved
        assert files.tree(context.layout.root) == before
    target.mkdir()
    synced(node, target)
    with opened(node) as context:
        report = sweep.run_once(context, SkippingClock())
    assert not report.unproved
    assert {removal.what for removal in report.removals} >= {"replaced files", "bundles"}


def test_one_place_that_fails_keeps_no_other_from_it(node: Path, target: Path, tmp_path: Path) -> None:
    with opened(node) as context:
        options = SyncOptions(targets=(str(tmp_path / "nowhere"), str(target)))
        report = run.run_once(context, SkippingClock(), options=options)
    assert report
    assert list(report.failed) == [str(tmp_path / "nowhere")]
    assert report.places[0].sent > 10
    assert not report.complete
