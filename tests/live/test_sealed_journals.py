"""What a journal of messages comes to when it is sealed: what its ids prove, what was lost, and what is told of it."""

from __future__ import annotations

from pathlib import Path

from journals import BEGIN, journal_of, mark, node, trades

from clocks import FakeClock
from fulltape.context import Event, NodeContext
from fulltape.contract.events import ConnectionEvent
from fulltape.lake import journal
from fulltape.lake.journal import Record
from fulltape.market.time import DAY, SECOND
from fulltape.seal import run as seal
from fulltape.seal.pages.batch import STAGE

BTC = ("binance.spot", "crypto_trades", "BTC/USDT")
LATER = FakeClock(BEGIN + 10 * DAY)


def live(second: float) -> ConnectionEvent:
    return mark("confirmed", second, channels=("btcusdt@trade",))


def doubts(context: NodeContext) -> list[tuple[float, float, str, str]]:
    """From which second to which, of what kind, and how it stands."""
    return [
        ((doubt.start - BEGIN) / SECOND, (doubt.end - BEGIN) / SECOND, doubt.kind, doubt.state)
        for doubt in sorted(context.ledger.intervals.find(), key=lambda doubt: doubt.start)
    ]


def test_a_break_over_which_ids_follow_each_other_is_proved_to_have_lost_nothing(tmp_path: Path) -> None:
    with node(tmp_path, *BTC) as context:
        journal_of(
            context,
            BTC[0],
            live(1),
            trades(2, 1, 2, 3),
            mark("disconnected", 10, reason="broke"),
            live(12),
            trades(20, 4, 5),
            mark("disconnected", 30, reason="broke"),
            live(32),
            trades(40, 9),
            mark("closed", 50),
        )
        sealed = seal.run_once(context, LATER).captured
        assert doubts(context) == [
            (10, 12, "disconnected", "verified"),
            (30, 32, "disconnected", "unverified"),
        ]
        (proved,) = context.ledger.intervals.find(state="verified")
        assert proved.evidence == "broke; the ids before and after follow each other"
        assert (sealed.intervals, sealed.proved) == (2, 1)


def test_ids_that_are_missing_while_all_seemed_well_are_doubtful(tmp_path: Path) -> None:
    with node(tmp_path, *BTC) as context:
        journal_of(context, BTC[0], live(1), trades(2, 1), trades(3, 5), mark("closed", 50))
        seal.run_once(context, LATER)
        assert doubts(context) == [(2, 3.000001, "sequence break", "unverified")]


def test_what_was_dropped_of_a_channel_that_was_never_live_is_doubtful(tmp_path: Path) -> None:
    with node(tmp_path, *BTC) as context:
        journal_of(context, BTC[0], mark("dropped", 9, since=4, count=7), mark("closed", 20))
        seal.run_once(context, LATER)
        assert doubts(context) == [(4, 9.000001, "dropped", "unverified")]
        assert context.ledger.streams.days() == []


def test_sessions_in_which_nothing_was_live_were_not_captured_but_those_with_rows_were(
    tmp_path: Path,
) -> None:
    """Live on Friday, and on Monday until a moment before midnight by our clock, when the venue's was in Tuesday."""
    midnight = 4 * 86_400 - 8 * 3_600
    with node(tmp_path, *BTC) as context:
        journal_of(
            context,
            BTC[0],
            live(1),
            trades(2, 1),
            mark("disconnected", 10, reason="broke"),
            live(midnight - 60),
            trades(midnight - 30, 2),
            (midnight - 1, trades(midnight, 3)[1]),
            mark("closed", midnight - 0.5),
        )
        seal.run_once(context, LATER)
        days = [(day.session.day, day.rows) for day in context.ledger.streams.days()]
        assert days == [(15, 1), (18, 1), (19, 1)]


def test_what_lay_in_a_damaged_stretch_is_doubtful(tmp_path: Path) -> None:
    with node(tmp_path, *BTC) as context:
        path = journal_of(
            context, BTC[0], live(1), trades(2, 1), trades(5, 2), trades(8, 3), mark("closed", 20)
        )
        _, _, _, lost, *_ = [record for record in journal.read(path) if isinstance(record, Record)]
        content = bytearray(path.read_bytes())
        content[lost.offset + 60] ^= 1
        path.write_bytes(content)
        sealed = seal.run_once(context, LATER).captured
        assert (sealed.damaged, sealed.rows) == (1, 2)
        assert doubts(context) == [(2, 8.000001, "damage", "unverified")]


def test_a_message_that_cannot_be_read_is_kept_under_the_name_of_its_journal(tmp_path: Path) -> None:
    broken = trades(3, 2, price="much")
    with node(tmp_path, *BTC) as context:
        path = journal_of(context, BTC[0], live(1), trades(2, 1), broken, mark("closed", 20))
        assert seal.run_once(context, LATER).captured.broken == 1
        (rejection,) = context.ledger.rejections()
        assert rejection["reason"] == "messages that cannot be read"
        (kept,) = context.layout.rejected_files()
        assert kept.read_bytes() == broken[1][0] + b"\n"
        assert kept.name.startswith(path.stem.lower())


def test_a_journal_that_shall_be_sealed_once_more_is_and_only_once(tmp_path: Path) -> None:
    with node(tmp_path, *BTC) as context:
        path = journal_of(context, BTC[0], live(1), trades(2, 1, 2), mark("closed", 20))
        assert seal.run_once(context, LATER).captured.rows == 2
        assert seal.run_once(context, LATER).captured.rows == 0
        with context.ledger.write():
            context.ledger.damages.redo(STAGE, "", [path.stem])
        events: list[Event] = []
        assert seal.run_once(context, LATER, events.append).captured.rows == 2
        assert [(event.stage, event.done, event.total) for event in events] == [(STAGE, 1, 1)]
        assert seal.run_once(context, LATER).captured.rows == 0


def test_a_doubt_tells_what_was_seen(tmp_path: Path) -> None:
    """Why a connection broke is kept with its interval, whatever history says of it later."""
    with node(tmp_path, "alpaca.iex", "equities_bars_minute", "AAPL") as context:
        journal_of(
            context,
            "alpaca.iex",
            mark("confirmed", 23_400, channels=("b|AAPL",)),
            mark("disconnected", 23_500, since=23_450, reason="the vendor closed it: 1006"),
            mark("confirmed", 23_550, channels=("b|AAPL",)),
            mark("closed", 23_600),
        )
        seal.run_once(context, FakeClock(BEGIN + DAY))
        details = [interval.detail for interval in context.ledger.intervals.find()]
    assert "the vendor closed it: 1006" in details
