"""Damage is noticed, withdrawn and healed: out of the layer below, out of journals, or by a vendor. What is whole is not
touched."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import fulltape
from clocks import SkippingClock
from fulltape import errors
from fulltape.cli import app
from fulltape.export import run as export
from fulltape.lake import files
from fulltape.ledger.part import NewPart
from fulltape.node import nightly, repair
from fulltape.simulator import market as markets
from fulltape.verify import run as verify
from fulltape.verify.plan import Finding
from nodes import Wish, opened, simulated

DAYS = Wish("equities_bars_day", "2011-11-01", "2012-12-14", ("alpaca.sip",))
MINUTES = Wish("equities_bars_minute", "2012-11-29", "2012-12-04", ("alpaca.sip",))
UNIVERSE = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\nIBM,1915-11-11,,\n"
Damage = Callable[[Path, Path], None]


def delete(path: Path, _: Path) -> None:
    path.unlink()


def truncate(path: Path, _: Path) -> None:
    content = path.read_bytes()
    path.unlink()  # a bundle may share the file: that one is damaged by its own tests
    path.write_bytes(content[: len(content) // 2])


def flip(path: Path, _: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.unlink()
    path.write_bytes(content)


def swap(path: Path, other: Path) -> None:
    spare = path.with_name("spare")
    path.rename(spare)
    other.rename(path)
    spare.rename(other)


DAMAGES: list[Damage] = [delete, truncate, flip, swap]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A node after a night, whose vendor goes on to answer."""
    place = tmp_path_factory.mktemp("whole")
    with simulated(place, markets.sample(), [DAYS, MINUTES], universe=UNIVERSE) as (folder, _):
        with opened(folder) as context:
            assert nightly.run(context, SkippingClock()).complete
        yield folder


@pytest.fixture
def node(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, hard links and all."""
    shutil.copytree(whole, tmp_path / "node", copy_function=_copy)
    return tmp_path / "node"


_TWINS: dict[int, str] = {}


def _copy(source: str, target: str) -> None:
    shutil.copy2(source, target)


def state(folder: Path, *layers: str) -> dict[str, tuple[int, int, str]]:
    root = folder / "lake"
    return {
        path.relative_to(root).as_posix(): (
            path.stat().st_ino, path.stat().st_mtime_ns, files.sha256(path)
        )
        for layer in layers
        for path in files.tree(root / layer)
    }  # fmt: skip


def bundle(folder: Path) -> dict[str, str]:
    """The bundle's files by digest, but for those that tell when and by which positions."""
    (newest,) = (folder / "lake" / "exports" / "nightly").iterdir()
    return {
        path.relative_to(newest).as_posix(): files.sha256(path)
        for path in files.tree(newest)
        if path.name not in ("manifest.json", "SHA256SUMS", "partition_status.parquet")
    }


def two(folder: Path, layer: str) -> tuple[Path, Path]:
    """Two files of a layer, of different content."""
    found = [path for path in files.tree(folder / "lake" / layer) if path.suffix == ".parquet"]
    return found[0], found[-1]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("layer", ["raw", "curated", "qc", "exports"])
def test_damage_is_noticed_and_healed(whole: Path, node: Path, layer: str, damage: Damage) -> None:
    wanted, rows = bundle(node), fulltape.open(node).scan("equities_bars_minute").collect()
    before = state(node, "raw", "curated", "qc")
    one, other = two(node, layer)
    hurt = {
        path.relative_to(node / "lake").as_posix() for path in ((one, other) if damage is swap else (one,))
    }
    damage(one, other)
    with opened(node) as context:
        told = {finding.path for finding in verify.run_once(context, SkippingClock(), deep=True).findings}
        assert hurt <= told
        done = repair.run(context, SkippingClock(), deep=True)
        assert done.after.findings == ()
        assert done.night.complete
        assert context.ledger.damages.all() == []
    assert bundle(node) == wanted
    assert fulltape.open(node).scan("equities_bars_minute").collect().equals(rows)
    after = state(node, "raw", "curated", "qc")
    for name in before.keys() - hurt:
        assert after[name] == before[name], name


def test_what_verifies_is_left_as_it_is(node: Path) -> None:
    before = state(node, "raw", "curated", "qc", "exports")
    with opened(node) as context:
        assert verify.run_once(context, SkippingClock(), deep=True).findings == ()
        assert repair.run(context, SkippingClock(), deep=True).before.findings == ()
    assert state(node, "raw", "curated", "qc", "exports") == before


@pytest.mark.parametrize("damage", [delete, truncate, flip], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("layer", ["raw", "curated", "qc"])
def test_a_night_notices_by_itself(node: Path, layer: str, damage: Damage) -> None:
    wanted = bundle(node)
    one, other = two(node, layer)
    name = one.relative_to(node / "lake").as_posix()
    damage(one, other)
    with opened(node) as context:
        done = nightly.run(context, SkippingClock())
        assert done.damaged == (name,)
        assert done.complete
    assert bundle(node) == wanted
    with opened(node) as context:
        assert nightly.run(context, SkippingClock()).damaged == ()


@pytest.mark.parametrize("layer", ["raw", "curated", "qc"])
def test_a_stage_that_meets_damage_does_not_stop_the_nights(node: Path, layer: str) -> None:
    """The nightly sample has no time, so that the stages meet the damage themselves."""
    settings = node / "fulltape.toml"
    settings.write_text(
        settings.read_text().replace("2011-11-01", "2011-10-03") + '\n[verify]\nnightly = "0s"\n'
    )
    for path in (found for found in files.tree(node / "lake" / layer) if found.suffix == ".parquet"):
        flip(path, path)
    with opened(node) as context:
        for _ in range(3):
            done = nightly.run(context, SkippingClock())
        assert done.complete
        left = {finding.path for finding in verify.run_once(context, SkippingClock()).findings}
        # Minutes have not changed, so that no stage has read their raw parts.
        assert not any("equities_bars_day" in path or "curated" in path for path in left)


def test_an_export_never_vouches_for_what_is_damaged(node: Path) -> None:
    one, other = two(node, "curated")
    flip(one, other)
    shutil.rmtree(node / "lake" / "exports")
    with opened(node) as context:
        report = export.run_once(context, SkippingClock())
        assert report is not None
        assert report.damaged == (one.relative_to(node / "lake").as_posix(),)
        assert not report.written
        assert not (node / "lake" / "exports").exists()
        assert nightly.run(context, SkippingClock()).complete


def test_files_that_the_ledger_does_not_know_are_told_and_set_apart(node: Path) -> None:
    one, _ = two(node, "curated")
    strange = one.with_name("19990101_19990101_AAPL_00000000.parquet")
    shutil.copy(one, strange)
    with opened(node) as context:
        (found,) = verify.run_once(context, SkippingClock()).findings
        assert found == Finding(
            kind="unknown", path=strange.relative_to(node / "lake").as_posix(),
            what="the ledger does not know it", cure="it is set apart; nothing reads it",
        )  # fmt: skip
        assert repair.run(context, SkippingClock()).after.findings == ()
    assert not strange.exists()
    assert (node / "lake" / "damaged" / strange.relative_to(node / "lake")).exists()


def forget_ledger(node: Path) -> None:
    for path in node.glob("ledger.db*"):
        path.unlink()


def rebuilt(node: Path) -> repair.Rebuilt:
    from fulltape.node import assemble
    from fulltape.settings import load

    context = assemble.open_context(load.load(node), owning=False)
    try:
        return repair.rebuild(context, SkippingClock().now())
    finally:
        context.close()


def test_a_lost_ledger_is_rebuilt_from_the_lake(whole: Path, node: Path) -> None:
    wanted, before = bundle(node), state(node, "raw", "curated")
    forget_ledger(node)
    with pytest.raises(errors.LedgerBehindError), opened(node):
        pass
    done = rebuilt(node)
    assert done.taken.left == ()
    assert done.knowledge_at is not None
    with opened(node) as context:
        night = nightly.run(context, SkippingClock())
        assert night.complete
        assert night.filled.requests == 0
        assert verify.run_once(context, SkippingClock(), deep=True).findings == ()
    assert bundle(node) == wanted
    assert state(node, "raw", "curated") == before


def test_an_older_ledger_takes_up_what_came_later(whole: Path, node: Path, tmp_path: Path) -> None:
    older = tmp_path / "older.db"
    shutil.copy(node / "ledger.db", older)
    settings = node / "fulltape.toml"
    settings.write_text(settings.read_text().replace("2011-11-01", "2010-11-01"))
    with opened(node) as context:
        assert nightly.run(context, SkippingClock()).complete
    wanted = bundle(node)
    forget_ledger(node)
    shutil.copy(older, node / "ledger.db")
    assert rebuilt(node).taken.parts > 0
    with opened(node) as context:
        night = nightly.run(context, SkippingClock())
        assert night.complete
        assert night.filled.requests == 0
    assert bundle(node) == wanted


@pytest.mark.parametrize("seed", range(6))
def test_random_damages(whole: Path, node: Path, seed: int) -> None:
    """Several at once, of every kind of file."""
    dice = random.Random(seed)
    wanted = bundle(node)
    everything = [
        path
        for path in files.tree(node / "lake")
        if path.name != "node.json" and path.suffix in (".parquet", ".json", "")
    ]
    for path in dice.sample(everything, 4):
        if path.exists():
            others = [
                other for other in everything if other.exists() and other.read_bytes() != path.read_bytes()
            ]
            dice.choice(DAMAGES)(path, dice.choice(others))
    with opened(node) as context:
        assert verify.run_once(context, SkippingClock(), deep=True).findings
        done = repair.run(context, SkippingClock(), deep=True)
        assert done.after.findings == ()
        assert done.night.complete
    assert bundle(node) == wanted


def test_a_lake_that_is_gone_for_good_is_filled_again(whole: Path, node: Path) -> None:
    wanted = bundle(node)
    shutil.rmtree(node / "lake")
    with pytest.raises(errors.StorageError, match="mounted"), opened(node):
        pass
    done = CliRunner().invoke(app, ["verify", "--repair", "--node", str(node)])
    assert done.exit_code == 0, done.output
    assert bundle(node) == wanted


def without_minutes(node: Path) -> str:
    """Leave the minutes out of the settings; returns what they were."""
    settings = node / "fulltape.toml"
    text = settings.read_text()
    start = text.index("[dataset.equities_bars_minute]")
    settings.write_text(text[:start] + text[text.index("[vendor.", start) :])
    return text


def test_damage_of_what_is_not_wanted_now_is_not_forgotten(node: Path) -> None:
    wanted = bundle(node)
    text = without_minutes(node)
    for layer in ("raw", "curated"):
        path = next(one for one in files.tree(node / "lake" / layer) if "minute" in str(one))
        flip(path, path)
    with opened(node) as context:
        repair.run(context, SkippingClock(), deep=True)
        assert any(one.layer == "raw" for one in context.ledger.damages.all())
    (node / "fulltape.toml").write_text(text)
    with opened(node) as context:
        done = nightly.run(context, SkippingClock())
        assert done.complete
        assert done.filled.requests > 0
        assert context.ledger.damages.all() == []
    assert bundle(node) == wanted


def test_an_older_revision_is_no_substitute_for_a_damaged_newer_one(node: Path) -> None:
    with opened(node) as context:
        (part,) = [
            one
            for one in context.ledger.catalogue.current("raw", "equities_bars_day")
            if "2012" in one.folder
        ]
        newer = part.path.replace("2-instruments_", "2-instruments_0")
        shutil.copy(context.layout.root / part.path, context.layout.root / newer)
        with context.ledger.write():
            context.ledger.catalogue.register(
                NewPart(
                    layer=part.layer, source=part.source, dataset=part.dataset, folder=part.folder, path=newer,
                    rows=part.rows, bytes=part.bytes, sha256=part.sha256, min_ts=part.min_ts, max_ts=part.max_ts,
                    origin=part.origin, cells=part.cells,
                ),
                now=1,
            )  # fmt: skip
        flip(context.layout.root / newer, context.layout.root / newer)
        done = repair.run(context, SkippingClock(), deep=True)
        assert done.night.filled.requests > 0
        assert done.night.complete
        assert done.after.findings == ()


def test_another_bundle_in_the_place_of_the_newest_one_is_noticed(node: Path) -> None:
    (newest,) = (node / "lake" / "exports" / "nightly").iterdir()
    manifest, sums = newest / "manifest.json", newest / "SHA256SUMS"
    text = manifest.read_text()
    recipe = json.loads(text)["digest"]
    manifest.write_text(text.replace(recipe, "0" * 64))
    old = hashlib.sha256(text.encode()).hexdigest()
    sums.write_text(sums.read_text().replace(old, files.sha256(manifest)))
    with opened(node) as context:
        (found,) = verify.run_once(context, SkippingClock(), deep=True).findings
        assert found.what == "it is another bundle than the one that was written"
        done = nightly.run(context, SkippingClock())
        assert done.export is not None
        assert done.export.written
        assert verify.run_once(context, SkippingClock(), deep=True).findings == ()


@pytest.mark.parametrize("name", ["manifest.json", "SHA256SUMS", "instruments.parquet"])
@pytest.mark.parametrize("how", ["garbled", "a folder"])
def test_whatever_lies_in_the_place_of_a_bundles_file_stops_nothing(node: Path, name: str, how: str) -> None:
    wanted = bundle(node)
    (newest,) = (node / "lake" / "exports" / "nightly").iterdir()
    path = newest / name
    size = path.stat().st_size
    path.unlink()
    if how == "garbled":
        path.write_bytes(b"x" * size)
    else:
        path.mkdir()
    with opened(node) as context:
        assert verify.run_once(context, SkippingClock(), deep=True).findings
        assert nightly.run(context, SkippingClock()).complete
        assert repair.run(context, SkippingClock(), deep=True).after.findings == ()
    assert bundle(node) == wanted


def test_a_stray_folder_beside_the_bundles_is_no_bundle(node: Path) -> None:
    (newest,) = (node / "lake" / "exports" / "nightly").iterdir()
    shutil.copytree(newest, newest.with_name("mine"))
    with opened(node) as context:
        repair.run(context, SkippingClock(), deep=True)
        assert [row["day"] for row in context.ledger.exports()] == [newest.name]


def test_the_sample_reaches_every_file_whatever_the_clock_was(
    node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "_AT_ONCE", 1)
    with opened(node) as context:
        count = sum(len(context.ledger.catalogue.all_current(layer)) for layer in verify.LAYERS)
        ahead = SkippingClock()
        ahead.sleep(10**7)
        assert verify.sample(context, ahead, seconds=1e6).files == count
        assert verify.sample(context, SkippingClock(), seconds=1e6).files == count


def test_a_second_damage_at_one_place_keeps_the_first_file(node: Path) -> None:
    one, other = two(node, "curated")
    for _ in range(2):
        flip(one, other)
        with opened(node) as context:
            assert repair.run(context, SkippingClock()).after.findings == ()
    kept = list((node / "lake" / "damaged").rglob(f"{one.name}*"))
    assert len(kept) == 2
