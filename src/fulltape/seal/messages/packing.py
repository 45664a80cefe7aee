"""Sealed journals of messages get another name, and are packed: they stay for days."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fulltape import errors
from fulltape.context import NodeContext
from fulltape.lake import files, journal
from fulltape.lake.layout import JOURNAL, PACKED, SEALED
from fulltape.ledger.captures import CapturedSpan


def put_away(context: NodeContext, path: Path, capture: CapturedSpan) -> None:
    """Give a journal whose rows are committed its new name, and note what it looks like; one that has it already stays."""
    if path.suffix != JOURNAL:
        return
    packed, sealed = _packed(path), path.with_suffix(SEALED)
    size, edges = journal.edges(packed)
    if (size, edges) != (capture.bytes, capture.edges):
        with context.ledger.write():
            context.ledger.captures.add(replace(capture, bytes=size, edges=edges))
    packed.rename(sealed)
    files.remove(path)
    files.sync_folder(sealed.parent)


def _packed(path: Path) -> Path:
    """The packed journal; the journal itself where not all of it can be read, or where the disk takes no more."""
    target = path.with_suffix(PACKED)
    try:
        journal.pack(path, target)
    except errors.StorageError:
        return path
    return target
