"""Reading a source's journals of messages behind their writer: in the order in which they were written, from a bookmark on.

A file that was sealed meanwhile has another ending and the same records. Nothing is read twice, and nothing is left out,
as long as the files are there; who must not miss any is a registered consumer (`context/consumers.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fulltape.lake import journal
from fulltape.lake.journal import Record
from fulltape.lake.layout import SEALED, Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """How far the journals of a source were read: a file's name without its ending, and the offset of the next record in it.
    Without a name: from the oldest file that is there."""

    file: str = ""
    offset: int = 0


def read(layout: Layout, writer: str, source: str, bookmark: Bookmark) -> Iterator[tuple[Record, Bookmark]]:
    """The records behind a bookmark, each with the bookmark behind it. It ends where nothing whole is there yet: call it
    again with the last one. `StorageError` where a file cannot be read."""
    for path in layout.stream_files(writer, source, since=bookmark.file):
        try:
            yield from _of(path, bookmark)
        except FileNotFoundError:
            # It was sealed since it was listed, or nothing needs it any more.
            sealed = path.with_suffix(SEALED)
            if sealed.is_file():
                yield from _of(sealed, bookmark)


def passed(path: Path, bookmark: Bookmark) -> bool:
    """Whether everything in a file lies before a bookmark."""
    if path.stem != bookmark.file:
        return path.stem < bookmark.file
    return next(_of(path, bookmark), None) is None


def _of(path: Path, bookmark: Bookmark) -> Iterator[tuple[Record, Bookmark]]:
    start = bookmark.offset if path.stem == bookmark.file else 0
    for record, after in journal.follow(path, start):
        yield record, Bookmark(file=path.stem, offset=after)
