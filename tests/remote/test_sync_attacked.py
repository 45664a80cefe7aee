"""Nothing that is needed is lost at a place, whatever happens to its index, its listing, or the node."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from syncing import Node, cut_at, entry, lake, made, synced, there, tried, within

from clocks import FakeClock, SkippingClock
from fulltape import errors
from fulltape.context import sent
from fulltape.lake import compression, files
from fulltape.lake.objects import LocalObjects, StoredObject
from fulltape.market.time import DAY, SECOND
from fulltape.node import nightly
from fulltape.remote import address, index
from fulltape.settings import load
from fulltape.sweep import run as sweep
from fulltape.sync import restore, run
from fulltape.sync.run import SyncOptions
from nodes import CANARY, opened


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


def back(target: Path, folder: Path) -> restore.Restored:
    return restore.run(address.objects(str(target)), str(target), folder)


@pytest.mark.parametrize("how", ["damaged", "gone"])
def test_without_its_index_a_place_loses_nothing(node: Path, target: Path, how: str) -> None:
    settings = node / "fulltape.toml"
    settings.write_text(settings.read_text() + f'\n[sync]\ntargets = ["{target}"]\n')
    synced(node, target)
    with opened(node) as context:
        assert sent.file(context, node / "lake" / "node.json")
    part = files.tree(node / "lake" / "raw")[0]
    part.unlink()
    synced(node, target)
    if how == "gone":
        (target / "index.json").unlink()
    else:
        for path in files.tree(target / "index"):
            path.write_bytes(b"damaged")
    report = tried(node, target)
    assert "--anew" in report.failed[str(target)]
    with opened(node) as context:
        assert not sent.file(context, node / "lake" / "node.json"), "nothing there is trusted"
    place = synced(node, target, anew=True)
    name = part.relative_to(node).as_posix()
    assert (target / name).exists()
    assert not entry(target, name).gone
    assert place.missing == (name,)
    assert place.removed == synced(node, target).removed == 0
    assert (target / name).exists()


def test_what_no_index_names_is_no_copy(node: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = node / "fulltape.toml"
    settings.write_text(
        settings.read_text() + f'\n[retention]\nreplaced = "0s"\n[sync]\ntargets = ["{target}"]\n'
    )
    with cut_at(monkeypatch, "index/"), opened(node) as context:
        nightly.run(context, SkippingClock())
        assert context.ledger.sent.at(str(target)), "it was sent, and read back"
        assert not sent.file(context, files.tree(node / "lake" / "curated")[0])
    place = synced(node, target)
    assert (place.sent, place.removed) == (0, 0)
    with opened(node) as context:
        assert sent.file(context, files.tree(node / "lake" / "curated")[0])


class Flaky(LocalObjects):
    """A place that does not show everything."""

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        return (entry for entry in super().list(prefix) if not entry.key.startswith("lake/raw/"))


def test_one_bad_look_removes_nothing(node: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced(node, target)
    part = files.tree(node / "lake" / "raw")[0]
    path = part.relative_to(node).as_posix()
    part.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(address, "objects", lambda text: Flaky(Path(text)))
        place = synced(node, target)
        assert path in place.lost
        assert entry(target, path).doubted
        synced(node, target)
    assert (target / path).exists()
    place = synced(node, target)
    assert (place.lost, place.missing) == ((), (path,))
    assert not entry(target, path).doubted


def test_verify_reads_what_no_index_names_yet(
    node: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cut_at(monkeypatch, "index/"):
        tried(node, target)
    chosen = files.tree(target / "lake" / "raw")[0]
    body = bytearray(chosen.read_bytes())
    body[9] ^= 1
    chosen.write_bytes(body)
    synced(node, target, verify=True)
    assert back(target, tmp_path / "back").complete


@pytest.mark.parametrize("path", ["lake//tmp/evil", "../evil", "lake/./x", "/etc/x", "lake/a\nb", "a\\b"])
def test_an_index_cannot_lead_out_of_the_folder(node: Path, target: Path, tmp_path: Path, path: str) -> None:
    synced(node, target)
    rewritten(target, path)
    with pytest.raises(errors.BundleError, match="names"):
        back(target, tmp_path / "back")


@pytest.mark.parametrize("path", ["ledger.db-wal", "backups/x.db", "evil.sh", "calendars/x.sh"])
def test_beside_the_lake_only_settings_are_brought(
    node: Path, target: Path, tmp_path: Path, path: str
) -> None:
    synced(node, target)
    rewritten(target, path)
    with pytest.raises(errors.BundleError, match="is no file of a node"):
        back(target, tmp_path / "back")


def rewritten(target: Path, path: str) -> None:
    """Let the index of a place name a path."""
    store = LocalObjects(target)
    before = there(target)
    evil = msgspec.structs.replace(before.files[0], path=path)
    index.write(
        store, msgspec.structs.replace(before, files=(*before.files, evil)), "", SkippingClock().now()
    )


def test_a_lake_that_is_still_there_is_not_turned_back(node: Path, target: Path, tmp_path: Path) -> None:
    synced(node, target)
    for path in (*node.glob("ledger*"), node / "fulltape.toml"):
        path.unlink()
    shutil.rmtree(node / "backups")
    before = lake(node)
    with pytest.raises(errors.UsageError, match="is not empty"):
        back(target, node)
    assert lake(node) == before


def test_a_lake_elsewhere_is_not_written_over(node: Path, target: Path, tmp_path: Path) -> None:
    settings = node / "fulltape.toml"
    settings.write_text(f'[node]\nlake = "{node / "lake"}"\n' + settings.read_text())
    synced(node, target)
    before = lake(node)
    with pytest.raises(errors.UsageError, match="is not empty"):
        back(target, tmp_path / "drill")
    assert lake(node) == before


def test_no_pattern_leaves_out_what_a_node_needs(node: Path, target: Path, tmp_path: Path) -> None:
    settings = node / "fulltape.toml"
    settings.write_text(settings.read_text() + '\n[sync]\nexclude = ["lake/*.json", "universe.csv"]\n')
    synced(node, target)
    names = {file.path for file in there(target).files}
    assert {"lake/node.json", "universe.csv", "fulltape.toml"} <= names
    assert not [name for name in names if name.startswith("lake/exports/")], "a bundle whole or not at all"
    assert back(target, tmp_path / "back").complete


def test_what_the_ledgers_copy_does_not_know_is_told(node: Path, target: Path, tmp_path: Path) -> None:
    synced(node, target)
    settings = node / "fulltape.toml"
    settings.write_text(settings.read_text().replace("2012-12-14", "2012-12-21"))
    with opened(node) as context:
        assert nightly.run(context, SkippingClock()).complete
    synced(node, target)  # with the ledger's copy of before
    assert back(target, tmp_path / "back").beyond


def test_files_of_a_bundle_that_are_missing_are_not_forgotten(
    node: Path, target: Path, tmp_path: Path
) -> None:
    synced(node, target)
    (manifest,) = (node / "lake" / "exports").rglob("manifest.json")
    manifest.unlink()
    place = synced(node, target)
    assert manifest.relative_to(node).as_posix() in place.missing
    back(target, tmp_path / "back")
    assert (tmp_path / "back" / manifest.relative_to(node)).is_file()


def test_a_cut_behind_the_ledger_does_not_stop_later_runs(
    node: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced(node, target)
    with cut_at(monkeypatch, "index/"):
        tried(node, target, fresh=True)
    assert synced(node, target).complete


def test_a_clock_that_was_ahead_freezes_no_copy(node: Path, target: Path) -> None:
    clock = FakeClock(SkippingClock().now())
    ahead = FakeClock(clock.now() + 3_650 * DAY)
    synced(node, target, clock=ahead)
    before = entry(target, "ledger.db.zst").sha256
    clock.sleep(2 * DAY / SECOND)
    synced(node, target, clock=clock)
    assert entry(target, "ledger.db.zst").sha256 != before


@pytest.mark.parametrize(
    "text",
    [
        f'key = "${{MARKET_KEY:-{CANARY}}}"',
        f'key = "{CANARY}${{NOPE:-}}"',
        f'key = "${{MARKET_KEY}}"\n# key = "{CANARY}"',
    ],
)
def test_secrets_in_disguise_are_refused(node: Path, text: str) -> None:
    settings = node / "fulltape.toml"
    settings.write_text(f"[vendor.tiingo]\n{text}\n")
    assert load.plain_secrets(node)


def test_files_with_secrets_are_never_sent(node: Path, target: Path) -> None:
    (node / "calendars").mkdir()
    hidden = node / "lake" / "journal" / "alpaca.key"
    hidden.parent.mkdir(parents=True, exist_ok=True)
    hidden.write_text(CANARY)
    (node / "calendars" / "link.csv").symlink_to(hidden)
    (node / "calendars" / "other.key").write_text(CANARY)
    settings = node / "fulltape.toml"
    settings.write_text(settings.read_text().replace('key = "${MARKET_KEY}"', f'key_file = "{hidden}"'))
    synced(node, target)
    assert all(CANARY.encode() not in path.read_bytes() for path in files.tree(target))


class Renaming(LocalObjects):
    """While something is sent for the first time a file of the node gets another name."""

    def __init__(self, root: Path, old: Path, new: Path) -> None:
        super().__init__(root)
        self._names = old, new

    def write(self, key: str, content: Any, *, only_new: bool = False) -> StoredObject:
        old, new = self._names
        if old.exists() and key.startswith("lake/raw/"):
            old.rename(new)
        return super().write(key, content, only_new=only_new)


def test_what_is_renamed_meanwhile_is_sent_under_its_new_name(
    node: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = node / "lake" / "rejected" / "alpaca.sip" / "x.body"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"what could not be taken")
    monkeypatch.setattr(address, "objects", lambda text: Renaming(Path(text), old, old.with_name("y.body")))
    place = synced(node, target)
    assert place.complete
    assert not entry(target, "lake/rejected/alpaca.sip/y.body").gone


def test_half_a_node_is_no_node(node: Path, target: Path, tmp_path: Path) -> None:
    synced(node, target)
    chosen = files.tree(target / "lake" / "curated")[0]
    body = chosen.read_bytes()
    chosen.unlink()
    with pytest.raises(errors.StorageError):
        back(target, tmp_path / "back")
    assert not (tmp_path / "back" / "fulltape.toml").exists()
    chosen.write_bytes(body)
    assert back(target, tmp_path / "back").complete


def test_a_place_that_had_not_everything_is_not_complete(node: Path, target: Path, tmp_path: Path) -> None:
    synced(node, target)
    index.write(
        LocalObjects(target), msgspec.structs.replace(there(target), waiting=3), "", SkippingClock().now()
    )
    assert not back(target, tmp_path / "back").complete


def test_a_place_is_for_one_node_alone(node: Path, target: Path) -> None:
    (target / "node.json").write_text(json.dumps({"node": "another"}))
    assert "another node" in tried(node, target).failed[str(target)]


def test_a_full_disk_here_ends_no_other_place(
    node: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> Any:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(compression, "opened", full)
    assert "No space left" in tried(node, target).failed[str(target)]
    assert [path for path in files.tree(node / "backups") if "sync" in path.name] == []


def test_without_settings_the_restore_says_what_to_do(node: Path, target: Path, tmp_path: Path) -> None:
    settings = node / "fulltape.toml"
    settings.write_text(settings.read_text() + "\n[sync]\nsettings = false\n")
    synced(node, target)
    folder = tmp_path / "back"
    with pytest.raises(errors.UsageError, match=r"Put fulltape\.toml"):
        back(target, folder)
    shutil.copy(settings, folder / "fulltape.toml")
    shutil.copy(node / "universe.csv", folder / "universe.csv")
    assert back(target, folder).complete


def test_sweep_removes_what_a_kill_left_of_copies(node: Path) -> None:
    left = node / "backups" / ".ledger-x"
    left.write_bytes(b"half")
    with opened(node) as context:
        sweep.run_once(context, SkippingClock())
        assert left.exists(), "it may be under way"
        clock = FakeClock(SkippingClock().now() + 2 * DAY)
        sweep.run_once(context, clock)
    assert not left.exists()
    assert run.STAGE == "sync"


def test_what_is_lost_there_may_be_left_out(node: Path, target: Path, tmp_path: Path) -> None:
    synced(node, target)
    chosen = files.tree(target / "lake" / "raw")[0]
    chosen.unlink()
    with pytest.raises(errors.StorageError, match="--without-lost"):
        back(target, tmp_path / "back")
    done = restore.run(address.objects(str(target)), str(target), tmp_path / "back", without_lost=True)
    assert done.lacking == (chosen.relative_to(target).as_posix(),)
    assert not done.complete


def test_what_is_no_address_is_said_before_anything_is_sent(node: Path, target: Path) -> None:
    options = SyncOptions(targets=(str(target), "ftp://x/y"))
    with opened(node) as context, pytest.raises(errors.UsageError, match="is no place for files"):
        run.run_once(context, SkippingClock(), options=options)
    assert files.tree(target) == []


@pytest.mark.parametrize("where", ["objects/", "lake/", "index/", "index.json"])
def test_a_first_run_that_is_cut_off_needs_no_person(
    node: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    with cut_at(monkeypatch, where):
        assert tried(node, target).failed
    assert synced(node, target).complete
    assert back(target, tmp_path / "back").complete
