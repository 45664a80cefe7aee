"""Instruments in blocks of any size come to the same files and verdicts; what was learned of parts is kept and can be lost."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from clocks import SkippingClock
from fulltape.check import run as check
from fulltape.checks.findings import FACTS, CheckContext
from fulltape.context import NodeContext, drafts, profiles
from fulltape.curate import run as curate
from fulltape.export import run as export
from fulltape.lake import files, parquet
from fulltape.node import nightly
from fulltape.simulator import market as markets
from fulltape.simulator.market import Market
from fulltape.sweep import run as sweep
from fulltape.verify import run as verify
from nodes import DAYS_2012, MINUTES_2012, Wish, opened, simulated

UNIVERSE = "symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\nIBM,1915-11-11,,\nMSFT,1986-03-13,,\n"
DAYS = Wish(DAYS_2012.dataset, "2012-11-01", "2012-12-31", ("alpaca.sip",))
MINUTES = Wish(MINUTES_2012.dataset, "2012-11-01", "2012-12-31", ("alpaca.sip",))


def holed() -> Market:
    """Real days, and minutes of which one session of AAPL lacks an hour and two of IBM some minutes."""
    every = dict(markets.sample().bars)
    for symbol, lacking in (("AAPL", {10: range(60, 120)}), ("IBM", {5: range(7), 20: range(200, 260)})):
        bars = every["minute", symbol]
        sessions = sorted({bar.session for bar in bars if bar.session.isoformat() >= "2012-11-01"})
        gone = {sessions[at]: minutes for at, minutes in lacking.items()}
        first = {session: min(bar.start for bar in bars if bar.session == session) for session in gone}
        every["minute", symbol] = [
            bar
            for bar in bars
            if bar.session not in gone
            or (bar.start - first[bar.session]) // 60_000_000 not in gone[bar.session]
        ]
    return markets.market(every)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("blocks")
    with simulated(folder, holed(), [DAYS, MINUTES], universe=UNIVERSE) as (node, _), opened(node) as context:
        nightly.run(context, SkippingClock())
    return node


def anew(context: NodeContext) -> None:
    """Let everything be curated and checked again."""
    with context.ledger.write():
        for name in context.wanted:
            for stage in (curate.STAGE, check.STAGE):
                context.ledger.set_bookmark(stage, name, 0)


def said(context: NodeContext) -> tuple[list[str], list[str]]:
    """All verdicts, and digests of all that was found."""
    verdicts = [
        f"{name} {one.instrument} {one.source} {one.first} {one.last} {one.verdict} {one.codes}"
        for name in context.wanted
        for one in context.ledger.verdicts.of_dataset(name)
    ]
    facts = [
        f"{name} {part.folder} {(parquet.metadata(context.layout.root / part.path) or {})[FACTS]}"
        for name in context.wanted
        for part in context.ledger.catalogue.current("qc", name)
    ]
    return sorted(verdicts), sorted(facts)


@pytest.mark.parametrize("rows", [1, 20_000, 10**9])
def test_blocks_of_any_size_come_to_the_same(night: Path, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    with opened(night) as context:
        before = said(context)
        assert any("completeness" in verdict for verdict in before[0])
        for path in context.layout.profile_files():
            path.unlink()
        anew(context)
        monkeypatch.setattr(profiles, "BLOCK", rows)
        assert curate.run_once(context, SkippingClock()).written == 0
        assert check.run_once(context, SkippingClock()).cells > 0
        assert said(context) == before
        done = export.run_once(context, SkippingClock())
        assert done is not None
        assert not done.written


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def swap(path: Path) -> None:
    """Put what belongs to another part in its place."""
    other = next(one for one in path.parent.iterdir() if one.read_bytes() != path.read_bytes())
    path.write_bytes(other.read_bytes())


def kept(context: NodeContext) -> dict[Path, list[dict[str, Any]]]:
    """The rows of every file of profiles."""
    return {
        path: pl.read_parquet(path.read_bytes()[hashlib.sha256().digest_size :]).to_dicts()
        for path in context.layout.profile_files()
    }


@pytest.mark.parametrize("harm", [Path.unlink, cut, flip, swap], ids=["gone", "cut", "flipped", "another's"])
def test_damaged_profiles_are_made_anew(night: Path, harm: Callable[[Path], None]) -> None:
    with opened(night) as context:
        before = said(context)
        whole = kept(context)
        assert whole
        for path in whole:
            harm(path)
        told = {one.path for one in verify.run_once(context, SkippingClock()).findings}
        assert told == {context.layout.relative(path) for path in whole if path.exists()}
        anew(context)
        assert curate.run_once(context, SkippingClock()).written == 0
        check.run_once(context, SkippingClock())
        assert said(context) == before
        remade = kept(context)
        assert set(remade) == set(whole)
        for path, rows in whole.items():
            assert remade[path] == rows, path.name


def test_a_cell_in_which_nothing_traded_has_a_profile_that_says_so(tmp_path: Path) -> None:
    """Else that of an older answer would stand for it."""
    with simulated(tmp_path, holed(), [MINUTES], universe=UNIVERSE) as (node, _), opened(node) as context:
        nightly.run(context, SkippingClock())
        wanted = context.wanted[MINUTES.dataset]
        (part, *_) = context.ledger.catalogue.current("raw", MINUTES.dataset)
        rows = parquet.read([context.layout.root / part.path])
        silent = rows.with_columns(
            pl.lit(0.0).alias("volume"), pl.lit(0).cast(rows.schema["trade_count"]).alias("trade_count")
        )
        draft = drafts.write(
            context,
            wanted,
            silent,
            layer="raw",
            folder=part.folder,
            source=part.source,
            origin="fetched",
            metadata={},
        )
        (new,) = drafts.publish(context, [draft], now=SkippingClock().now())
        with context.ledger.write():
            context.ledger.catalogue.register(new, now=SkippingClock().now())
        newest = context.ledger.catalogue.by_path(new.path)
        assert newest is not None
        checking = CheckContext(
            dataset=wanted.dataset,
            calendar=wanted.calendar,
            instruments=wanted.instruments,
            now=SkippingClock().now(),
        )
        found = profiles.of_parts(context, checking, [newest], lambda some: some)
        assert found.height == rows.select("instrument", "session").unique().height
        assert found["minutes"].list.len().sum() == 0


def test_profiles_go_with_their_parts(night: Path) -> None:
    with opened(night) as context:
        kept = context.layout.profile_files()
        orphan = kept[0].with_name(f"{'0' * 32}-{kept[0].name.partition('-')[2]}")
        files.publish_bytes(orphan, b"of a part that is gone")
        told = {one.what: one.count for one in sweep.run_once(context, SkippingClock()).removals}
        assert told["profiles"] == 1
        assert context.layout.profile_files() == kept


def test_a_night_reads_only_rows_of_sessions_that_changed(
    night: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    genuine = parquet.scan

    def scan(paths: Sequence[Path], **more: Any) -> pl.LazyFrame:
        read.extend(paths)
        return genuine(paths, **more)

    with opened(night) as context:
        newest = context.ledger.catalogue.current("curated", MINUTES.dataset)[-1]
        with context.ledger.write():
            context.ledger.damages.redo(curate.STAGE, MINUTES.dataset, [newest.folder])
        monkeypatch.setattr(parquet, "scan", scan)
        curate.run_once(context, SkippingClock())
        months = {path.parent.name for path in read if "raw" in path.parts and MINUTES.dataset in path.parts}
        assert months == {"month=2012-12"}, "other months are known by their profiles"
