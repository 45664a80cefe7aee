"""Provisional bars are the same however much of a journal is read together."""

from __future__ import annotations

from pathlib import Path

import pytest
from living import BINANCE, living

from fulltape.live import run as following
from fulltape.live.plan import GRAINS
from fulltape.live.run import Follower
from fulltape.seal.messages import decode


def test_a_day_that_waits_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with living(tmp_path, BINANCE) as node:
        with node.capturing():
            node.until(node.ticks(60))
            node.break_all()
            node.until(node.ticks(60))
            node.stream.pause()
        with node.opened() as context:
            known = decode.known(context, BINANCE.source)

            def read(at_once: int) -> tuple[Follower, list[int]]:
                monkeypatch.setattr(following, "_AT_ONCE", at_once)
                follower = Follower(
                    context, BINANCE.source, known.meaning, known.control, writer=context.capture_writer,
                    now=node.clock.now(),
                )  # fmt: skip
                told: list[int] = []
                follower.subscribe(lambda bars: told.append(len(bars)))
                follower.poll()
                assert follower.poll() == []
                return follower, told

            together, once = read(10**9)
            apart, often = read(1)
    assert len(once) == 1 < len(often)
    assert together.messages == apart.messages > 0
    assert together.bookmark == apart.bookmark
    for symbol in BINANCE.symbols:
        for grain in GRAINS:
            one, other = together.bars.newest(symbol, grain), apart.bars.newest(symbol, grain)
            assert one is not None
            assert other is not None
            for name in ("start", "open", "high", "low", "close", "trades", "first", "last", "over"):
                assert getattr(one, name) == getattr(other, name)
            assert one.volume == pytest.approx(other.volume)
