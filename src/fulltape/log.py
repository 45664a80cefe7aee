"""Structured logs: one JSON object a line, on standard error, with fields instead of sentences and without secrets."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from fulltape.contract import redaction


@dataclass(slots=True)
class _Logs:
    json: bool = False
    secrets: set[str] = field(default_factory=set)


_logs = _Logs()


def choose(*, json: bool) -> None:
    """Whether this process tells what happens as JSON, in place of progress and sentences for people."""
    _logs.json = json


def chosen() -> bool:
    """Whether it does."""
    return _logs.json


def keep_secret(*values: str) -> None:
    """None of these is ever written, however it is spelt."""
    _logs.secrets.update(value for value in values if value)


def write(stage: str, kind: str, fields: Mapping[str, object]) -> None:
    """One line: when (UTC), the stage, what happened, and its fields."""
    import structlog

    logger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _redacted,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    # Its own names come first: a field of such a name is told under another one.
    renamed = {
        f"{name}_" if name in ("stage", "event", "timestamp") else name: value
        for name, value in fields.items()
    }
    logger.info(kind, stage=stage, **renamed)


def _redacted(_logger: object, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    clean = redaction.of(*sorted(_logs.secrets))
    head = {name: line.pop(name) for name in ("timestamp", "event") if name in line}
    return {name: _plain(value, clean) for name, value in {**head, **line}.items()}


def _plain(value: object, clean: redaction.Redaction) -> object:
    """A value as JSON has it, without secrets: numbers that JSON does not know and all that is no plain value as text."""
    if value is None or isinstance(value, bool) or (isinstance(value, (int, float)) and math.isfinite(value)):
        return value
    text = value if isinstance(value, str) else repr(value)
    return clean(text.encode(errors="backslashreplace")).decode(errors="replace")
