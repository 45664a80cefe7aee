"""Metrics for Prometheus, out of a snapshot: base units, and no label that grows with symbols."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric

from fulltape.version import VERSION
from fulltape.web import words
from fulltape.web.snapshot import NodeCounts, Snapshot

_PAGE = os.sysconf("SC_PAGE_SIZE")


def exposition(shown: Snapshot) -> tuple[bytes, str]:
    """The text of all metrics, and its content type."""
    registry = CollectorRegistry()
    registry.register(_Collector(shown))
    return generate_latest(registry), CONTENT_TYPE_LATEST


def families(shown: Snapshot) -> Iterator[Metric]:
    """Every metric with its values now."""
    info = GaugeMetricFamily("fulltape_build_info", "The version, always 1.", labels=["version"])
    info.add_metric([VERSION], 1)
    yield info
    yield _one("fulltape_up", "Whether a service runs.", float(shown.service is not None and not shown.stale))
    yield from _of_service(shown)
    yield from _of_capture(shown)
    if shown.counts is not None:
        yield from _of_ledger(shown.counts)


class _Collector:
    """As prometheus_client wants it."""

    def __init__(self, shown: Snapshot) -> None:
        self._shown = shown

    def collect(self) -> Iterator[Metric]:
        """Every metric."""
        return families(self._shown)


def _one(name: str, text: str, value: float) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text)
    family.add_metric([], value)
    return family


def _of_service(shown: Snapshot) -> Iterator[Metric]:
    service = shown.service
    running = GaugeMetricFamily("fulltape_job_running", "Whether a job runs now.", labels=["entry"])
    took = GaugeMetricFamily("fulltape_job_duration_seconds", "How long the last run took.", labels=["entry"])
    success = GaugeMetricFamily(
        "fulltape_job_last_success_timestamp_seconds",
        "When a run last ended well; 0: never.",
        labels=["entry"],
    )
    failed = GaugeMetricFamily("fulltape_job_failed", "Whether the last run failed.", labels=["entry"])
    memory = GaugeMetricFamily(
        "fulltape_process_resident_bytes", "Resident memory by process.", labels=["process"]
    )
    yield _one(
        "fulltape_conditions", "How many things need a person.", len(service.conditions) if service else 0
    )
    if service is None:
        return
    names = {run.entry for run in service.running}
    for entry in service.entries:
        running.add_metric([entry.name], float(entry.name in names))
        success.add_metric([entry.name], entry.last.succeeded / 1e6)
        if entry.last.started:
            took.add_metric([entry.name], entry.last.took)
            failed.add_metric([entry.name], float(entry.last.outcome in ("failed", "died")))
    processes = {
        "supervisor": service.process,
        "capture": service.capture_process,
        "web": os.getpid(),
        **service.workers,
    }
    for name, process in processes.items():
        resident = _resident(process) if process else 0
        if resident:
            memory.add_metric([name], resident)
    yield from (running, took, success, failed, memory)


def _resident(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0


def _of_capture(shown: Snapshot) -> Iterator[Metric]:
    capture = shown.capture
    if capture is None:
        return
    running = shown.service is not None and shown.service.capture == "running" and words.fresh(shown)
    yield _one("fulltape_capture_up", "Whether live capture runs.", float(running))
    channels = GaugeMetricFamily(
        "fulltape_capture_channels", "Subscriptions by whether they are live.", labels=["source", "state"]
    )
    lag = GaugeMetricFamily(
        "fulltape_capture_receive_to_durable_seconds",
        "The longest time from receipt to durable in the last sync; the flush interval is in it.",
        labels=["source"],
    )
    messages = CounterMetricFamily(
        "fulltape_capture_messages", "Messages received since the process began.", labels=["source"]
    )
    durable = CounterMetricFamily(
        "fulltape_capture_durable_messages", "Those of them that are durable.", labels=["source"]
    )
    size = CounterMetricFamily(
        "fulltape_capture_received_bytes", "Bytes received since the process began.", labels=["source"]
    )
    dropped = CounterMetricFamily(
        "fulltape_capture_dropped_messages",
        "Messages given up since the disk is too slow.",
        labels=["source"],
    )
    reconnects = CounterMetricFamily(
        "fulltape_capture_reconnects", "Connections that were made anew.", labels=["source"]
    )
    for source in capture.sources:
        name, live = source.source, sum(channel.live for channel in source.channels)
        channels.add_metric([name, "live"], live)
        channels.add_metric([name, "stale"], len(source.channels) - live)
        lag.add_metric([name], source.lag)
        for family, value in (
            (messages, source.messages),
            (durable, source.durable),
            (size, source.bytes),
            (dropped, source.dropped),
            (reconnects, source.reconnects),
        ):
            family.add_metric([name], value)
    yield from (channels, lag, messages, durable, size, dropped, reconnects)


def _of_ledger(counts: NodeCounts) -> Iterator[Metric]:
    cells = GaugeMetricFamily("fulltape_cells", "Cells by availability.", labels=["dataset", "state"])
    verdicts = GaugeMetricFamily(
        "fulltape_cell_verdicts", "Curated cells by verdict.", labels=["dataset", "verdict"]
    )
    ratio = GaugeMetricFamily(
        "fulltape_coverage_ratio",
        "Share of the wanted cells that are held or confirmed empty.",
        labels=["dataset"],
    )
    for dataset in counts.datasets:
        for name, many in dataset.cells.items():
            cells.add_metric([dataset.dataset, name], many)
        for name, many in dataset.verdicts.items():
            verdicts.add_metric([dataset.dataset, name], many)
        wanted = dataset.cells.get("wanted", 0)
        if wanted:
            ratio.add_metric(
                [dataset.dataset], (dataset.cells.get("held", 0) + dataset.cells.get("empty", 0)) / wanted
            )
    tasks = GaugeMetricFamily("fulltape_tasks", "Tasks by state.", labels=["state"])
    for state, many in counts.tasks.items():
        tasks.add_metric([state], many)
    requests = CounterMetricFamily(
        "fulltape_requests", "Requests by source and outcome.", labels=["source", "outcome"]
    )
    used = GaugeMetricFamily(
        "fulltape_budget_used_requests", "Requests in the window.", labels=["source", "window"]
    )
    limit = GaugeMetricFamily(
        "fulltape_budget_limit_requests", "The most of them; no value: no limit.", labels=["source", "window"]
    )
    for source in counts.sources:
        for outcome, many in source.outcomes.items():
            requests.add_metric([source.source, outcome], many)
        for window, value, most in (
            ("minute", source.last_minute, source.per_minute),
            ("day", source.today, source.per_day),
        ):
            used.add_metric([source.source, window], value)
            if most:
                limit.add_metric([source.source, window], most)
    yield from (cells, verdicts, ratio, tasks, requests, used, limit)
    for key, name, text in (
        ("free", "fulltape_disk_free_bytes", "Free on the lake's disk."),
        ("total", "fulltape_disk_total_bytes", "Size of the lake's disk."),
        ("wanted", "fulltape_disk_wanted_bytes", "What should stay free: node.min_free."),
    ):
        yield _one(name, text, float(counts.disk[key] or 0))
    yield _one(
        "fulltape_damaged_files", "Files that are not what was written, and are not healed.", counts.damaged
    )
    yield _one("fulltape_ledger_read_timestamp_seconds", "When these numbers were read.", counts.at / 1e6)
    yield _one("fulltape_ledger_read_seconds", "How long reading them took.", counts.took)
