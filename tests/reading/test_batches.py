"""Windows of bars hold exactly the rows of a scan, on the steps that the calendar expects."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fulltape
import holed
from clocks import SkippingClock
from fulltape import errors
from fulltape.node import nightly
from fulltape.reading.windows import BarWindow, Windows
from fulltape.simulator import market as markets
from nodes import needs_data, opened, simulated

pytestmark = needs_data
DAYS, MINUTES = "equities_bars_day", "equities_bars_minute"
SPLITS = '\n[export]\nsplits = { train = "2012-01-03", test = "2012-09-04", later = "2013-06-03" }\npurge = 2\nembargo = 1\n'


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    universe = markets.sample_universe()
    folder = tmp_path_factory.mktemp("windows")
    with (
        simulated(folder, holed.market(), holed.WISHES, universe=universe, extra=SPLITS) as (node, _),
        opened(node) as context,
    ):
        nightly.run(context, SkippingClock())
    (path,) = (node / "lake" / "exports" / "nightly").iterdir()
    return path


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    window=st.integers(1, 300),
    share=st.floats(0.05, 1),
    seed=st.none() | st.integers(0, 9),
    asked=st.sampled_from(
        [
            (DAYS, {}),
            (DAYS, {"symbols": ["IBM", "AAPL"], "start": "2012-05-21", "end": "2012-07-10"}),
            (MINUTES, {"start": "2012-11-21", "end": "2012-11-26"}),
            (MINUTES, {"every": "15m"}),
            (MINUTES, {"symbols": "AAPL", "every": "1d", "columns": ["close", "sma_3"]}),
        ]
    ),
)
def test_windows_hold_the_rows_of_a_scan(
    bundle: Path, window: int, share: float, seed: int | None, asked: tuple[str, dict[str, Any]]
) -> None:
    dataset, more = asked
    stride = max(1, int(window * share))
    reader = fulltape.open(bundle)
    steps = len(reader.batches(dataset, window=1, **more))
    window, stride = min(window, steps), min(stride, steps)
    with pytest.raises(errors.UsageError, match="longer than"):
        reader.batches(dataset, window=steps + 1, **more)
    windows = reader.batches(dataset, window=window, stride=stride, seed=seed, **more)
    columns = more.get("columns", ["open", "high", "low", "close", "volume"])
    gridded = {**more, "grid": True, "columns": ["instrument", "session", "ts", *columns]}
    expected = reader.scan(dataset, **gridded).collect().with_columns(pl.col("instrument").cast(pl.String))
    if dataset == MINUTES and "every" not in more:
        regular = reader.scan(dataset, **{**more, "grid": True}).collect()
        expected = expected.filter(regular["phase"] == "regular")
    axis = sorted(set(expected["ts"]))
    by_place = {(row[0], row[2]): row[3:] for row in expected.rows()}
    assert list(windows.instruments) == sorted({name for name, _ in by_place})
    seen: list[int] = []
    for each in windows:
        assert each.values.shape == each.valid.shape == (len(windows.instruments), window, len(columns))
        start = axis.index(each.ts[0].item().replace(tzinfo=axis[0].tzinfo))
        seen.append(start)
        for step in range(window):
            if start + step >= len(axis):
                assert np.isnat(each.ts[step])
                assert np.isnat(each.sessions[step])
                assert not each.valid[:, step].any()
                continue
            assert each.ts[step].item() == axis[start + step].replace(tzinfo=None)
        for place, name in enumerate(windows.instruments):
            for step in {0, window // 2, window - 1} & set(range(len(axis) - start)):
                bar = by_place.get((name, axis[start + step]), (None,) * len(columns))
                for at, value in enumerate(bar):
                    assert bool(each.valid[place, step, at]) == (value is not None)
                    assert (
                        np.isnan(each.values[place, step, at])
                        if value is None
                        else each.values[place, step, at] == value
                    )
    assert len(seen) == len(windows)
    assert sorted(seen) == list(range(0, (len(seen) - 1) * stride + 1, stride))
    assert (len(seen) - 1) * stride + window >= len(axis)  # every step is in a window
    assert len(seen) == 1 or (len(seen) - 2) * stride + window < len(axis)  # none holds nothing new
    assert seen == sorted(seen) if seed is None else True


def test_holes_are_masked_and_never_filled(bundle: Path) -> None:
    day = {"start": holed.ONE, "end": holed.ONE}
    (whole,) = fulltape.open(bundle).batches(MINUTES, window=210, **day)  # type: ignore[arg-type]
    assert not np.isnat(whole.ts).any()  # the day after Thanksgiving closes at 13:00
    place = whole.instruments.index("AAPL")
    minute = int(np.flatnonzero(whole.ts == np.datetime64(holed.HOLE.replace(tzinfo=None)))[0])
    assert not whole.valid[place, minute : minute + 2].any()
    assert np.isnan(whole.values[place, minute : minute + 2]).all()
    assert whole.valid[place, minute - 1].all()
    assert whole.valid[place, minute + 2].all()


def test_a_seed_gives_the_same_order_every_time(bundle: Path) -> None:
    def order(seed: int | None) -> list[Any]:
        return [each.ts[0] for each in fulltape.open(bundle).batches(DAYS, window=5, seed=seed)]

    assert order(7) == order(7)
    assert order(7) != order(8)
    assert sorted(order(7)) == order(None)


def test_splits_are_purged_and_no_window_crosses_them(bundle: Path) -> None:
    reader, node = fulltape.open(bundle), fulltape.open(bundle.parents[3])
    sessions = reader.sessions(DAYS)["session"].to_list()
    edge = next(at for at, day in enumerate(sessions) if day.isoformat() >= "2012-09-04")
    for opened_as in (reader, node):
        train, test = (opened_as.batches(DAYS, window=20, split=name) for name in ("train", "test"))
        trained = {day.item() for each in train for day in each.sessions if not np.isnat(day)}
        tested = {day.item() for each in test for day in each.sessions if not np.isnat(day)}
        assert trained == set(sessions[: edge - 2])
        assert tested == set(sessions[edge + 1 :])
        with pytest.raises(errors.UsageError, match="later of equities_bars_day has no sessions"):
            opened_as.batches(DAYS, window=20, split="later")
        with pytest.raises(errors.UsageError, match="no split 'valid'"):
            opened_as.batches(DAYS, window=20, split="valid")


@pytest.mark.parametrize(
    ("dataset", "asked", "words"),
    [
        (DAYS, {"window": 0}, "no whole number from 1"),
        (DAYS, {"window": 5.5}, "no whole number"),
        (DAYS, {"window": True}, "no whole number"),
        (DAYS, {"window": 10**13}, "no whole number"),
        (DAYS, {"window": 5, "seed": -1}, "no whole number from 0"),
        (DAYS, {"window": 5, "accept": ["good"]}, "is not known"),
        (DAYS, {"window": 5, "start": ""}, "is no date"),
        (DAYS, {"window": 5, "split": "test", "end": "2012-06-01"}, "has no sessions"),
        (DAYS, {"window": 5, "stride": 6}, "would leave out bars"),
        (DAYS, {"window": 5, "dtype": "int8"}, "is not known"),
        (DAYS, {"window": 5, "columns": ["ts", "close"]}, "told beside them"),
        (DAYS, {"window": 5, "columns": []}, "at least one"),
        (DAYS, {"window": 5, "columns": ["clos"]}, "no column 'clos'"),
        (DAYS, {"window": 5, "columns": ["source"]}, "source is no number"),
        (MINUTES, {"window": 5, "every": "500 ticks"}, "ticks"),
        (DAYS, {"window": 5, "start": "2013-01-01", "end": "2012-01-01"}, "lies after"),
        (DAYS, {"window": 5, "start": "2012-01-03T10:00Z"}, "date"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    bundle: Path, dataset: str, asked: dict[str, Any], words: str
) -> None:
    with pytest.raises(errors.UsageError, match=words):
        fulltape.open(bundle).batches(dataset, **asked)


def test_a_stretch_without_rows_has_no_windows(bundle: Path) -> None:
    assert len(fulltape.open(bundle).batches(DAYS, window=5, start="2014-01-02", end="2014-02-03")) == 0


def test_windows_are_the_users_own_and_survive_the_bundle(bundle: Path, tmp_path: Path) -> None:
    windows = fulltape.open(bundle).batches(DAYS, window=5, scratch=tmp_path, dtype="float32")
    assert not list(tmp_path.iterdir())  # a file without a name
    first = windows[0]
    assert first.values.dtype == np.float32
    first.values[:] = -1
    assert (windows[0].values != -1).any()
    assert isinstance(windows[-1], BarWindow)
    assert len(windows[1:3]) == 2
    with pytest.raises(IndexError):
        windows[len(windows)]
    copy: Windows = pickle.loads(pickle.dumps(windows))
    assert np.array_equal(copy[3].values, windows[3].values, equal_nan=True)


def test_a_scratch_folder_that_takes_nothing_is_named(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.StorageError, match=r"cannot be laid out in .*gone"):
        fulltape.open(bundle).batches(DAYS, window=5, scratch=tmp_path / "gone")


def test_without_numpy_the_extra_is_named(bundle: Path) -> None:
    script = (
        "import sys; sys.modules['numpy'] = None; import fulltape; from fulltape import errors\n"
        f"try: fulltape.open({str(bundle)!r}).batches('{DAYS}', window=5)\n"
        "except errors.UsageError as error: print(error, error.hint)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "needs numpy" in done.stdout
    assert "extra numpy" in done.stdout
