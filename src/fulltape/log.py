"""Structured logs: one JSON object a line, on standard error, with fields instead of sentences and without secrets."""

from __future__ import annotations

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
    logger.info(kind, stage=stage, **fields)


def _redacted(_logger: object, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    clean = redaction.of(*sorted(_logs.secrets))
    head = {name: line.pop(name) for name in ("timestamp", "event") if name in line}
    return {
        name: clean(value.encode()).decode(errors="replace") if isinstance(value, str) else value
        for name, value in {**head, **line}.items()
    }
