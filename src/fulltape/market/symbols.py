"""Symbols: what may be one, and how one becomes a file name that cannot leave its folder."""

from __future__ import annotations

import hashlib

from fulltape import errors

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_LONGEST = 64
_LONGEST_COMPONENT = 96


def validate(symbol: str) -> str:
    """`symbol` itself, or a `UsageError` if no vendor could mean it (empty, spaces, commas, control characters)."""
    if not symbol or len(symbol) > _LONGEST:
        raise errors.UsageError(f"{symbol!r} is no symbol: it needs 1 to {_LONGEST} characters.")
    if any(not char.isprintable() or char.isspace() or char in ",;?#&%\\\"'" for char in symbol):
        raise errors.UsageError(
            f"{symbol!r} is no symbol: it has spaces, separators or unprintable characters."
        )
    if not symbol.strip("./"):
        raise errors.UsageError(f"{symbol!r} is no symbol.")
    return symbol


def path_name(symbol: str) -> str:
    """A file name component for any string: reversible while short, equal only for equal strings.

    Capitals, digits, `-` and `_` stay; a dot stays between other characters; everything else, lower case included
    (`KIMpL` and `KIMPL` are two securities and some disks cannot tell them apart), becomes `~` and its bytes in hex.
    """
    out = []
    for position, char in enumerate(symbol):
        if char in _PLAIN or (char == "." and 0 < position < len(symbol) - 1 and symbol[position - 1] != "."):
            out.append(char)
        else:
            out.append("".join(f"~{byte:02x}" for byte in char.encode()))
    name = "".join(out) or "~"
    if len(name) > _LONGEST_COMPONENT:
        return f"{name[:40]}~~{hashlib.sha256(symbol.encode()).hexdigest()[:32]}"
    return name


def from_path_name(name: str) -> str:
    """The string that `path_name` turned into `name`; for names that were not shortened."""
    head, *rest = name.split("~")
    raw = head.encode()
    for piece in rest:
        raw += bytes.fromhex(piece[:2]) + piece[2:].encode()
    return raw.decode()
