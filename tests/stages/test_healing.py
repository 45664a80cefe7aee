"""A night that finds damage makes good what it can, and never says complete of what is not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clocks import SkippingClock
from fulltape.audit import run as audit
from fulltape.context import NodeContext
from fulltape.node import nightly
from fulltape.simulator import market as markets
from fulltape.verify import bundles
from nodes import DAYS_2012, MINUTES_2012, opened, simulated

MINUTES = "equities_bars_minute"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Path]:
    """A node whose nights verify nothing beforehand, as those of a very large lake hardly do."""
    with simulated(
        tmp_path, markets.sample(), [DAYS_2012, MINUTES_2012], universe=markets.sample_universe(),
        extra='\n[verify]\nnightly = "0s"\n',
    ) as (folder, _):  # fmt: skip
        with opened(folder) as context:
            nightly.run(context, SkippingClock())
        yield folder


def flip(file: Path) -> None:
    """Damage a file, but not what is linked to it."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 255
    file.unlink()
    file.write_bytes(bytes(content))


def flip_first(context: NodeContext, layer: str) -> None:
    part = context.ledger.catalogue.current(layer, MINUTES)[0]  # type: ignore[arg-type]
    flip(context.layout.root / part.path)


@pytest.mark.parametrize("under", ["qc", "raw"])
def test_what_lies_under_damage_is_found_and_made_good(node: Path, under: str) -> None:
    with opened(node) as context:
        whole = nightly.run(context, SkippingClock())
        assert whole.export
        flip_first(context, "curated")
        flip_first(context, under)
        (bundle,) = context.layout.bundles()
        for file in bundle.rglob("*"):
            if file.is_file():
                file.unlink()
        night = nightly.run(context, SkippingClock())
        assert night.export
        assert (night.export.rows, night.export.cells) == (whole.export.rows, whole.export.cells)
        assert night.complete == whole.complete
        assert len(night.damaged) == 2
        after = audit.run_once(context, SkippingClock())
        assert (after.held, after.missing) == (night.audit.held, night.audit.missing)


def test_what_cannot_be_made_good_is_not_complete(tmp_path: Path) -> None:
    extra = '\n[verify]\nnightly = "0s"\n'
    universe = markets.sample_universe()
    with (
        simulated(tmp_path, markets.sample(), [MINUTES_2012], universe=universe, extra=extra) as (folder, _),
        opened(folder) as context,
    ):
        nightly.run(context, SkippingClock())
        flip_first(context, "curated")
        flip_first(context, "raw")
        (bundle,) = context.layout.bundles()
        flip(bundle / "manifest.json")
    with opened(folder) as context:  # the vendors are gone
        night = nightly.run(context, SkippingClock())
        assert not night.complete
        assert night.audit.missing
        after = audit.run_once(context, SkippingClock())
        assert (after.held, after.missing) == (night.audit.held, night.audit.missing)


@pytest.mark.parametrize("name", ["qc/partition_status.parquet", "manifest.json", "SHA256SUMS", "curated"])
def test_a_bundle_that_is_damaged_is_written_again(node: Path, name: str) -> None:
    with opened(node) as context:
        (bundle,) = context.layout.bundles()
        file = next((bundle / name).rglob("*.parquet")) if name == "curated" else bundle / name
        flip(file)
        night = nightly.run(context, SkippingClock())
        assert night.export
        assert night.export.written
        assert list(bundles.wrong(bundle, deep=True)) == []
        again = nightly.run(context, SkippingClock())
        assert again.export
        assert not again.export.written
