"""Journals of messages, written by hand as a capture process writes them; no socket is needed to seal them."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from clocks import FakeClock
from fulltape.context import NodeContext, calendar
from fulltape.contract.events import ConnectionEvent
from fulltape.contract.vendor import CompleteThrough, FetchRequest, Outcome
from fulltape.decoding.captured import LIVE
from fulltape.lake import fetches, messages
from fulltape.lake.fetches import EndRecord, FetchRecord, PageRecord
from fulltape.lake.journal import Journal, RecordKind
from fulltape.market import datasets
from fulltape.market.time import DAY, SECOND, Instant, to_datetime
from fulltape.seal.messages import decode
from nodes import opened

BEGIN = 1_800_000_000 * SECOND
"""When journals begin: a Friday, the 15th of January 2027, 08:00 UTC."""
Received = tuple[float, Sequence[bytes]]
"""The second after that at which messages came together, and they."""


def moment(second: float) -> Instant:
    """UTC microseconds."""
    return BEGIN + int(second * SECOND)


def mark(what: Any, second: float, *, since: float | None = None, **more: Any) -> ConnectionEvent:
    """What happened to the connection at a second after the beginning."""
    return ConnectionEvent(
        what=what,
        at=moment(second) * 1_000,
        since=0 if since is None else moment(since) * 1_000,
        connection=LIVE,
        **more,
    )


def trades(second: float, *ids: int, price: str = "100.00") -> Received:
    """Binance's trades of BTC/USDT with these ids."""
    stamp = moment(second) // 1_000
    return second, [
        b'{"stream":"btcusdt@trade","data":{"e":"trade","E":%d,"s":"BTCUSDT","t":%d,"p":"%s","q":"1.0","T":%d,"m":true,"M":true}}'
        % (stamp, number, price.encode(), stamp)
        for number in ids
    ]


def journal_of(context: NodeContext, source: str, *items: ConnectionEvent | Received) -> Path:
    """A closed journal of a source that carries the channels which the settings name."""
    channels = tuple(decode.known(context, source).channels.values())
    writer = Journal(context.layout, writer="node.capture", source=source, clock=FakeClock(BEGIN))
    for number, item in enumerate((mark("opened", 0, carried=channels), *items)):
        if isinstance(item, ConnectionEvent):
            writer.append(RecordKind.MARK, messages.encode_event(item))
        else:
            second, texts = item
            stamps = array("q", [moment(second) * 1_000] * len(texts))
            writer.append(
                RecordKind.MESSAGES, *messages.encode_block(messages.block(LIVE, number, texts, stamps))
            )
    writer.close()
    return writer.path


def answer(
    context: NodeContext,
    source: str,
    dataset: str,
    symbol: str,
    body: object,
    *,
    narrow: tuple[float, float] | None = None,
    tasks: dict[int, int] | None = None,
    days: int = 1,
) -> Path:
    """A closed journal of what a source has answered about the session, and `days` in all, or about some seconds of it."""
    first = to_datetime(BEGIN).date()
    last = first + dt.timedelta(days=days - 1)
    rule = calendar(datasets.get(dataset).calendar).day_rule
    name = f"{dataset}.{source}.{symbol}".lower()
    whole = rule.begin(first), rule.begin(last + dt.timedelta(days=1))
    start, end = map(moment, narrow) if narrow else whole
    fetch = FetchRequest(
        source=source, dataset=dataset, symbols=(symbol,), first=first, last=last, start=start, end=end,
        known=frozenset([symbol]), narrow=narrow is not None,
    )  # fmt: skip
    record = FetchRecord(
        fetch_id=name, fetch=fetch, tasks=tasks or {}, instruments={symbol: symbol}, started_at=whole[1]
    )
    page = PageRecord(
        fetch_id=name, number=1, status=200, outcome=Outcome.ROWS, cursor=None,
        complete_through=(CompleteThrough(symbol=symbol, through=last),),
    )  # fmt: skip
    over = EndRecord(fetch_id=name, outcome=Outcome.ROWS, ended_at=whole[1] + DAY)
    writer = Journal(context.layout, writer="node", source=source, clock=FakeClock(BEGIN + 2 * DAY))
    writer.append(RecordKind.FETCH, fetches.encode_fetch(record))
    writer.append(RecordKind.PAGE, fetches.encode_page(page, json.dumps(body).encode()))
    writer.append(RecordKind.END, fetches.encode_end(over))
    writer.close()
    return writer.path


@contextlib.contextmanager
def node(tmp_path: Path, source: str, dataset: str, *symbols: str, extra: str = "") -> Iterator[NodeContext]:
    """A node that captures a dataset's symbols from a source, and would ask it for their history."""
    folder = tmp_path / "node"
    folder.mkdir()
    vendor = source.partition(".")[0]
    secrets = 'key = "K"\nsecret = "S"\n' if vendor == "alpaca" else ""
    (folder / "fulltape.toml").write_text(
        f'[universe.live]\nsymbols = {list(symbols)}\n[dataset.{dataset}]\nuniverse = "live"\nsources = ["{source}"]\n'
        f'live = ["{source}"]\nfrom = 2027-01-15\n[vendor.{vendor}]\n{secrets}base_url = "http://127.0.0.1:9"\n{extra}'
    )
    with opened(folder) as context:
        yield context
