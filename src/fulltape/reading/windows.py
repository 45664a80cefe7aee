"""Rows as windows of one size: what an input pipeline of PyTorch or JAX takes. The one door to numpy."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, overload

import polars as pl

from fulltape import errors

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_BLOCK = 4_000_000
"""So many values are laid out at a time."""
_LONGEST = 10_000_000
_KEY = ("instrument", "ts")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BarWindow:
    """A stretch of time of all instruments. `values` has the shape (instruments, time, columns), `valid` the same: False, and the value
    NaN, where there is no such bar, it has no such value, or the window reaches beyond the end. `ts` are the starts of bars (datetime64[us],
    UTC), `sessions` their trading days (datetime64[D]), NaT beyond the end."""

    values: npt.NDArray[np.floating[Any]]
    valid: npt.NDArray[np.bool_]
    ts: npt.NDArray[np.datetime64]
    sessions: npt.NDArray[np.datetime64]
    instruments: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRequest:
    """How rows are cut: windows of so many steps, each `stride` after the one before, in an order shuffled by `seed` (None: in time)."""

    columns: tuple[str, ...]
    window: int
    stride: int
    seed: int | None
    dtype: str
    scratch: str | PathLike[str] | None


class Windows(Sequence[BarWindow]):
    """Windows by number, and one after the other. Every step of time lies in at least one; the last may reach beyond the end. What an
    instance gives never changes, whatever is written meanwhile."""

    def __init__(
        self,
        request: WindowRequest,
        instruments: Sequence[str],
        axis: pl.DataFrame,
        rows: Iterable[tuple[pl.DataFrame, pl.LazyFrame]],
    ) -> None:
        """`axis`: every step of time, session and ts, in order. `rows`: each of its `blocks`, and the bars of that:
        instrument, ts and the columns."""
        self._request = request
        self.instruments, self.columns = tuple(instruments), request.columns
        self._ts, self._sessions = axis["ts"].to_numpy(), axis["session"].to_numpy()
        steps = len(self._ts)
        if 0 < steps < request.window:
            raise errors.UsageError(
                f"a window of {request.window:,} bars is longer than the {steps:,} that there are.",
                hint="Ask for more sessions, or for a shorter window.",
            )
        self._table = _laid(request, self.instruments, axis, rows)
        count = 0 if not steps else 1 + max(0, -(-(steps - request.window) // request.stride))
        self._order = _order(count, request.seed)

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, number: int) -> BarWindow: ...

    @overload
    def __getitem__(self, number: slice) -> list[BarWindow]: ...

    def __getitem__(self, number: int | slice) -> BarWindow | list[BarWindow]:
        """The window at a place of the order; a slice gives several."""
        if isinstance(number, slice):
            return [self._window(at) for at in self._order[number]]
        return self._window(self._order[number])

    def __iter__(self) -> Iterator[BarWindow]:
        for at in self._order:
            yield self._window(at)

    def _window(self, at: int) -> BarWindow:
        import numpy as np

        start = int(at) * self._request.stride
        stop = start + self._request.window
        values, ts, sessions = self._table[start:stop], self._ts[start:stop], self._sessions[start:stop]
        if lacking := self._request.window - len(ts):
            values = np.concatenate([values, np.full((lacking, *values.shape[1:]), np.nan, values.dtype)])
            ts = np.concatenate([ts, np.full(lacking, "NaT", ts.dtype)])
            sessions = np.concatenate([sessions, np.full(lacking, "NaT", sessions.dtype)])
        own = np.array(values).transpose(1, 0, 2)
        return BarWindow(
            values=own,
            valid=~np.isnan(own),
            ts=ts.copy(),
            sessions=sessions.copy(),
            instruments=self.instruments,
            columns=self.columns,
        )


def checked(
    *,
    columns: Sequence[str],
    window: object,
    stride: object,
    seed: object,
    dtype: str,
    scratch: str | PathLike[str] | None,
) -> WindowRequest:
    """`UsageError` for what cannot be meant, and where numpy is not there."""
    try:
        import numpy as np  # noqa: F401
    except ModuleNotFoundError as error:
        raise errors.UsageError(
            "batches needs numpy, which is not installed.",
            hint="Install fulltape with its extra numpy (README: extras)",
        ) from error
    length = _whole(window, "window", 1)
    step = length if stride is None else _whole(stride, "stride", 1)
    start = None if seed is None else _whole(seed, "seed", 0)
    if not all(isinstance(name, str) for name in columns):
        raise errors.UsageError("columns are names.")
    if step > length:
        raise errors.UsageError(f"a stride of {step} would leave out bars between windows of {length}.")
    if dtype not in ("float64", "float32"):
        raise errors.UsageError(f"dtype={dtype!r} is not known.", hint="It is float64, or float32.")
    if not columns or set(_KEY) & set(columns):
        raise errors.UsageError(
            "columns are the numbers of a bar, at least one; ts and instrument are told beside them."
        )
    return WindowRequest(
        columns=tuple(columns), window=length, stride=step, seed=start, dtype=dtype, scratch=scratch
    )


def _whole(value: object, name: str, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _LONGEST:
        raise errors.UsageError(f"{name}={value!r} is no whole number from {least} to {_LONGEST:,}.")
    return value


def _order(count: int, seed: int | None) -> npt.NDArray[np.int64]:
    import numpy as np

    return np.arange(count) if seed is None else np.random.Generator(np.random.PCG64(seed)).permutation(count)


def _laid(
    request: WindowRequest,
    instruments: Sequence[str],
    axis: pl.DataFrame,
    rows: Iterable[tuple[pl.DataFrame, pl.LazyFrame]],
) -> npt.NDArray[np.floating[Any]]:
    """All bars as an array (time, instruments, columns), in a file without a name: it is gone once it is not read any more."""
    import numpy as np

    width = len(instruments) * len(request.columns)
    shape = (axis.height, len(instruments), len(request.columns))
    places = {name: at for at, name in enumerate(instruments)}
    if not axis.height or not width:
        return np.empty(shape, request.dtype)
    with contextlib.ExitStack() as opened:
        with _refusing(request, shape):
            file = opened.enter_context(tempfile.TemporaryFile(dir=request.scratch))
        for block, bars in rows:
            dense = _dense(request, places, block, bars.collect())
            with _refusing(request, shape):
                file.write(dense.tobytes())
        with _refusing(request, shape):
            file.flush()
        return np.memmap(file, request.dtype, "r", shape=shape)


@contextlib.contextmanager
def _refusing(request: WindowRequest, shape: tuple[int, int, int]) -> Iterator[None]:
    """What the disk refuses is a `StorageError`."""
    import numpy as np

    try:
        yield
    except OSError as error:
        size = np.prod(shape, dtype=np.int64) * np.dtype(request.dtype).itemsize / 1e6
        raise errors.StorageError(
            f"the bars, {size:,.1f} MB, cannot be laid out in {request.scratch or tempfile.gettempdir()}: {error.strerror}.",
            hint="Name a folder with more room by scratch=.",
        ) from error


def blocks(request: WindowRequest, instruments: Sequence[str], axis: pl.DataFrame) -> list[pl.DataFrame]:
    """The axis in pieces of whole sessions that are laid out one after the other."""
    width = len(instruments) * len(request.columns)
    return list(_blocks(axis, max(1, _BLOCK // width))) if axis.height and width else []


def _blocks(axis: pl.DataFrame, steps: int) -> Iterator[pl.DataFrame]:
    """Each of about so many steps."""
    sessions = axis["session"].rle().struct.unnest()
    start = size = 0
    for length in sessions["len"]:
        if size and size + length > steps:
            yield axis[start : start + size]
            start, size = start + size, 0
        size += length
    yield axis[start : start + size]


def _dense(
    request: WindowRequest, places: Mapping[str, int], block: pl.DataFrame, rows: pl.DataFrame
) -> npt.NDArray[np.floating[Any]]:
    import numpy as np

    for name, dtype in rows.select(request.columns).schema.items():
        if not (dtype.is_numeric() or dtype == pl.Boolean):
            raise errors.UsageError(f"the column {name} is no number.", hint="Windows hold numbers.")
    table = np.full((block.height, len(places), len(request.columns)), np.nan, request.dtype)
    steps = block.select("ts").with_row_index("step")
    known = pl.DataFrame({"instrument": list(places), "place": list(places.values())})
    placed = (
        rows.with_columns(pl.col("instrument").cast(pl.String))
        .join(steps, on="ts")
        .join(known, on="instrument")
    )
    values = placed.select(pl.col(request.columns).cast(pl.Float64)).to_numpy()
    table[placed["step"].to_numpy(), placed["place"].to_numpy()] = values
    return table
