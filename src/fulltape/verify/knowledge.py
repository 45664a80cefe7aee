"""What exists in the ledger only and no part can tell, written into the lake every night: emptiness, refusals, proofs,
decisions, repairs, restatements, what was captured when, the reference table.

One file, compressed: a line that says of which ledger and how new it is, then a line a table's rows. It is written anew
when something has changed, so there is only ever one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec

from fulltape import errors
from fulltape.coverage.facts import CoverageFact
from fulltape.lake import compression, owner
from fulltape.lake.layout import Layout
from fulltape.lake.objects import LocalObjects
from fulltape.ledger.database import migrations
from fulltape.ledger.ledger import Ledger
from fulltape.ledger.rows import fact_of
from fulltape.market.time import Instant

TABLES = {
    # That rows are there, their parts prove; but not that their source has contradicted them since.
    "coverage": "WHERE fact IN ('empty', 'refused') OR (fact = 'present' AND reason <> '')",
    **dict.fromkeys(
        (
            "acceptances",
            "repairs",
            "restatements",
            "rechecks",
            "captures",
            "streams",
            "stream_days",
            "stream_months",
            "intervals",
            "eligibility",
            "listings",
            "consumers",
        ),
        "",
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
    digest: str = ""
    """Of all that follows."""


class _Rows(msgspec.Struct, frozen=True, kw_only=True):
    table: str
    rows: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeAge:
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
    body = b"\n".join(lines)
    before = _read(layout, head.node)
    if before and before[1] == lines and before[0].position == head.position:
        return False
    head = msgspec.structs.replace(head, digest=hashlib.sha256(body).hexdigest())
    content = compression.pack(msgspec.json.encode(head) + b"\n" + body)
    LocalObjects(layout.root).write(layout.relative(layout.knowledge), content)
    return True


def read(ledger: Ledger, layout: Layout) -> KnowledgeAge | None:
    """How new the knowledge in the lake is; None where there is none that can be read, or another node's."""
    kept = _read(layout, _node(ledger, layout))
    return KnowledgeAge(position=kept[0].position, at=kept[0].at) if kept else None


def restore(ledger: Ledger, layout: Layout) -> list[CoverageFact]:
    """Let the ledger know what the lake kept of it, in place of what it knows of these things, inside a transaction.

    Returns facts about rows that their source has contradicted: they are laid once the parts are taken up.
    """
    kept = _read(layout, _node(ledger, layout))
    contradicted: list[CoverageFact] = []
    for table in TABLES if kept else ():
        if table != "coverage":
            ledger.database.statement(f"DELETE FROM {table}")
    for line in kept[1] if kept else ():
        some = msgspec.json.decode(line, type=_Rows)
        if some.table == "stream_days":
            some = msgspec.structs.replace(some, rows=[_without_magic(row) for row in some.rows])
        if some.table == "coverage":
            contradicted += _lay(ledger, some.rows)
        elif some.table in TABLES and some.rows:
            _insert(ledger, some)
    # Parts get new numbers when they are taken up, and the tasks that asked for intervals are gone.
    ledger.database.run("forget_parts_of_captures")
    ledger.database.run("ask_intervals_again")
    for counter, newest in (
        ("interval", "newest_interval"),
        ("acceptance", "newest_acceptance"),
        ("repair", "newest_repair"),
    ):
        ledger.database.run("raise_counter", name=counter, value=ledger.database.value(newest) or 0)
    return contradicted


def _lay(ledger: Ledger, rows: list[dict[str, Any]]) -> list[CoverageFact]:
    """Silence and refusals in place of whatever was known of their sessions; returns the other facts."""
    facts = [fact_of(row) for row in rows]
    silent = [fact for fact in facts if fact.fact != "present"]
    for silence in silent:
        ledger.coverage.forget(
            silence.dataset, silence.instrument, silence.source, silence.first, silence.last
        )
    ledger.coverage.put(silent)
    return [fact for fact in facts if fact.fact == "present"]


def _insert(ledger: Ledger, some: _Rows) -> None:
    if some.rows:
        names = list(some.rows[0])
        values = ", ".join(f":{name}" for name in names)
        ledger.database.statement_for_each(
            f"INSERT INTO {some.table} ({', '.join(names)}) VALUES ({values})", some.rows
        )


def _without_magic(row: dict[str, Any]) -> dict[str, Any]:
    """A captured session as the present schema has it: before 20 one without a history had missed -1 rows."""
    return {"no_history": int(row["missed"] < 0), **row, "missed": max(0, row["missed"])}


def _node(ledger: Ledger, layout: Layout) -> str:
    """Whose knowledge may be read: the lake's node's."""
    lake_owner = owner.read(layout)
    return lake_owner.node if lake_owner else ledger.identity("node")


def _rows(ledger: Ledger, table: str, which: str) -> list[dict[str, Any]]:
    return [
        dict(row) for row in ledger.database.statement(f"SELECT * FROM {table} {which} ORDER BY 1, 2, 3, 4")
    ]


def _read(layout: Layout, node: str) -> tuple[_Head, list[bytes]] | None:
    """The head and the lines of the file; None where it is not as it was written, of another node, or of a newer schema."""
    try:
        with LocalObjects(layout.root).open(layout.relative(layout.knowledge)) as file:
            first, _, body = compression.unpack(file.read()).partition(b"\n")
        head = msgspec.json.decode(first, type=_Head)
    except (OSError, errors.StorageError, compression.Broken, msgspec.DecodeError):
        return None
    sound = head.digest == hashlib.sha256(body).hexdigest()
    if not sound or head.schema > migrations()[-1][0] or (node and head.node != node):
        return None
    return head, body.split(b"\n") if body else []
