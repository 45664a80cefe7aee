"""What of a node's files lies elsewhere too, proved: it was read back from there, and its digest was right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fulltape.ledger.database import Database
from fulltape.market.time import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFile:
    """A file as it was sent: `path` as the index of the place has it, `key` of the object there, and when the file here was changed
    last (`modified`, nanoseconds UTC), so that it is known without reading it whether it is still the same. `indexed`: whether the
    index of the place has it; until then it is no copy that can be found."""

    path: str
    key: str
    bytes: int
    sha256: str
    modified: int
    proved_at: Instant
    indexed: bool = False


class SentFiles:
    """Files by the place that they were sent to, as the settings write it. Writing methods run inside `Database.write`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def at(self, target: str) -> dict[str, SentFile]:
        """What lies at a place, by path."""
        return {
            row["file_path"]: SentFile(
                path=row["file_path"],
                key=row["object_key"],
                bytes=row["byte_count"],
                sha256=row["sha256"],
                modified=row["modified_ns"],
                proved_at=row["proved_at"],
                indexed=bool(row["indexed"]),
            )
            for row in self._database.run("sent_files", target=target)
        }

    def places(self, path: str, *, size: int, sha256: str = "", modified: int = 0) -> set[str]:
        """At which places an index has a file with this length, and with this digest or as it was changed last."""
        return {
            row["target"]
            for row in self._database.run("sent_copies", file_path=path)
            if row["byte_count"] == size
            and (row["sha256"] == sha256 if sha256 else row["modified_ns"] == modified)
        }

    def note(self, target: str, many: Iterable[SentFile]) -> None:
        """Files lie at a place, and were read back."""
        self._database.run_many(
            "note_sent_file",
            [
                {
                    "target": target,
                    "file_path": file.path,
                    "object_key": file.key,
                    "byte_count": file.bytes,
                    "sha256": file.sha256,
                    "modified_ns": file.modified,
                    "proved_at": file.proved_at,
                    "indexed": int(file.indexed),
                }
                for file in many
            ],
        )

    def doubt(self, target: str) -> None:
        """A place is not what it was: nothing there counts as a copy before an index has it again."""
        self._database.run("doubt_sent_files", target=target)

    def forget(self, target: str, paths: Iterable[str]) -> None:
        """Files lie at a place no more, or the node has them no more."""
        self._database.run_many("forget_sent_file", [{"target": target, "file_path": path} for path in paths])
