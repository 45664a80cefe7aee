"""Whose lake it is. A ledger that is new, older than the lake, or another node's must not work on it.

Such a ledger would take files for leftovers that it merely does not know, and would say that data is missing which is
there.
"""

from __future__ import annotations

import uuid
from pathlib import Path

from fulltape import errors
from fulltape.lake import owner
from fulltape.lake.layout import Layout
from fulltape.lake.owner import LakeOwner
from fulltape.ledger import backup
from fulltape.ledger.ledger import Ledger
from fulltape.market.time import Instant

_NODE = "node"


def check(ledger: Ledger, layout: Layout, *, emptied: bool = False) -> None:
    """Raise where ledger and lake do not belong together: `ForeignLakeError`, or `LedgerBehindError` with the command that
    helps. With `emptied` a lake that is gone is taken as it is."""
    mark, own = owner.read(layout), ledger.identity(_NODE)
    if mark is None:
        _without_mark(ledger, layout, own, emptied=emptied)
    elif not own:
        raise _lost(layout)
    elif mark.node != own:
        raise _foreign(layout, mark)
    elif mark.position > ledger.catalogue.position:
        raise errors.LedgerBehindError(
            f"the ledger {ledger.database.where} is older than the lake {layout.root.resolve()}: it ends at part "
            f"{ledger.catalogue.position:,} of {mark.position:,}.",
            hint="`fulltape ledger rebuild` takes up what the lake has beyond it.",
        )


def claim(ledger: Ledger, layout: Layout) -> None:
    """`check`, and let a new lake and a new ledger name the same node."""
    check(ledger, layout)
    own = ledger.identity(_NODE)
    if not own:
        own = uuid.uuid4().hex
        with ledger.write():
            ledger.set_identity(_NODE, own)
    if owner.read(layout) is None:
        owner.write(layout, LakeOwner(node=own, position=ledger.catalogue.position))


def still(ledger: Ledger, layout: Layout) -> None:
    """Raise where a ledger that owned the lake was replaced meanwhile: a process that waits for a stage looks again."""
    mark, own = owner.read(layout), ledger.identity(_NODE)
    if mark and own and (mark.node != own or mark.position > ledger.catalogue.position):
        check(ledger, layout)


def begin(ledger: Ledger, layout: Layout) -> None:
    """A ledger that is going to learn the lake is of its node from now on, but behind it until `adopt`."""
    mark = owner.read(layout)
    if mark and ledger.identity(_NODE) != mark.node:
        with ledger.write():
            ledger.set_identity(_NODE, mark.node)


def refuse_copy(path: Path, layout: Layout) -> None:
    """Raise `ForeignLakeError` where a copy of a ledger is another node's than the lake."""
    mark, its = owner.read(layout), backup.identity(path, _NODE)
    if mark and its and its != mark.node:
        raise errors.ForeignLakeError(
            f"{path} is a copy of another node's ledger ({its[:8]}) than that of the lake {layout.root.resolve()} "
            f"({mark.node[:8]}).",
            hint="Nothing was changed. This node's copies are in its folder backups/.",
        )


def adopt(ledger: Ledger, layout: Layout, now: Instant) -> None:
    """The ledger knows the lake now: both name one node, and no position of the lake is given a second time. What it knew before
    this moment cannot be asked for any more."""
    mark = owner.read(layout) or LakeOwner(node=ledger.identity(_NODE) or uuid.uuid4().hex)
    with ledger.write():
        ledger.set_identity(_NODE, mark.node)
        ledger.catalogue.raise_position(mark.position)
        ledger.changes.restart(now)
    owner.write(layout, LakeOwner(node=mark.node, position=ledger.catalogue.position))


def note(ledger: Ledger, layout: Layout) -> None:
    """Let the lake know how far its ledger has come."""
    mark = owner.read(layout)
    own = ledger.identity(_NODE)
    if own and (mark is None or (mark.node == own and mark.position < ledger.catalogue.position)):
        owner.write(layout, LakeOwner(node=own, position=ledger.catalogue.position))


def refuse_another(ledger: Ledger, layout: Layout) -> None:
    """Raise `ForeignLakeError` where the lake is another node's than the ledger."""
    mark, own = owner.read(layout), ledger.identity(_NODE)
    if mark and own and mark.node != own:
        raise _foreign(layout, mark)


def _without_mark(ledger: Ledger, layout: Layout, own: str, *, emptied: bool) -> None:
    """A lake of an earlier version, a new one, or one whose mark is gone."""
    if ledger.knows_anything:
        known = ledger.catalogue.paths()
        if own and any(known.values()) and not layout.holds_data and not emptied:
            raise errors.StorageError(
                f"the lake {layout.root.resolve()} is empty, and the ledger knows {sum(known.values()):,} files in it.",
                hint="Is its disk mounted? Look at [node] lake. If it is gone for good: `fulltape verify --repair`.",
            )
    elif layout.holds_data:
        raise _lost(layout)


def _foreign(layout: Layout, mark: LakeOwner) -> errors.ForeignLakeError:
    return errors.ForeignLakeError(
        f"the lake {layout.root.resolve()} belongs to another node ({mark.node[:8]}).",
        hint="Give this node a lake of its own: [node] lake. If this ledger is a wrong one, put the right one in its place.",
    )


def _lost(layout: Layout) -> errors.LedgerBehindError:
    return errors.LedgerBehindError(
        f"this node's ledger is new, or does not know the lake {layout.root.resolve()}, which holds data: the ledger is lost, or "
        "elsewhere.",
        hint="`fulltape ledger restore backups/…` brings it back; without a backup, `fulltape ledger rebuild` makes one "
        "out of the lake.",
    )
