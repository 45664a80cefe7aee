"""What a table's columns are: type, nullability, sign, unit. Declared here, enforced at seal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DType = Literal["f64", "i64", "u32", "str", "cat", "bool", "date", "instant", "nanos"]
Sign = Literal["any", "not_negative", "positive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. `instant` is UTC microseconds, `nanos` UTC nanoseconds, `cat` a string from a small set."""

    name: str
    dtype: DType
    nullable: bool = False
    sign: Sign = "any"
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """A table: its columns in order, the key that is unique, and a version that goes into every file."""

    version: int
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)

    def extended(self, *more: Column) -> Schema:
        """The same table with further columns at its end."""
        return Schema(version=self.version, columns=(*self.columns, *more), key=self.key)
