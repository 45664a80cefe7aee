"""A mapping file: how files are read that nothing else tells of."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from fulltape import errors
from fulltape.adopt.plan import FileMapping


def read(path: Path) -> FileMapping:
    """The mapping in a TOML file; `ConfigError` for what cannot be meant."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        given = msgspec.convert(_plain(raw), FileMapping)
    except OSError as error:
        raise errors.ConfigError(f"cannot be read: {error.strerror}.", where=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise errors.ConfigError(f"{error}.", where=str(path)) from None
    known = [field.name for field in dataclasses.fields(FileMapping)]
    if strange := sorted(set(raw) - set(known)):
        raise errors.ConfigError(
            f"there is no {', '.join(strange)}.", where=str(path), hint=f"There are {', '.join(known)}."
        )
    for name, group in (("day", "day"), ("symbol_path", "symbol")):
        _check_pattern(path, name, getattr(given, name), group)
    return given


def _plain(raw: dict[str, Any]) -> dict[str, Any]:
    """The file with its short forms written out: a column by its name, one column of time."""
    columns = raw.get("columns", {})
    plain = {**raw, "columns": columns}
    if isinstance(columns, dict):
        plain["columns"] = {
            name: {**given, "name": given.get("column")} if isinstance(given, dict) else {"name": given}
            for name, given in columns.items()
        }
    time = raw.get("time", [])
    return {**plain, "time": [time] if isinstance(time, str) else time}


def _check_pattern(path: Path, name: str, pattern: str, group: str) -> None:
    try:
        groups = re.compile(pattern).groupindex if pattern else {group: 0}
    except re.error as error:
        raise errors.ConfigError(f"{name} is no pattern: {error}.", where=str(path)) from None
    if group not in groups:
        raise errors.ConfigError(
            f"{name} has no group (?P<{group}>…).", where=str(path), hint="That is what it looks for."
        )
