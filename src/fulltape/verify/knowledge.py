"""What exists in the ledger only and no part can tell, written into the lake every night: emptiness, refusals, proofs,
decisions, what was captured when, the reference table.

One file, compressed: a line that says of which ledger and how new it is, then a line a table's rows. It is written anew
when something has changed, so there is only ever one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from fulltape.core.time import Instant
from fulltape.lake import compression, files
from fulltape.lake.layout import Layout
from fulltape.ledger.database import migrations
from fulltape.ledger.ledger import Ledger

TABLES = {
    # That rows are there, their parts prove.
    "coverage": "WHERE fact IN ('empty', 'refused')",
    **dict.fromkeys(
        ("acceptances", "captures", "streams", "stream_days", "intervals", "eligibility", "listings"), ""
    ),
    "memberships": "",
    "exports": "",
}
"""Tables, and which of their rows."""
_AT_ONCE = 10_000


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    node: str
    position: int
    schema: int
    at: int


class _Rows(msgspec.Struct, frozen=True, kw_only=True):
    table: str
    rows: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """How new the knowledge in the lake is: the newest position of the log of parts when it was written, and when."""

    position: int
    at: Instant


def write(ledger: Ledger, layout: Layout, now: Instant) -> bool:
    """Write what only the ledger knows, if it is not what is there already."""
    with ledger.database.snapshot():
        lines = [
            msgspec.json.encode(_Rows(table=table, rows=rows[at : at + _AT_ONCE]))
            for table, which in TABLES.items()
            for rows in [_rows(ledger, table, which)]
            for at in range(0, len(rows), _AT_ONCE)
        ]
        head = _Head(
            node=ledger.identity("node"),
            position=ledger.catalogue.position,
            schema=migrations()[-1][0],
            at=now,
        )
    before = _read(layout)
    if (
        before
        and before[1:] == lines
        and msgspec.json.decode(before[0], type=_Head).position == head.position
    ):
        return False
    files.publish_bytes(layout.knowledge, compression.pack(b"\n".join([msgspec.json.encode(head), *lines])))
    return True


def read(layout: Layout) -> Known | None:
    """How new the knowledge in the lake is; None where there is none that can be read."""
    lines = _read(layout)
    if lines is None:
        return None
    head = msgspec.json.decode(lines[0], type=_Head)
    return Known(position=head.position, at=head.at)


def restore(ledger: Ledger, layout: Layout) -> bool:
    """Let the ledger know what the lake kept of it, in place of what it knows of these things, inside a transaction; False
    where the lake keeps nothing."""
    lines = _read(layout)
    if lines is None:
        return False
    for table, which in TABLES.items():
        ledger.database.statement(f"DELETE FROM {table} {which}")
    for line in lines[1:]:
        some = msgspec.json.decode(line, type=_Rows)
        if some.table in TABLES and some.rows:
            names = list(some.rows[0])
            values = ", ".join(f":{name}" for name in names)
            ledger.database.statement_for_each(
                f"INSERT INTO {some.table} ({', '.join(names)}) VALUES ({values})", some.rows
            )
    # Parts get new numbers when they are taken up, and the tasks that asked for intervals are gone.
    ledger.database.run("forget_parts_of_captures")
    ledger.database.run("ask_intervals_again")
    newest = ledger.database.value("newest_interval") or 0
    ledger.database.run("raise_counter", name="interval", value=newest)
    return True


def _rows(ledger: Ledger, table: str, which: str) -> list[dict[str, Any]]:
    return [
        dict(row) for row in ledger.database.statement(f"SELECT * FROM {table} {which} ORDER BY 1, 2, 3, 4")
    ]


def _read(layout: Layout) -> list[bytes] | None:
    try:
        lines = compression.unpack(layout.knowledge.read_bytes()).split(b"\n")
        msgspec.json.decode(lines[0], type=_Head)
    except (FileNotFoundError, NotADirectoryError, compression.Broken, msgspec.DecodeError):
        return None
    return lines
