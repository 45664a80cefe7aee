"""Sealing a journal of live trades, beside bare libraries that decode, sort and write the same."""

from __future__ import annotations

import gc
import shutil
import time
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq

from benchmarks.live import flood
from benchmarks.live.clients import Message
from fulltape.clock import SystemClock
from fulltape.context import NodeContext
from fulltape.contract.events import ConnectionEvent
from fulltape.contract.streams import Channel
from fulltape.lake import messages
from fulltape.lake.journal import Journal, RecordKind
from fulltape.market.time import to_datetime
from fulltape.node import assemble
from fulltape.seal import run as seal
from fulltape.settings import load

_BLOCK = 1_400
_DAY = to_datetime(flood.AT * 1_000).date()


def trades(count: int) -> list[bytes]:
    """Trades of fifty symbols in the order of their time; ids follow each other for each symbol."""
    return [flood.message(at, own=at // flood.SYMBOLS) for at in range(count)]


def node(folder: Path) -> NodeContext:
    """A node that captures them."""
    folder.mkdir(parents=True)
    names = ", ".join(f'"{flood.wire(at)[:-4]}/USDT"' for at in range(flood.SYMBOLS))
    (folder / "fulltape.toml").write_text(
        f'[universe.live]\nsymbols = [{names}]\n[dataset.crypto_aggtrades]\nuniverse = "live"\n'
        f'sources = ["binance.spot"]\nlive = ["binance.spot"]\nfrom = {_DAY}\n[vendor.binance]\n'
    )
    return assemble.open_context(load.load(folder))


def journalled(context: NodeContext, found: Sequence[bytes]) -> Path:
    """The messages as capture writes them."""
    written = Journal(context.layout, writer="node.capture", source="binance.spot", clock=SystemClock())
    channels = tuple(
        Channel(
            name=f"{flood.wire(at).lower()}@aggTrade",
            dataset="crypto_aggtrades",
            symbol=f"{flood.wire(at)[:-4]}/USDT",
            wire=flood.wire(at),
            detail="trades",
        )
        for at in range(flood.SYMBOLS)
    )
    began = flood.AT * 1_000_000
    live = {7: tuple(channel.name for channel in channels)}
    opened = ConnectionEvent(what="opened", at=began, carried=channels, live=live)
    written.append(RecordKind.MARK, messages.encode_event(opened))
    for number, at in enumerate(range(0, len(found), _BLOCK), start=1):
        some = found[at : at + _BLOCK]
        received = array("q", range(began + at * 1_000_000, began + (at + len(some)) * 1_000_000, 1_000_000))
        written.append(RecordKind.MESSAGES, *messages.encode_block(messages.block(7, number, some, received)))
    end = began + len(found) * 1_000_000
    written.append(
        RecordKind.MARK, messages.encode_event(ConnectionEvent(what="closed", at=end, connection=7))
    )
    written.close()
    return written.path


def ours(found: Sequence[bytes], folder: Path) -> tuple[float, Path]:
    """Seconds from the closed journal to sealed parts, and the part."""
    context = node(folder)
    journalled(context, found)
    gc.collect()
    began = time.perf_counter()
    report = seal.run_once(context, SystemClock())
    took = time.perf_counter() - began
    assert report.captured.rows == len(found), report
    (part,) = context.ledger.catalogue.all_current("raw")
    path = context.layout.root / part.path
    context.close()
    return took, path


_COLUMNS = {
    "s": "symbol",
    "T": "ts",
    "p": "price",
    "q": "size",
    "m": "maker",
    "a": "trade_id",
    "f": "first",
    "l": "last",
}


def _written(frame: pl.DataFrame, path: Path) -> None:
    frame.sort("symbol", "ts", maintain_order=True).write_parquet(path)


def _typed(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(pl.col(old).alias(new) for old, new in _COLUMNS.items()).with_columns(
        pl.col("price", "size").cast(pl.Float64), pl.col("ts").cast(pl.Datetime("ms", "UTC"))
    )


def by_polars(text: Path, out: Path) -> None:
    """polars alone."""
    schema: dict[str, Any] = {
        "data": pl.Struct(
            {"s": pl.String, "T": pl.Int64, "p": pl.String, "q": pl.String, "m": pl.Boolean, "a": pl.Int64,
             "f": pl.Int64, "l": pl.Int64}
        )
    }  # fmt: skip
    _written(_typed(pl.read_ndjson(text.read_bytes(), schema=schema).unnest("data")), out)


def by_msgspec(text: Path, out: Path) -> None:
    """msgspec's structs, columns out of them, and polars from there."""
    decode = msgspec.json.Decoder(Message).decode
    rows = [decode(line).data for line in text.read_bytes().splitlines()]
    columns = {name: [getattr(row, name) for row in rows] for name in _COLUMNS}
    _written(_typed(pl.DataFrame(columns)), out)


def by_pyarrow(text: Path, out: Path) -> None:
    """pyarrow reads, polars sorts and writes."""
    inner = [("s", pa.string()), ("T", pa.int64()), ("p", pa.string()), ("q", pa.string()), ("m", pa.bool_()),
             ("a", pa.int64()), ("f", pa.int64()), ("l", pa.int64())]  # fmt: skip
    wanted = pa.schema([("data", pa.struct(inner))])
    options = pj.ParseOptions(explicit_schema=wanted, unexpected_field_behavior="ignore")
    table = pj.read_json(text, parse_options=options, read_options=pj.ReadOptions(block_size=16 << 20))
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    _written(_typed(frame.unnest("data")), out)


BARE: dict[str, Callable[[Path, Path], None]] = {
    "polars": by_polars,
    "msgspec": by_msgspec,
    "pyarrow": by_pyarrow,
}


def timed(count: int, folder: Path, rounds: int) -> tuple[dict[str, float], float, float]:
    """The best seconds of each, taken in turns; bytes of our part; bytes of the same rows by pyarrow's defaults."""
    found = trades(count)
    text = folder / "messages.ndjson"
    text.write_bytes(b"\n".join(found))
    best = dict.fromkeys(("fulltape", *BARE), float("inf"))
    size = plain = 0.0
    for at in range(rounds):
        took, part = ours(found, folder / f"node{at}")
        best["fulltape"] = min(best["fulltape"], took)
        for name, bare in BARE.items():
            gc.collect()
            began = time.perf_counter()
            bare(text, folder / "bare.parquet")
            best[name] = min(best[name], time.perf_counter() - began)
        size = part.stat().st_size
        pq.write_table(pq.read_table(part), folder / "plain.parquet")
        plain = (folder / "plain.parquet").stat().st_size
        shutil.rmtree(folder / f"node{at}")
    return best, size, plain
