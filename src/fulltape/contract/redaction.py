"""Secrets in what vendors send back: found in every spelling in which they are echoed, and taken out."""

from __future__ import annotations

import functools
import html
import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

_SHORTEST, _SHORTEST_IN_DATA = 4, 8
"""Shorter ones would be found everywhere; in data, which is mostly numbers, shorter ones than eight characters."""
_REDACTED = b"[redacted]"


class Redaction:
    """Takes these secrets out of bytes."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = [secret for secret in secrets if len(secret) >= _SHORTEST]
        spellings = {spelling.encode() for secret in known for spelling in _spellings(secret)}
        self._spellings = sorted(spellings, key=lambda spelling: (-len(spelling), spelling))
        long = [secret for secret in known if len(secret) >= _SHORTEST_IN_DATA]
        self._in_data = [
            spelling
            for spelling in self._spellings
            if any(spelling.decode() in _spellings(secret) for secret in long)
        ]

    def __call__(self, content: bytes) -> bytes:
        """The bytes, each secret replaced by a word."""
        for spelling in self._spellings:
            content = content.replace(spelling, _REDACTED)
        return content

    def masked(self, content: bytes) -> bytes:
        """The bytes, each secret replaced by as many asterisks, so that nothing moves."""
        for spelling in self._in_data:
            if spelling in content:
                content = content.replace(spelling, b"*" * len(spelling))
        return content


@functools.lru_cache(maxsize=64)
def of(*secrets: str) -> Redaction:
    """A redaction of these secrets, made once."""
    return Redaction(secrets)


def _spellings(secret: str) -> set[str]:
    """A secret as it is, and escaped as JSON, HTML, Python and addresses do."""
    return {spelling for spelling in _each(secret) if spelling}


def _each(secret: str) -> Iterator[str]:
    yield from (secret, repr(secret)[1:-1], html.escape(secret), html.escape(secret, quote=False))
    for ascii_only in (True, False):
        escaped = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield from (escaped, escaped.replace("/", "\\/"))
    units = secret.encode("utf-16-be")
    for form in ("{:02x}{:02x}", "{:02X}{:02X}"):
        yield "".join("\\u" + form.format(*units[at : at + 2]) for at in range(0, len(units), 2))
    for quoted in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield quoted
        yield _lower_hex(quoted)
    for form in ("%{:02x}", "%{:02X}"):
        yield "".join(form.format(byte) for byte in secret.encode())


def _lower_hex(quoted: str) -> str:
    head, *rest = quoted.split("%")
    return head + "".join(f"%{piece[:2].lower()}{piece[2:]}" for piece in rest)
