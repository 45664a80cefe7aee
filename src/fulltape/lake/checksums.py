"""SHA256SUMS, as a bundle has it."""

from __future__ import annotations

import re
from collections.abc import Mapping

_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def parsed(text: str) -> Mapping[str, str] | None:
    """Digests by path, as SHA256SUMS lists them; None where that is damaged."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        told = _LINE.fullmatch(line)
        if told is None or told[2] in found:
            return None
        found[told[2]] = told[1]
    return found if found and text.endswith("\n") else None
