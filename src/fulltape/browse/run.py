"""`python -m fulltape.browse`: answers a line of questions, as the process of the pages asks them; it ends with its input."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
from polars.exceptions import PolarsError

from fulltape import errors
from fulltape.browse import cells, charts, lists
from fulltape.browse.questions import (
    BarsQuestion,
    BrowseOrder,
    BrowseRefusal,
    BundlesQuestion,
    CellQuestion,
    FindingsQuestion,
    Question,
    Reply,
)
from fulltape.clock import SystemClock
from fulltape.context import LEDGER, NodeContext, open_ledger
from fulltape.ledger.sqlite import Sqlite
from fulltape.market.time import Clock
from fulltape.node import assemble
from fulltape.reader import Reader
from fulltape.reading.node import OpenedNode
from fulltape.settings import load
from fulltape.settings.load import Loaded

_MOST_TRIES = 3


def main() -> None:
    """Reply until the input ends."""
    first = sys.stdin.buffer.readline()
    if not first:
        return
    order = msgspec.json.decode(first, type=BrowseOrder)
    loaded = load.load(Path(order.folder), asking=False, text=order.text)
    decoder = msgspec.json.Decoder(Question)
    for line in sys.stdin.buffer:
        reply = answer(loaded, SystemClock(), decoder.decode(line))
        sys.stdout.buffer.write(msgspec.json.encode(reply) + b"\n")
        sys.stdout.buffer.flush()


def answer(loaded: Loaded, clock: Clock, question: Question) -> Reply:
    """The answer to a question, or why there is none."""
    try:
        for _ in range(_MOST_TRIES):
            reply = _once(loaded, clock, question)
            if reply is not None:
                return reply
    except (errors.UsageError, errors.NodeNotFoundError) as error:
        return BrowseRefusal(text=str(error))
    except errors.FulltapeError as error:
        return BrowseRefusal(text=str(error), ours=True)
    except (PolarsError, OSError) as error:
        words = f"A file of the node cannot be read: {error}. `fulltape verify --repair` names it, and mends what can be mended."
        return BrowseRefusal(text=words, ours=True)
    return BrowseRefusal(text="The ledger was written again and again while it was read.", ours=True)


def _once(loaded: Loaded, clock: Clock, question: Question) -> Reply | None:
    """None where a writer came while the ledger was read as it lies."""
    if not loaded.ledger_url and not (loaded.folder / LEDGER).is_file():
        raise errors.NodeNotFoundError("this node holds nothing yet.")
    ledger = open_ledger(loaded.folder, loaded.ledger_url, read_only=True, untouched=True)
    try:
        context = assemble.open_context(loaded, asking=False, reading=ledger)
        reply = _of(context, Reader(OpenedNode(loaded, untouched=True)), clock, question)
        stirred = isinstance(ledger.database, Sqlite) and ledger.database.stirred
    except errors.BusyError:
        return None
    finally:
        ledger.close()
    return None if stirred else reply


def _of(context: NodeContext, reader: Reader, clock: Clock, question: Question) -> Reply:
    if isinstance(question, CellQuestion):
        return cells.answer(context, reader, clock, question)
    if isinstance(question, BarsQuestion):
        return charts.answer(context, reader, clock, question)
    if isinstance(question, FindingsQuestion):
        return lists.findings(context)
    if isinstance(question, BundlesQuestion):
        return lists.bundles(context, question)
    return lists.tasks(context, question)
