"""Zip archives in memory: the bytes of a page are an archive where a vendor publishes files."""

from __future__ import annotations

import io
import zipfile
import zlib

_LARGEST = 4_000_000_000
"""No vendor publishes a file that unpacks to more; a bomb would."""


def is_archive(body: bytes) -> bool:
    """Whether the bytes begin as a zip archive does."""
    return body.startswith(b"PK\x03\x04")


def only_file(body: bytes) -> bytes:
    """The one file of a zip archive; `ValueError` for anything else, damaged ones included."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            (member,) = archive.infolist()
            if member.file_size > _LARGEST:
                raise ValueError(f"it unpacks to {member.file_size} bytes")
            with archive.open(member) as file:
                content = file.read(_LARGEST + 1)  # what it says of its size need not be true
            if len(content) != member.file_size:
                raise ValueError(f"it has {len(content)} bytes and says {member.file_size}")
            return content
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise ValueError(f"no archive of one file: {error}") from error
