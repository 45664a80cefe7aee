"""What verification finds, and what its documents say. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from fulltape.context.jobs import StageReport

Kind = Literal["part", "profile", "revision", "unknown", "journal", "bundle", "rejected", "ledger", "mark"]

_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it was written: what it is, where it lies (relative to the node's folder or the lake), what
    is wrong with it, and what is done about it."""

    kind: Kind
    path: str
    what: str
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport(StageReport):
    """How many files were looked at, and what is wrong."""

    files: int = 0
    bytes: int = 0
    findings: tuple[Finding, ...] = field(default=())


def checksums(text: str) -> Mapping[str, str] | None:
    """Digests by path, as SHA256SUMS lists them; None where that is damaged."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        told = _LINE.fullmatch(line)
        if told is None or told[2] in found:
            return None
        found[told[2]] = told[1]
    return found if found and text.endswith("\n") else None
