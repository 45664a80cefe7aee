"""What a capture process is told, out of the settings; and sealing beside it, as `fulltape capture` does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from fulltape import clock, errors
from fulltape.capture.config import CaptureConfig, SourceConfig
from fulltape.context import NodeContext
from fulltape.contract.plans import Delayed
from fulltape.contract.streams import Subscription
from fulltape.lake import journal
from fulltape.lake.layout import Layout
from fulltape.settings.load import Loaded

_AGAIN_IN = 30.0
"""Seconds after which sealing that failed is tried again."""


def configuration(loaded: Loaded, context: NodeContext) -> CaptureConfig:
    """Everything that a capture process needs to know; `ConfigError` where nothing is to be captured."""
    values = loaded.values.capture
    feeds = tuple(_feeds(loaded, context))
    if not feeds:
        raise errors.ConfigError(
            "no dataset is captured live.",
            where=str(loaded.where("dataset")),
            hint='Add live = ["SOURCE"] to a dataset; fulltape vendors tells which sources stream.',
        )
    return CaptureConfig(
        lake=str(context.layout.root.resolve()),
        writer=context.capture_writer,
        feeds=feeds,
        flush_interval=values.flush_interval,
        rotate_every=values.rotate_every,
        rotate_bytes=values.rotate_bytes,
        queue_bytes=values.queue_bytes,
        stale_after=values.stale_after,
        compress=values.compress,
    )


def _feeds(loaded: Loaded, context: NodeContext) -> Iterator[SourceConfig]:
    subscriptions: dict[str, list[Subscription]] = {}
    for name, wanted in context.wanted.items():
        for source in wanted.live:
            spelled = context.spellings.get(source, {})
            subscriptions.setdefault(source, []).extend(
                Subscription(
                    dataset=name, symbol=instrument.symbol, spelling=spelled.get(instrument.symbol, "")
                )
                for instrument in wanted.instruments.values()
            )
    for source, subscribed in subscriptions.items():
        vendor = context.feeds[source].vendor
        account = context.accounts[vendor]
        settings = loaded.values.vendor[vendor]
        spec = context.vendors[vendor].SPEC
        late = spec.delayed.get(settings.plan or spec.default_plan, Delayed(seconds=0, host=""))
        if subscribed:
            yield SourceConfig(
                source=source,
                vendor=vendor,
                subscriptions=tuple(subscribed),
                url=(settings.stream_url or late.host).rstrip("/"),
                base_url=settings.base_url.rstrip("/"),
                secrets=dict(account.secrets),
                timeout=settings.timeout,
                delay=late.seconds if settings.stream_delay is None else settings.stream_delay,
                after=_newest(context, source),
            )


def _newest(context: NodeContext, source: str) -> str:
    """The newest journal of a source that the ledger knows, also if it is gone."""
    known = [capture.file for capture in context.ledger.captures.all(source)]
    return max((*known, *(consumer.file for consumer in context.ledger.consumers.of(source))), default="")


class Sealer:
    """The service that seals closed journals, in a process of its own, one at a time, so that nothing heavy runs beside the
    sockets."""

    name = "sealing"

    def __init__(self, layout: Layout, folder: Path, sources: Collection[str]) -> None:
        self._layout, self._folder, self._sources = layout, folder, sources
        self._child: subprocess.Popen[bytes] | None = None
        self._not_before = 0.0

    def start(self) -> None:
        """See `Service`: it begins when a journal is closed."""

    @property
    def ready(self) -> bool:
        """See `Service`."""
        return True

    def look(self) -> None:
        """See `Service`: start a process where a closed journal waits and none is at work."""
        if self._child is not None:
            status = self._child.poll()
            if status is None:
                return
            if status:  # it has said why; another stage may be at work
                self._not_before = clock.steady_seconds() + _AGAIN_IN
            self._child = None
        if clock.steady_seconds() < self._not_before:
            return
        if any(not journal.in_use(path) for path in self._closed()):
            self._start()

    def stop(self, seconds: float) -> bool:
        """See `Service`: what is left is sealed first. What takes longer goes on by itself: it loses nothing."""
        until = clock.steady_seconds() + seconds
        if self._child is not None and not _ended(self._child, seconds):
            return False
        return not self._closed() or _ended(self._start(), max(0.0, until - clock.steady_seconds()))

    def _closed(self) -> list[Path]:
        """Journals of what is captured; those of other sources wait until theirs is captured again."""
        return [path for path in self._layout.captured_files() if path.parent.name in self._sources]

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "fulltape", "seal", "--fill", "--quiet", "--node", str(self._folder)]
        self._child = subprocess.Popen(command)
        return self._child


def _ended(child: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True
