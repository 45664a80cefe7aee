"""The schedule of a running node, each entry with its defaults; `model.py` lets the file change them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Trigger = Literal["final", "closed", "tasks", "parts", "curated", "checked", "damaged"]
"""What makes a job worth running: sessions of a dataset became final, journals of captured messages or of fetched pages were
closed, tasks were queued, raw parts arrived, folders were curated, cells were checked, damage was noticed."""
Lane = Literal["seal", "fetch", "heavy"]
"""Jobs of one lane run one after the other, those of several side by side: sealing is never kept waiting by a long backfill, nor
either of them by what needs much memory."""
NIGHT = "30 2 * * *"
"""In UTC: every market of America has closed, and the day of those that never close is final."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRule:
    """When a job runs: at moments of a cron expression in a zone, `every` so many seconds, or `after` events: where it has a
    `spacing`, then at least so many seconds after the last start of a run that did something, and five times as long as it took. `jitter` seconds at most
    are added to each moment. `budget`: seconds for which it may go on."""

    job: str
    cron: str = ""
    zone: str = "UTC"
    every: float = 0.0
    after: tuple[Trigger, ...] = ()
    spacing: float = 0.0
    jitter: float = 0.0
    budget: float | None = None
    enabled: bool = True


SCHEDULE: Mapping[str, ScheduleRule] = {
    "seal": ScheduleRule(job="seal", after=("closed",)),
    "forward": ScheduleRule(job="audit_changes", after=("final",)),
    "audit": ScheduleRule(
        job="audit_changes", every=3_600, after=("parts", "damaged"), spacing=60, jitter=60
    ),
    "full_audit": ScheduleRule(job="audit", cron=NIGHT),
    "backfill": ScheduleRule(job="backfill", after=("tasks",)),
    "curate": ScheduleRule(job="curate", after=("parts", "damaged"), spacing=30),
    "check": ScheduleRule(job="check", after=("curated",)),
    "heatmap": ScheduleRule(
        job="heatmap", every=3_600, after=("parts", "tasks", "checked", "damaged"), spacing=15, jitter=60
    ),
    "verify": ScheduleRule(job="verify", cron=NIGHT),
    "export": ScheduleRule(job="export", cron=NIGHT),
    "regroup": ScheduleRule(job="regroup", cron=NIGHT),
    "compact": ScheduleRule(job="compact", cron=NIGHT),
    "backup": ScheduleRule(job="keep", cron=NIGHT),
    "sweep": ScheduleRule(job="sweep", cron=NIGHT),
    "sync": ScheduleRule(job="sync", every=600, jitter=60),
}
"""What is due at the same moment runs in this order."""
