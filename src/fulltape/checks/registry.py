"""Which checks a dataset's rows go through: each is a module of this folder with a function `check`, found by being there."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

from fulltape import checks, errors
from fulltape.checks import completeness, findings, time_shift
from fulltape.checks.beside import Beside
from fulltape.checks.findings import CheckContext

if TYPE_CHECKING:
    import polars as pl


@functools.cache
def names() -> tuple[str, ...]:
    """Every check that a dataset may name: of single cells, or of whole series, which has its own name as its `CODE`."""
    modules = sorted(module.name for module in pkgutil.iter_modules(checks.__path__))
    return tuple(
        name for name in modules if hasattr(_load(name), "check") or getattr(_load(name), "CODE", "") == name
    )


def _load(name: str) -> ModuleType:
    return importlib.import_module(f"{checks.__name__}.{name}")


@functools.cache
def _check(name: str) -> Callable[[pl.DataFrame, Beside, CheckContext], pl.DataFrame] | None:
    """The check of that name; None for one that is not of single cells."""
    if name not in names():
        raise errors.UsageError(f"there is no check {name!r}.", hint=f"Known checks: {', '.join(names())}.")
    return getattr(_load(name), "check", None)


def run(frame: pl.DataFrame, beside: Beside, context: CheckContext) -> pl.DataFrame:
    """All findings about `frame`, whose rows carry `flags`; `UsageError` where a dataset names an unknown check."""
    import polars as pl

    tables = [check(frame, beside, context) for name in context.dataset.checks if (check := _check(name))]
    return pl.concat([findings.none(), *tables]).sort("instrument", "session", "code")


class Learned:
    """What the profiles of one source teach, for judging its cells a block of instruments at a time. `profiles` are those of
    the cells to judge and, where completeness is judged, of the sessions around them; without any nothing is taught."""

    def __init__(self, profiles: pl.DataFrame | None, context: CheckContext) -> None:
        self._profiles, self._context = profiles, context
        timed = profiles is not None and "session_timing" in context.dataset.checks
        self._jumps = time_shift.usual(profiles) if timed and profiles is not None else None

    def beside(self, instruments: pl.Series, volumes: pl.DataFrame) -> Beside:
        """What is known beside rows of these instruments."""
        import polars as pl

        if self._profiles is None:
            return Beside(volumes=volumes)
        own = self._profiles.filter(pl.col("instrument").is_in(instruments.unique().implode()))
        completed = "completeness" in self._context.dataset.checks
        baseline = completeness.occupancy(own, self._context) if completed else None
        return Beside(profiles=own, jumps=self._jumps, baseline=baseline, volumes=volumes)
