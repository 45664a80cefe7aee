"""Rows as windows of one size: what an input pipeline of PyTorch or JAX takes. The one door to numpy."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, overload

import polars as pl

from fulltape import errors

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

_BLOCK = 4_000_000
"""So many values are laid out at a time."""
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
        rows: Callable[[pl.DataFrame], pl.DataFrame],
    ) -> None:
        """`axis`: every step of time, session and ts, in order. `rows` gives the bars of some consecutive steps: instrument, ts and the
        columns."""
        self._request = request
        self.instruments, self.columns = tuple(instruments), request.columns
        self._ts, self._sessions = axis["ts"].to_numpy(), axis["session"].to_numpy()
        self._table = _laid(request, self.instruments, axis, rows)
        steps = len(self._ts)
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
    window: int,
    stride: int | None,
    seed: int | None,
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
    step = window if stride is None else stride
    if window < 1 or step < 1:
        raise errors.UsageError("window and stride are numbers of bars, at least 1.")
    if step > window:
        raise errors.UsageError(f"a stride of {step} would leave out bars between windows of {window}.")
    if dtype not in ("float64", "float32"):
        raise errors.UsageError(f"dtype={dtype!r} is not known.", hint="It is float64, or float32.")
    if not columns or set(_KEY) & set(columns):
        raise errors.UsageError(
            "columns are the numbers of a bar, at least one; ts and instrument are told beside them."
        )
    return WindowRequest(
        columns=tuple(columns), window=window, stride=step, seed=seed, dtype=dtype, scratch=scratch
    )


def _order(count: int, seed: int | None) -> npt.NDArray[np.int64]:
    import numpy as np

    return np.arange(count) if seed is None else np.random.Generator(np.random.PCG64(seed)).permutation(count)


def _laid(
    request: WindowRequest,
    instruments: Sequence[str],
    axis: pl.DataFrame,
    rows: Callable[[pl.DataFrame], pl.DataFrame],
) -> npt.NDArray[np.floating[Any]]:
    """All bars as an array (time, instruments, columns), in a file without a name: it is gone once it is not read any more."""
    import numpy as np

    width = len(instruments) * len(request.columns)
    shape = (axis.height, len(instruments), len(request.columns))
    places = {name: at for at, name in enumerate(instruments)}
    if not axis.height or not width:
        return np.empty(shape, request.dtype)
    try:
        with tempfile.TemporaryFile(dir=request.scratch) as file:
            for block in _blocks(axis, max(1, _BLOCK // width)):
                file.write(_dense(request, places, block, rows(block)).tobytes())
            file.flush()
            return np.memmap(file, request.dtype, "r", shape=shape)
    except OSError as error:
        raise errors.StorageError(
            f"the bars, {np.prod(shape) * np.dtype(request.dtype).itemsize / 1e6:,.0f} MB, cannot be laid out in {request.scratch or tempfile.gettempdir()}: {error.strerror}.",
            hint="Name a folder with more room by scratch=.",
        ) from error


def _blocks(axis: pl.DataFrame, steps: int) -> Iterator[pl.DataFrame]:
    """The axis in pieces of whole sessions, each of about so many steps."""
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
