"""Bytes that could not be taken as data: kept under rejected/, each with its reasons beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from fulltape.contract.vendor import Rejected
from fulltape.lake import files
from fulltape.lake.fetches import StoredPage
from fulltape.lake.journal import JournalDamage
from fulltape.lake.layout import Layout
from fulltape.ledger.ledger import Rejection


class SetAside:
    """Copies bytes and remembers what the ledger shall count."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.rejections: list[Rejection] = []

    def page(self, fetch_id: str, source: str, page: StoredPage, rejected: Rejected) -> None:
        """A page of which something was rejected."""
        entry = {
            "reason": rejected.reason,
            "symbol": rejected.symbol,
            "session": rejected.session.isoformat() if rejected.session else None,
            "rows": rejected.rows,
        }
        self._keep(source, fetch_id, page.record.number, page.body, entry, rejected.rows)

    def damage(self, path: Path, damage: JournalDamage) -> None:
        """A stretch of a journal that no checksum vouches for."""
        content = path.read_bytes()[damage.offset : damage.offset + damage.length]
        entry = {"reason": "torn end of a journal" if damage.torn else "damaged journal"}
        self._keep("journal", path.stem.lower(), damage.offset, content, entry, 0)

    def messages(self, source: str, file: str, messages: Sequence[bytes], reason: str) -> None:
        """Live messages of which no rows could be made, one a line."""
        if messages:
            entry = {"reason": reason, "messages": len(messages)}
            self._keep(source, file.lower(), 0, b"\n".join(messages) + b"\n", entry, len(messages))

    def rows(self, source: str, origin: str, number: int, content: bytes, rejected: Rejected) -> None:
        """Rows of a file that was taken in, as CSV."""
        entry = {
            "reason": rejected.reason,
            "symbol": rejected.symbol,
            "session": rejected.session.isoformat() if rejected.session else None,
            "rows": rejected.rows,
        }
        self._keep(source, origin, number, content, entry, rejected.rows)

    def _keep(
        self, source: str, origin: str, number: int, content: bytes, entry: Mapping[str, object], rows: int
    ) -> None:
        path = self._layout.rejected(source, origin, number, hashlib.sha256(content).hexdigest())
        files.publish_bytes(path, content)
        reasons = path.with_suffix(".json")
        known = msgspec.json.decode(reasons.read_bytes()) if reasons.exists() else []
        if entry not in known:
            files.publish_bytes(reasons, msgspec.json.format(msgspec.json.encode([*known, entry])))
        self.rejections.append(
            Rejection(
                fetch_id=origin,
                page=number,
                source=source,
                reason=str(entry["reason"]),
                rows=rows,
                path=self._layout.relative(path),
            )
        )
