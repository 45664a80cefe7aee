"""Progress: a live line with counts, rate and time left on a terminal; plain lines elsewhere; nothing with --quiet."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

import typer

from fulltape import log
from fulltape.terminal import sentences

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from fulltape.context import Event

_EVERY = 2.0


class Watch:
    """A `context.Progress` for people; a context manager."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._live: Progress | None = None
        self._bars: dict[tuple[str, str], TaskID] = {}
        self._done: dict[tuple[str, str], int] = {}
        self._beside: dict[str, str] = {}
        self._said: dict[tuple[str, str], float] = {}
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        if not self._quiet and not log.chosen() and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._live = Progress(
                TextColumn("{task.description:<9}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[unit]} {task.fields[rate]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        """Show one event, or log it where logs are JSON: those also when quiet."""
        if log.chosen():
            done = {"done": event.done, "total": event.total, "unit": event.unit}
            log.write(event.stage, event.kind, done if event.kind == "progress" else event.fields)
            return
        if self._quiet:
            return
        with self._turn:
            if event.kind != "progress":
                if words := sentences.of(event):
                    self._say(f"{event.stage}: {words}")
                return
            key = (event.stage, event.unit)
            # Without a total an event counts what was just done, with one how far the stage has come.
            self._done[key] = event.done if event.total else self._done.get(key, 0) + event.done
            if self._live:
                self._draw(key, event.total)
            else:
                self._line(key, event.total)

    def _draw(self, key: tuple[str, str], total: int) -> None:
        assert self._live is not None
        stage, unit = key
        if not total:
            # What has no known end is told beside the bar of its stage.
            self._beside[stage] = f", {self._done[key]:,} {unit}"
            for (other, words), bar in self._bars.items():
                if other == stage:
                    self._live.update(bar, unit=f"{words}{self._beside[stage]}")
            return
        if key not in self._bars:
            self._bars[key] = self._live.add_task(stage, total=total, unit=unit, rate="")
        bar = self._bars[key]
        speed = self._live.tasks[self._live.task_ids.index(bar)].speed
        self._live.update(
            bar,
            completed=self._done[key],
            total=total,
            unit=f"{unit}{self._beside.get(stage, '')}",
            rate=f"{speed:,.1f}/s" if speed else "",
        )

    def _line(self, key: tuple[str, str], total: int) -> None:
        now = time.monotonic()
        done = self._done[key]
        if key not in self._said or (total and done == 1):
            self._said[key] = now
        if now - self._said[key] < _EVERY:
            return
        self._said[key] = now
        of = f" of {total:,}" if total else ""
        self._say(f"{key[0]}: {done:,}{of} {key[1]}")

    def _say(self, words: str) -> None:
        if self._live:
            self._live.console.print(words, highlight=False, markup=False)
        else:
            typer.echo(words, err=True)
