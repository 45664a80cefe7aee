"""What makes an interval verified, when history is asked about it, and which of its bars are taken."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import polars as pl
import pytest
from living import ALPACA, living

from fulltape.context import NodeContext
from fulltape.coverage.facts import CoverageFact
from fulltape.coverage.live import CapturedDay, Interval
from fulltape.decoding import frames
from fulltape.decoding.captured import EXTRA, LIVE, Comparison
from fulltape.lake.fetches import StoredFetch
from fulltape.market.time import HOUR, MINUTE, SECOND, Instant
from fulltape.seal.messages import compare, confirm, gap_repair
from fulltape.seal.messages.gap_repair import RepairedIntervals

SESSION = dt.date(2026, 11, 18)
OPEN = int(dt.datetime(2026, 11, 18, 14, 30, tzinfo=dt.UTC).timestamp()) * SECOND


def interval(context: NodeContext, start: Instant, end: Instant) -> Interval:
    one = Interval(
        source="alpaca.iex",
        dataset=ALPACA.dataset,
        instrument="AAPL",
        symbol="AAPL",
        session=SESSION,
        start=start,
        end=end,
        kind="disconnected",
    )
    with context.ledger.write():
        context.ledger.intervals.add([one])
    return context.ledger.intervals.find()[0]


def compared(**more: int) -> Comparison:
    return Comparison(**{"history": 5, "captured": 4, "missing": 1, "extra": 0, "differing": 0, **more})


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (compared(), "verified"),
        (compared(extra=1), "unverified"),
        (compared(lost=1), "unverified"),
    ],
    ids=["whole", "captured and unknown to history", "ids that nobody has"],
)
def test_only_a_history_that_has_everything_verifies(tmp_path: Path, found: Comparison, state: str) -> None:
    with living(tmp_path, ALPACA, first=SESSION) as node, node.opened() as context:
        one = interval(context, OPEN, OPEN + MINUTE)
        with context.ledger.write():
            context.ledger.intervals.decide(one.interval_id, "filling", "", now=OPEN)
            gap_repair.decide(
                context,
                RepairedIntervals(decided=[(one.interval_id, found)], answered_at=OPEN + MINUTE),
                OPEN + MINUTE,
            )
        (after,) = context.ledger.intervals.find()
        assert (after.state, after.evidence) == (state, found.sentence)


def test_an_answer_from_before_an_interval_ended_is_asked_for_again(tmp_path: Path) -> None:
    with living(tmp_path, ALPACA, first=SESSION) as node, node.opened() as context:
        one = interval(context, OPEN, OPEN + MINUTE)
        early = RepairedIntervals(decided=[(one.interval_id, compared())], answered_at=OPEN + MINUTE - 1)
        with context.ledger.write():
            context.ledger.intervals.decide(one.interval_id, "filling", "", now=OPEN)
            gap_repair.decide(context, early, OPEN + MINUTE)
        assert [one.state for one in context.ledger.intervals.find()] == ["unverified"]


def test_a_vendor_that_restates_is_not_asked_before_its_newest_minutes_stand(tmp_path: Path) -> None:
    with living(tmp_path, ALPACA, first=SESSION) as node, node.opened() as context:
        capability = context.feeds["alpaca.iex"].capability(ALPACA.dataset)
        assert capability is not None
        assert capability.delay
        interval(context, OPEN, OPEN + MINUTE)
        with context.ledger.write():
            assert gap_repair.enqueue(context, "alpaca.iex", OPEN + 2 * MINUTE) == 1
        (task,) = context.ledger.tasks.open(ALPACA.dataset)
        assert task.end is not None
        wait = min(capability.delay * SECOND, 20 * MINUTE)
        (kept_away,) = context.ledger.tasks.waits(task.task_id)
        assert kept_away["source"] == "alpaca.iex"
        assert kept_away["not_before"] == task.end + wait
        assert task.end >= OPEN + MINUTE


def test_the_newest_bar_of_an_answer_is_left_to_the_stream(tmp_path: Path) -> None:
    with living(tmp_path, ALPACA, first=SESSION) as node, node.opened() as context:
        wanted = context.wanted[ALPACA.dataset]
        timestamps = [OPEN + at * MINUTE for at in range(5)]
        bars = frames.conform(
            pl.DataFrame(
                {
                    "instrument": ["AAPL"] * 5,
                    "symbol": ["AAPL"] * 5,
                    "session": [SESSION] * 5,
                    "ts": pl.Series(timestamps).cast(pl.Datetime("us", "UTC")),
                    "close": [1.0] * 5,
                }
            ),
            wanted.dataset.schema.columns,
        )
        fetch = SimpleNamespace(
            dataset=ALPACA.dataset,
            source="alpaca.iex",
            start=OPEN,
            end=OPEN + 5 * MINUTE,
            first=SESSION,
            last=SESSION,
            symbols=("AAPL",),
        )
        record = SimpleNamespace(
            fetch=fetch, fetch_id="ask", instruments={"AAPL": "AAPL"}, tasks={}, started_at=OPEN
        )
        # Half a minute after the fifth bar began.
        end = SimpleNamespace(ended_at=OPEN + 4 * MINUTE + MINUTE // 2)
        stored = SimpleNamespace(record=record, end=end, complete_through=lambda: {"AAPL": SESSION})
        (draft,) = gap_repair.fill(context, cast("StoredFetch", stored), bars).drafts
        newest = pl.read_parquet(draft.file.temporary)["ts"].max()
        assert newest == dt.datetime.fromtimestamp((OPEN + 3 * MINUTE) / SECOND, tz=dt.UTC)


def bars(context: NodeContext, minutes: list[int]) -> pl.DataFrame:
    """Minute bars of AAPL so many minutes after the open."""
    timestamps = [OPEN + at * MINUTE for at in minutes]
    return frames.conform(
        pl.DataFrame(
            {
                "instrument": ["AAPL"] * len(minutes),
                "symbol": ["AAPL"] * len(minutes),
                "session": [SESSION] * len(minutes),
                "ts": pl.Series(timestamps, dtype=pl.Int64).cast(pl.Datetime("us", "UTC")),
                "close": [1.0] * len(minutes),
            }
        ),
        context.wanted[ALPACA.dataset].dataset.schema.columns,
    )


def test_rows_lost_unnoticed_are_those_outside_of_every_doubt(tmp_path: Path) -> None:
    with living(tmp_path, ALPACA, first=SESSION) as node, node.opened() as context:
        wanted = context.wanted[ALPACA.dataset]
        doubt = interval(context, OPEN + 10 * MINUTE, OPEN + 12 * MINUTE)
        day = CapturedDay(
            source="alpaca.iex", dataset=ALPACA.dataset, instrument="AAPL", symbol="AAPL", session=SESSION,
            start=OPEN + 2 * MINUTE, end=OPEN + 30 * MINUTE, rows=9, reconnects=1,
        )  # fmt: skip
        history = bars(context, list(range(40)))

        def unnoticed(lacking: list[int]) -> int:
            there = bars(context, [at for at in range(40) if at not in lacking])
            extra = {
                EXTRA[0]: pl.lit(None, dtype=pl.Datetime("ns", "UTC")),
                EXTRA[1]: pl.lit(LIVE, dtype=pl.UInt32),
            }
            return confirm._unnoticed(context, there.with_columns(**extra), history, wanted, day, [doubt])

        assert unnoticed([]) == 0
        assert unnoticed([11]) == 0, "it lies in the doubt"
        assert unnoticed([20, 21]) == 2
        assert unnoticed([0, 1]) == 0, "the stream was not live yet"
        assert unnoticed([35]) == 0, "nor any more"
        assert unnoticed([5, 11, 20, 35]) == 2


def captured(context: NodeContext, minutes: list[int]) -> pl.DataFrame:
    extra = {EXTRA[0]: pl.lit(None, dtype=pl.Datetime("ns", "UTC")), EXTRA[1]: pl.lit(LIVE, dtype=pl.UInt32)}
    return bars(context, minutes).with_columns(**extra)


def test_an_interval_is_held_against_its_own_rows_only(tmp_path: Path) -> None:
    with living(tmp_path, ALPACA, first=SESSION) as node, node.opened() as context:
        wanted = context.wanted[ALPACA.dataset]
        there, history = captured(context, list(range(30))), bars(context, [10, 11, 12, 13])
        span = (OPEN + 10 * MINUTE, OPEN + 14 * MINUTE - 1)
        found = compare.held_against(context, "alpaca.iex", there, history, wanted, *span)
        assert (found.history, found.captured, found.missing, found.extra) == (4, 4, 0, 0)
        lacking = bars(context, [10, 13])
        assert compare.held_against(context, "alpaca.iex", there, lacking, wanted, *span).extra == 2
        assert (
            compare.held_against(
                context, "alpaca.iex", captured(context, [10]), history, wanted, *span
            ).missing
            == 3
        )


def test_nothing_captured_has_the_columns_of_what_is(tmp_path: Path) -> None:
    with living(tmp_path, ALPACA, first=SESSION) as node, node.opened() as context:
        wanted = context.wanted[ALPACA.dataset]
        none = compare.nothing(wanted)
        assert none.is_empty()
        assert dict(none.schema) == dict(captured(context, [1]).schema)


@pytest.mark.parametrize(
    ("proved", "rows", "state"), [(True, 0, "verified"), (False, 0, "unverified"), (True, 2, "unverified")]
)
def test_an_empty_history_verifies_what_it_can_know(
    tmp_path: Path, proved: bool, rows: int, state: str
) -> None:
    with living(tmp_path, ALPACA, first=SESSION) as node, node.opened() as context:
        one = interval(context, OPEN, OPEN + MINUTE)
        late = replace(one, start=OPEN + MINUTE, end=OPEN + HOUR)
        done = replace(one, interval_id=99, state="verified")
        day = CapturedDay(
            source="alpaca.iex", dataset=ALPACA.dataset, instrument="AAPL", symbol="AAPL", session=SESSION,
            start=OPEN, end=OPEN + HOUR, rows=rows, reconnects=1,
        )  # fmt: skip
        stored = cast(
            "StoredFetch",
            SimpleNamespace(
                end=SimpleNamespace(ended_at=OPEN + MINUTE), record=SimpleNamespace(started_at=OPEN)
            ),
        )
        held = confirm.ConfirmedSessions()
        there = captured(context, list(range(rows)))
        confirm._silence(stored, day, there, [one, late, done], held, proved=proved)
        assert [(number, to) for number, to, _ in held.decided] == [(one.interval_id, state)]
        with context.ledger.write():
            context.ledger.streams.add_day(day)
            confirm.confirm(context, held, OPEN + HOUR)
        (after,) = context.ledger.intervals.find()
        assert (after.state, after.decided_at) == (state, OPEN + HOUR)
        assert f"{rows} were captured" in after.evidence
        (known,) = context.ledger.streams.days()
        assert (known.missed, known.extra, known.compared_at) == (
            0 if state == "verified" else -1,
            rows,
            OPEN + HOUR,
        )


def test_an_interval_that_was_decided_meanwhile_takes_the_newer_word(tmp_path: Path) -> None:
    with living(tmp_path, ALPACA, first=SESSION) as node, node.opened() as context:
        one = interval(context, OPEN, OPEN + MINUTE)
        with context.ledger.write():
            gap_repair.decide(
                context,
                RepairedIntervals(decided=[(one.interval_id, compared())], answered_at=OPEN),
                OPEN + MINUTE,
            )
        assert [one.state for one in context.ledger.intervals.find()] == ["verified"]


def test_a_hole_expects_as_many_rows_as_its_share_of_the_day(tmp_path: Path) -> None:
    with living(tmp_path, ALPACA, first=SESSION) as node, node.opened() as context:
        wanted = context.wanted[ALPACA.dataset]
        one = interval(context, OPEN, OPEN + MINUTE)
        whole = gap_repair._hole(wanted, one, OPEN, OPEN + 24 * HOUR, "alpaca.iex").expected_rows
        assert whole == wanted.rows((0, 1))
        assert gap_repair._hole(wanted, one, OPEN, OPEN + 12 * HOUR, "alpaca.iex").expected_rows == whole // 2
        assert gap_repair._hole(wanted, one, OPEN, OPEN + 1, "alpaca.iex").expected_rows == 1


@pytest.mark.parametrize(("sound", "state"), [(True, "verified"), (False, "unverified")])
def test_only_a_sound_silence_of_its_own_sessions_verifies(tmp_path: Path, sound: bool, state: str) -> None:
    later = SESSION + dt.timedelta(days=1)
    with living(tmp_path, ALPACA, first=SESSION) as node, node.opened() as context:
        one = interval(context, OPEN, OPEN + MINUTE)
        for session in (SESSION, later):
            with context.ledger.write():
                context.ledger.streams.add_day(
                    CapturedDay(
                        source="alpaca.iex", dataset=ALPACA.dataset, instrument="AAPL", symbol="AAPL",
                        session=session, start=OPEN, end=OPEN + HOUR, rows=0, reconnects=1,
                    )
                )  # fmt: skip
        fetch = SimpleNamespace(source="alpaca.iex", dataset=ALPACA.dataset, first=SESSION, last=SESSION)
        stored = SimpleNamespace(
            record=SimpleNamespace(fetch=fetch, started_at=OPEN), end=SimpleNamespace(ended_at=OPEN + HOUR)
        )
        fact = CoverageFact(
            dataset=ALPACA.dataset, instrument="AAPL", source="alpaca.iex", first=SESSION, last=later,
            fact="empty", sound=sound, final=True, since=OPEN, evidence="ask",
        )  # fmt: skip
        held = confirm.hold(context, cast("StoredFetch", stored), bars(context, []), [fact])
        assert [(number, to) for number, to, _ in held.decided] == [(one.interval_id, state)]
        assert {day.session for day, *_ in held.days} == {SESSION}
