"""A mapping file: how files are read that nothing else tells of."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from fulltape import errors
from fulltape.adopt.plan import FileMapping, SourceColumn


class _Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    column: str
    scale: float = 1.0


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    files: str = ""
    time: str | list[str] = ""
    kind: str = ""
    time_format: str = ""
    day: str = ""
    zone: str = ""
    timestamp: str = ""
    adjustment: str = ""
    symbol: str = ""
    symbol_path: str = ""
    header: bool | None = None
    separator: str = ""
    columns: dict[str, str | _Column] = {}
    fixed: dict[str, str] = {}


_ONE_OF = {
    "kind": ("", "date", "text", "typed", "s", "ms", "us", "ns"),
    "timestamp": ("", "start", "end"),
    "adjustment": ("", "raw", "split", "all"),
}


def read(path: Path) -> FileMapping:
    """The mapping in a TOML file; `ConfigError` for what cannot be meant."""
    try:
        file = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8-sig")), _File)
    except OSError as error:
        raise errors.ConfigError(f"cannot be read: {error.strerror}.", where=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise errors.ConfigError(f"{error}.", where=str(path)) from None
    for name, choices in _ONE_OF.items():
        value = getattr(file, name)
        if value not in choices:
            raise errors.ConfigError(
                f'{name} = "{value}" is none of {", ".join(choices[1:])}.', where=str(path)
            )
    for name, group in (("day", "day"), ("symbol_path", "symbol")):
        _check_pattern(path, name, getattr(file, name), group)
    about: dict[str, Any] = {name: getattr(file, name) for name in _File.__struct_fields__}
    time = [file.time] if isinstance(file.time, str) else file.time
    columns = {
        name: SourceColumn(name=given)
        if isinstance(given, str)
        else SourceColumn(name=given.column, scale=given.scale)
        for name, given in file.columns.items()
    }
    return FileMapping(**{**about, "time": tuple(filter(None, time)), "columns": columns})


def _check_pattern(path: Path, name: str, pattern: str, group: str) -> None:
    try:
        groups = re.compile(pattern).groupindex if pattern else {group: 0}
    except re.error as error:
        raise errors.ConfigError(f"{name} is no pattern: {error}.", where=str(path)) from None
    if group not in groups:
        raise errors.ConfigError(
            f"{name} has no group (?P<{group}>…).", where=str(path), hint="That is what it looks for."
        )
