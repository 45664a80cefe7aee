"""SHA256SUMS, as a bundle has it."""

from __future__ import annotations

import re
from collections.abc import Mapping

SUMS = "SHA256SUMS"
"""The file's name."""
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def parsed(text: str) -> Mapping[str, str] | None:
    """Digests by path, as SHA256SUMS lists them; None where that is damaged."""
    digests: dict[str, str] = {}
    for line in text.splitlines():
        entry = _LINE.fullmatch(line)
        if entry is None or entry[2] in digests:
            return None
        digests[entry[2]] = entry[1]
    return digests if digests and text.endswith("\n") else None
