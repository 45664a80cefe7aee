"""Whether a file lies at every place that the settings send it to: what nothing has proved there is not removed here."""

from __future__ import annotations

from pathlib import Path

from fulltape.context import NodeContext
from fulltape.ledger.part import Part
from fulltape.remote.index import LAKE, sends


def part(context: NodeContext, part: Part) -> bool:
    """Of a file of the catalogue."""
    return _everywhere(context, f"{LAKE}{part.path}", size=part.bytes, sha256=part.sha256)


def file(context: NodeContext, path: Path) -> bool:
    """Of another file of the lake; one that is not there needs no proof."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return True
    name = f"{LAKE}{context.layout.relative(path)}"
    return _everywhere(context, name, size=state.st_size, modified=state.st_mtime_ns)


def _everywhere(context: NodeContext, path: str, *, size: int, sha256: str = "", modified: int = 0) -> bool:
    rules = context.rules.sync
    if not rules.targets or not sends(path, rules.include, rules.exclude):
        return True
    proved = context.ledger.sent.places(path, size=size, sha256=sha256, modified=modified)
    return proved >= set(rules.targets)
