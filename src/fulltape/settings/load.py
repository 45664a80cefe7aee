"""Reads fulltape.toml: expands the environment, validates, and remembers where every value came from."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, BeforeValidator, ValidationError

from fulltape import errors
from fulltape.checks.findings import Thresholds
from fulltape.settings.kinds import seconds, spell
from fulltape.settings.model import SECTIONS, Settings

FILE = "fulltape.toml"
_HEADER = re.compile(r"^\s*\[{1,2}([^\[\]]+)\]{1,2}\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"[^"]*"|[A-Za-z0-9_-]+))*)\s*=""")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


_COMMENTED = re.compile(
    r"""#.*\b(?:key|secret|token|webhook|password|apprise|heartbeat_url)\s*=\s*\[?\s*["'](?!\$\{)[^"']+["']"""
)
_SECRETS = (
    ("cluster", "ledger"),
    ("web", "token"),
    ("notify", "webhook"),
    ("notify", "apprise"),
    ("notify", "heartbeat_url"),
)
"""Settings beside those of vendors that are secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The settings of a node, its folder, and where each value came from."""

    folder: Path
    values: Settings
    lines: Mapping[str, int]
    variables: Mapping[str, str]

    def where(self, key: str) -> str:
        """`file:line` of a dotted key, or of the nearest table above it."""
        return _where(self.folder / FILE, self.lines, key)

    @property
    def ledger_url(self) -> str:
        """The address of a shared ledger, '' for the node's own file."""
        shared = self.values.cluster.ledger
        return shared.get_secret_value() if shared else ""

    @property
    def thresholds(self) -> Thresholds:
        """By what checks judge."""
        return Thresholds(**self.values.quality.model_dump())

    def origin(self, key: str) -> str:
        """Where the value of a dotted key came from: file and line, an environment variable too, or the default."""
        if key not in self.lines:
            return "default"
        place = f"{FILE}:{self.lines[key]}"
        return f"{place}, environment {self.variables[key]}" if key in self.variables else place


def find(folder: Path | None) -> Path:
    """The node's folder: the one named, `FULLTAPE_NODE`, or the working folder; it must hold a fulltape.toml."""
    chosen = folder or Path(os.environ.get("FULLTAPE_NODE", "."))
    if not (chosen / FILE).is_file():
        raise errors.NodeNotFoundError(
            f"there is no {FILE} in {chosen.resolve()}.",
            hint="Create a node with `fulltape init FOLDER`, or name one with --node.",
        )
    return chosen


def load(folder: Path, *, asking: bool = True, text: str | None = None) -> Loaded:
    """The validated settings of the node in `folder`; `ConfigError` names key, file and line.

    Who only reads (`asking` False) needs no vendor's secrets: unset variables of vendors are taken as empty. `text` is
    what the file held when it was read before.
    """
    path = folder / FILE
    try:
        if text is None:
            text = path.read_text(encoding="utf-8-sig")
        raw = tomllib.loads(text)
    except OSError as error:
        raise errors.ConfigError(f"cannot be read: {error.strerror}.", where=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        hint = "A date is written YYYY-MM-DD, and must exist." if "date" in str(error) else ""
        raise errors.ConfigError(f"is not TOML: {error}.", where=str(path), hint=hint) from error
    lines = locate(text)
    variables: dict[str, str] = {}
    if not asking:
        vendors = raw.get("vendor", {})
        if isinstance(vendors, dict):
            raw["vendor"] = {name: _without_secrets(table) for name, table in vendors.items()}
    expanded = _expand(raw, "", path, lines, variables)
    try:
        values = Settings.model_validate(expanded)
    except ValidationError as error:
        sentences = [_sentence(path, lines, cast("dict[str, Any]", problem)) for problem in error.errors()]
        raise errors.ConfigError("\n".join(sentences)) from None
    return Loaded(folder=folder, values=values, lines=lines, variables=variables)


def secret_files(folder: Path) -> list[Path]:
    """The files from which the settings take secrets; none where the settings cannot be read."""
    try:
        raw = tomllib.loads((folder / FILE).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return []
    vendors = raw.get("vendor", {})
    tables = (
        [table for table in vendors.values() if isinstance(table, dict)] if isinstance(vendors, dict) else []
    )
    named = [table[name] for table in tables for name in ("key_file", "secret_file") if name in table]
    export = raw.get("export", {})
    named += [export["sign"]] if isinstance(export, dict) and "sign" in export else []
    return [folder / name for name in named if isinstance(name, str)]


def plain_secrets(folder: Path) -> list[str]:
    """The keys of secrets that stand in fulltape.toml itself, not in a variable or a file of their own; and lines of comments that
    look like some."""
    body = (folder / FILE).read_text(encoding="utf-8-sig")
    raw = tomllib.loads(body)
    keys = [
        *_SECRETS,
        *(("vendor", name, key) for name in raw.get("vendor", {}) for key in ("key", "secret")),
    ]
    plain = []
    for key in keys:
        value: Any = raw
        for name in key:
            value = value.get(name) if isinstance(value, dict) else None
        texts = value if isinstance(value, list) else [value]
        if any(isinstance(text, str) and _tells(text, url=key == ("cluster", "ledger")) for text in texts):
            plain.append(".".join(key))
    return plain + [
        f"line {number}" for number, line in enumerate(body.splitlines(), start=1) if _COMMENTED.search(line)
    ]


def _tells(text: str, *, url: bool) -> bool:
    """Whether a text holds more of a secret than names of variables."""
    if any(match[2] for match in _VARIABLE.finditer(text)):
        return True
    rest = _VARIABLE.sub("", text)
    return bool(re.search(r"://[^/@]*:[^/@]+@", rest) if url else rest)


def locate(text: str) -> dict[str, int]:
    """The line of each dotted key and table header in a TOML text."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _dotted(header[1])
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            name = _dotted(key[1])
            lines.setdefault(f"{table}.{name}" if table else name, number)
    return lines


def effective(loaded: Loaded) -> Iterator[tuple[str, Any, str]]:
    """Every setting as (dotted key, value, origin); secrets are masked by their type."""
    yield from _walk(loaded.values, "", loaded)


def _walk(section: BaseModel, prefix: str, loaded: Loaded) -> Iterator[tuple[str, Any, str]]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        key = f"{prefix}{field.alias or name}"
        if isinstance(value, BaseModel):
            yield from _walk(value, f"{key}.", loaded)
        elif isinstance(value, dict):
            for inner, model in value.items():
                yield from _walk(model, f"{key}.{inner}.", loaded)
        else:
            shown = (
                spell(value)
                if any(
                    isinstance(annotation, BeforeValidator) and annotation.func is seconds
                    for annotation in field.metadata
                )
                else value
            )
            yield key, shown, loaded.origin(key)


def _dotted(name: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in name.split("."))


def _where(path: Path, lines: Mapping[str, int], key: str) -> str:
    parts = key.split(".")
    for length in range(len(parts), 0, -1):
        table = ".".join(parts[:length])
        inside = [line for name, line in lines.items() if name == table or name.startswith(f"{table}.")]
        if inside:
            return f"{path}:{lines.get(table) or min(inside)}"
    return str(path)


def _without_secrets(table: Any) -> Any:
    if not isinstance(table, dict):
        return table
    return {name: value for name, value in table.items() if not name.startswith(("key", "secret"))}


def _expand(value: Any, key: str, path: Path, lines: dict[str, int], variables: dict[str, str]) -> Any:
    if isinstance(value, dict):
        out = {}
        for name, inner in value.items():
            inner_key = f"{key}.{name}" if key else name
            if name in ("key_file", "secret_file") and isinstance(inner, str):
                target = name.removesuffix("_file")
                out[target] = _read_secret(path, lines, inner_key, inner)
                lines[f"{key}.{target}"] = lines.get(inner_key, 0)
            else:
                out[name] = _expand(inner, inner_key, path, lines, variables)
        return out
    if isinstance(value, list):
        return [_expand(inner, key, path, lines, variables) for inner in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: _variable(match, key, path, lines, variables), value)
    return value


def _variable(
    match: re.Match[str], key: str, path: Path, lines: dict[str, int], variables: dict[str, str]
) -> str:
    name, default = match[1], match[2]
    variables[key] = name
    value = os.environ.get(name) or default
    if value is None:
        raise errors.ConfigError(
            f"{key} needs the environment variable {name}, which is not set.",
            where=_where(path, lines, key),
            hint=f"Set it, or name a file with {key.rpartition('.')[2]}_file."
            if key.endswith((".key", ".secret"))
            else f"Set it, or write ${{{name}:-default}}.",
        )
    return value


def _read_secret(path: Path, lines: dict[str, int], key: str, name: str) -> str:
    try:
        return (path.parent / name).read_text().strip()
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise errors.ConfigError(
            f"{key} names {name}, which cannot be read: {reason}.", where=_where(path, lines, key)
        ) from None


def _sentence(path: Path, lines: Mapping[str, int], error: Mapping[str, Any]) -> str:
    location = [str(part) for part in error["loc"] if not isinstance(part, int)]
    key = ".".join(location)
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(location[-1], _siblings(location), n=1, cutoff=0.5)
        meant = f" Did you mean {near[0]}?" if near else ""
        return f"{_where(path, lines, key)}: there is no setting {key}.{meant}"
    if error["type"] == "missing":
        return f"{_where(path, lines, key)}: {key} is missing."
    shown = f" = {_toml(error['input'])}" if _may_be_shown(location, error["input"]) else ""
    reason = _IN_TOML.get(error["type"], error["msg"].removeprefix("Value error, "))
    return f"{_where(path, lines, key)}: {key}{shown} is wrong: {reason[0].lower()}{reason[1:]}."


_IN_TOML = {
    "tuple_type": 'a list is written in brackets, such as ["A", "B"]',
    "model_type": "a table is written as [NAME]",
    "dict_type": "a table is written as [NAME]",
    "bool_type": "it is true or false",
    "bool_parsing": "it is true or false",
    "string_type": 'text is written in quotes, such as "A"',
    "int_type": "a whole number is wanted",
    "float_type": "a number is wanted",
    "string_pattern_mismatch": "a name has small letters, digits, _ . and - only, and begins with one of the former",
}
"""What is wrong with a value, by its kind of error, in words of the file rather than of the program."""
_SHOWN_OF_VENDORS = ("plan", "timeout", "requests_per_minute", "requests_per_day", "history_from")


def _may_be_shown(location: list[str], value: Any) -> bool:
    """Whether a wrong value may be repeated: never a container, and of vendors only what cannot be a secret."""
    if isinstance(value, (dict, list)):
        return False
    return location[0] not in ("vendor", "cluster", "notify", "web") or location[-1] in _SHOWN_OF_VENDORS


def _toml(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _siblings(location: list[str]) -> list[str]:
    if len(location) == 1:
        return list(Settings.model_fields)
    section = SECTIONS.get(location[0]) or SECTIONS.get(f"{location[0]}.NAME")
    if section is None:
        return []
    return [field.alias or name for name, field in section.model_fields.items()]
