"""Zip files as vendors publish them."""

from __future__ import annotations

import io
import zipfile


def of_one(name: str, content: bytes) -> bytes:
    """An archive of one file; the same content gives the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), content)
    return buffer.getvalue()
