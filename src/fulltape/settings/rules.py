"""The numbers by which the stages decide, each with its default; `model.py` lets the file change them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from fulltape.checks.findings import Thresholds
from fulltape.market.time import DAY, SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRules:
    """How long what grows is kept, in microseconds, and how many bundles (0: all)."""

    requests: int = 30 * DAY
    tasks: int = 90 * DAY
    rejected: int = 90 * DAY
    replaced: int = 30 * DAY
    damaged: int = 30 * DAY
    streams: int = 90 * DAY
    knowledge: int = 730 * DAY
    consumers: int = 14 * DAY
    bundles: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRules:
    """Where the node's files are kept a second time, and which; durations in microseconds."""

    targets: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    """Patterns of paths such as lake/curated/**; none: everything."""
    exclude: tuple[str, ...] = ()
    settings: bool = True
    bandwidth: int = 0
    """Bytes a second; 0: as many as there is room for."""
    keep: int = 90 * DAY
    ledger: int = 24 * 3_600 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Numbers from the settings that the stages decide by; durations in microseconds."""

    worker: str = "node"
    max_wait: int = 90 * SECOND
    lease: int = 600 * SECOND
    max_failures: int = 5
    attempts: int = 4
    retry_wait: float = 0.5
    cooldown: int = 7 * 86_400 * SECOND
    seal_after: int = 60 * SECOND
    seal_bytes: int = 100_000_000
    rounds: int = 4
    workers: int = 8
    shares: Mapping[str, float] = field(default_factory=dict)
    splits: Mapping[str, dt.date] = field(default_factory=dict)
    """Parts of a bundle by name, and their first sessions."""
    purge: int = 0
    embargo: int = 0
    export_sign: str = ""
    """The private key that signs bundles; '' none."""
    export_policy: Literal["drop_rows", "drop_cell", "keep_flagged"] = "drop_cell"
    keep_messages: int = 7 * 86_400 * SECOND
    clock_tolerance: int = 5 * SECOND
    min_free: int | None = None
    """Bytes that should be free on the lake's disk; None: 5 % of it, from 2 to 50 GB."""
    stop_within: float = 30.0
    """Seconds in which a running node ends when it is asked to."""
    clock_wait: float = 600.0
    """Seconds for which a running node waits, after its start, for a clock that is not synchronised."""
    lock_wait: float = 60.0
    """Seconds for which a stage that another process holds is waited for."""
    verify_for: float = 30.0
    """Seconds of a night in which files are held against the ledger."""
    thresholds: Thresholds = field(default_factory=Thresholds)
    retention: RetentionRules = field(default_factory=RetentionRules)
    sync: SyncRules = field(default_factory=SyncRules)
