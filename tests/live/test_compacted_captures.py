"""Captured parts become one when their journals have gone; until then each can be decoded anew."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from living import Later, Living, Venue, living

import fulltape
from fulltape.compact import run as compact
from fulltape.curate import run as curate
from fulltape.lake import files
from fulltape.market.time import DAY
from fulltape.node import assemble, repair
from fulltape.seal import run as seal
from fulltape.settings import load
from fulltape.sweep import run as sweep
from fulltape.verify import run as verify

QUOTES = Venue("binance", "binance.spot", "crypto_quotes", ("BTC/USDT", "ETH/USDT"), grain=1_000)


def captured(node: Living, times: int) -> None:
    """Capture for a moment, and seal, several times."""
    for _ in range(times):
        before = node.stream.sent
        with node.capturing():
            node.until(node.all_live)
            node.until(lambda before=before: node.stream.sent > before + 60)  # type: ignore[misc]
        node.seal()


def test_captured_parts_become_one_with_the_same_rows(tmp_path: Path) -> None:
    with living(tmp_path, QUOTES, extra='keep_messages = "3d"\n') as node:
        captured(node, 3)
        node.stream.pause()
        clock = Later(DAY + DAY // 12)
        with node.opened() as context:
            seal.run_once(context, clock)
            curate.run_once(context, clock)
            assert compact.run_once(context, clock).folders == 0, "their journals are there"
        rows = fulltape.open(node.folder).scan(QUOTES.dataset).collect()
        clock.by += 4 * DAY
        with node.opened() as context:
            seal.run_once(context, clock)
            assert not node.journals()
            small = [
                part for part in context.ledger.catalogue.all_current("raw") if part.origin == "captured"
            ]
            assert compact.run_once(context, clock).parts == len(small) == 3
            (one,) = context.ledger.catalogue.all_current("raw")
            assert (one.origin, one.merged, one.rows) == ("captured", 3, sum(part.rows for part in small))
            assert anew(node, clock).equals(rows)
            clock.by += 2 * DAY
            sweep.run_once(context, clock)
            assert len(files.tree(context.layout.root / "raw")) == 1
            assert verify.run_once(context, clock, deep=True).findings == ()
        for path in node.folder.glob("ledger.db*"):
            path.unlink()
        context = assemble.open_context(load.load(node.folder), owning=False)
        assert repair.rebuild(context, clock.now()).taken.left == ()
        context.close()
        assert anew(node, clock).equals(rows)


def anew(node: Living, clock: Later) -> pl.DataFrame:
    """What curating everything once more comes to."""
    with node.opened() as context:
        with context.ledger.write():
            context.ledger.set_bookmark(curate.STAGE, QUOTES.dataset, 0)
        curate.run_once(context, clock)
    return fulltape.open(node.folder).scan(QUOTES.dataset).collect()
