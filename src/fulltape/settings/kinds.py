"""How values are written in the file: durations, sizes, dates, addresses, keys."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST = 10 * 366 * 86_400
SIZES = {"B": 1, "kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000, "TB": 1_000_000_000_000}


def seconds(value: Any) -> Any:
    """A duration like "250ms", "15m" or "7d" as seconds."""
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", value.strip())
        if not match:
            raise ValueError('a duration looks like "250ms", "30s", "15m", "2h" or "7d"')
        length = float(match[1]) * _UNITS[match[2]]
        if length > _LONGEST:
            raise ValueError("a duration is at most ten years")
        return length
    raise ValueError('a duration is text with a unit, like "30s"')


def as_written(value: str) -> Any:
    """A default in the spelling of the file; it is validated like any other value."""
    return value


def spell(length: float) -> str:
    """A duration in seconds as the file writes it."""
    for unit, worth in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        if length >= worth and length % worth == 0:
            return f"{length / worth:g}{unit}"
    return f"{length * 1_000:g}ms"


def size(value: Any) -> Any:
    """A size like "100MB" as bytes."""
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|TB)", value.strip())
        if match:
            return int(float(match[1]) * SIZES[match[2]])
    raise ValueError('a size is text with a unit, like "100MB"')


def day(value: Any) -> Any:
    """A date, written as TOML's own date or as text."""
    if isinstance(value, dt.datetime) or not isinstance(value, (dt.date, str)):
        raise ValueError("a date is written YYYY-MM-DD")  # noqa: TRY004 — pydantic wants it
    try:
        return value if isinstance(value, dt.date) else dt.date.fromisoformat(value)
    except ValueError:
        raise ValueError("a date is written YYYY-MM-DD") from None


def address(value: Any) -> Any:
    """An http or websocket address, or nothing."""
    if value == "" or (isinstance(value, str) and re.fullmatch(r"(?:http|ws)s?://[^/\s@]+(/\S*)?", value)):
        return value
    raise ValueError("an address looks like http://127.0.0.1:8080")


def interval(value: Any) -> Any:
    """A duration after which something runs again and again: not all the time."""
    length = seconds(value)
    if 0 < length < 10:
        raise ValueError("it is ten seconds at least, or 0s for never")
    return length


def host_name(value: Any) -> Any:
    """A name of a machine, as browsers ask for it."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\]", value):
        return value
    raise ValueError('a name is written without scheme and port, such as "market.example.org"')


def url_path(value: Any) -> Any:
    """A path of an address, or nothing."""
    if isinstance(value, str) and re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", value):
        return value
    raise ValueError('a path begins with "/" and does not end with it, such as "/market"')


def web_address(value: Any) -> Any:
    """An address to which something is sent; it may hold a secret."""
    if isinstance(value, str) and re.fullmatch(r"[a-z][a-z0-9+.-]*://\S+", value):
        return value
    raise ValueError("an address looks like https://host/path")


def quiet_hours(value: Any) -> Any:
    """Two times of a day, or nothing."""
    clock = r"(?:[01]\d|2[0-3]):[0-5]\d"
    if value == "" or (isinstance(value, str) and re.fullmatch(rf"{clock}-{clock}", value)):
        return value
    raise ValueError('quiet hours look like "22:00-07:00"')


def secret(value: Any) -> Any:
    """A key that fits into a header."""
    if isinstance(value, str):
        value = value.strip()
        if value.isascii() and value.isprintable() and " " not in value:
            return value
    raise ValueError("a key is one line of printable ASCII without spaces")


def postgres_address(value: Any) -> Any:
    """An address of a database on PostgreSQL."""
    if isinstance(value, str) and re.fullmatch(r"postgres(ql)?://\S+", value):
        return value
    raise ValueError("an address looks like postgresql://user:password@host/database")


Day = Annotated[dt.date, BeforeValidator(day)]
Address = Annotated[str, BeforeValidator(address)]
Secret = Annotated[SecretStr, BeforeValidator(secret)]
PostgresAddress = Annotated[SecretStr, BeforeValidator(postgres_address)]
Duration = Annotated[float, BeforeValidator(seconds)]
Size = Annotated[int, BeforeValidator(size)]


class Section(BaseModel):
    """A table of the file: frozen, and without keys that are not known."""

    """A table of the file: frozen, and no key that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)
