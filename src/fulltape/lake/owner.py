"""The lake's own word on whose it is: `node.json` names the node, and how far its ledger had come."""

from __future__ import annotations

import msgspec

from fulltape.lake.layout import Layout
from fulltape.lake.objects import LocalObjects


class LakeOwner(msgspec.Struct, frozen=True, kw_only=True):
    """The node that a lake belongs to, and the newest position of the log of parts that its ledger had when a stage
    ended."""

    node: str
    position: int = 0


def read(layout: Layout) -> LakeOwner | None:
    """The mark; None where there is none that can be read."""
    try:
        return msgspec.json.decode(layout.mark.read_bytes(), type=LakeOwner)
    except (OSError, msgspec.DecodeError):
        return None


def write(layout: Layout, mark: LakeOwner) -> None:
    """Write the mark durably."""
    objects = LocalObjects(layout.root)
    objects.write(layout.relative(layout.mark), msgspec.json.encode(mark) + b"\n")
