"""JSON for programs: moments are ISO 8601 in UTC, days ISO 8601, what is not there is null. `docs/json.md` lists every field."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from fulltape.market.time import iso

_MOMENTS = ("at", "not_before", "lease_until", "since")


def text(value: object) -> str:
    """A value of ours as JSON, indented."""
    return msgspec.json.format(msgspec.json.encode(plain(value)), indent=2).decode()


def plain(value: object, kind: str = "") -> object:
    """A value in the types that JSON has. `kind` is how its field is annotated: an `Instant` is a moment, 0 is none."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, int):
        return (iso(value) if value else None) if "Instant" in kind else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value or None
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    kinds = _kinds(value)
    if kinds is not None:
        return {name: plain(getattr(value, name), annotation) for name, annotation in kinds.items()}
    if isinstance(value, Mapping):
        return {str(name): plain(member, _kind_of_column(str(name))) for name, member in value.items()}
    if isinstance(value, (set, frozenset)):
        return [plain(member, kind) for member in sorted(value)]
    if isinstance(value, Iterable):
        return [plain(member, kind) for member in value]
    raise TypeError(f"{type(value).__name__} is nothing that JSON can tell")


def _kinds(value: object) -> dict[str, str] | None:
    """The fields of a record and how they are annotated; None for what is no record."""
    if dataclasses.is_dataclass(value):
        return {field.name: str(field.type) for field in dataclasses.fields(value)}
    if isinstance(value, msgspec.Struct):
        annotated = {
            name: str(kind)
            for base in reversed(type(value).__mro__)
            for name, kind in vars(base).get("__annotations__", {}).items()
        }
        return {name: annotated[name] for name in value.__struct_fields__}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: _named(kind) for name, kind in type(value).__annotations__.items()}
    return None


def _named(kind: object) -> str:
    return str(getattr(kind, "__forward_arg__", kind))


def _kind_of_column(name: str) -> str:
    """Rows of the ledger tell their moments by the names of their columns."""
    return "Instant" if name.endswith("_at") or name in _MOMENTS else ""
