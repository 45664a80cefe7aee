"""Bundles of a node that is synced are pulled and read where they lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal
from syncing import KINDS, WISH, Node, made, synced, target_of, within

import fulltape
from fulltape import errors
from fulltape.bundle import sources
from fulltape.bundle.checksums import SUMS
from fulltape.bundle.listing import LATEST
from fulltape.lake import files
from fulltape.pull import run as pull
from fulltape.verify import bundles


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with made(tmp_path_factory.mktemp("whole")) as node:
        yield node


@pytest.mark.parametrize("kind", KINDS)
def test_a_bundle_is_pulled_and_read(
    kind: str,
    request: pytest.FixtureRequest,
    whole: Node,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = within(whole, tmp_path, monkeypatch)
    target = target_of(kind, request, tmp_path, monkeypatch)
    synced(node, target)
    monkeypatch.setenv("FULLTAPE_CACHE", str(tmp_path / "cache"))
    done = pull.run(sources.of(target, ""), tmp_path / "pulled")
    (bundle,) = (node / "lake" / "exports" / "nightly").iterdir()
    assert (tmp_path / "pulled" / LATEST / SUMS).read_bytes() == (bundle / SUMS).read_bytes()
    assert list(bundles.wrong(tmp_path / "pulled" / done.day, deep=True)) == []
    assert pull.run(sources.of(target, ""), tmp_path / "pulled").fetched == 0
    if kind == "ssh":
        return
    mine = fulltape.open(node).scan(WISH.dataset).collect()
    for where in (target, f"{target}/{LATEST}", f"{target}/{done.day}") if kind == "s3" else (target,):
        assert_frame_equal(fulltape.open(where).scan(WISH.dataset).collect(), mine, check_row_order=False)


def test_a_flipped_byte_there_is_never_pulled(
    whole: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = within(whole, tmp_path, monkeypatch)
    target = tmp_path / "target"
    target.mkdir()
    synced(node, target)
    chosen = files.tree(target / "lake" / "curated")[0]
    body = bytearray(chosen.read_bytes())
    body[9] ^= 1
    chosen.write_bytes(body)
    with pytest.raises(errors.TransportError, match="is not what its SHA256SUMS says"):
        pull.run(sources.of(str(target), ""), tmp_path / "pulled")


def test_a_place_without_bundles_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(errors.BundleError, match="is damaged"):
        fulltape.open(tmp_path)
