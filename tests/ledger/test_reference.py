"""The reference table only grows: the newest word holds, what held before can be read, membership is dated."""

from __future__ import annotations

import datetime as dt

import msgspec

from fulltape.ledger.ledger import Ledger
from fulltape.market.reference import ReferenceEntry, ReferenceFacts

OPEN = ReferenceEntry(
    instrument="A", symbol="A", first=dt.date(2020, 1, 2), facts=ReferenceFacts(type="CS"), origin="f.csv"
)
CLOSED = msgspec.structs.replace(OPEN, last=dt.date(2024, 6, 3))


def test_the_newest_word_holds_and_the_earlier_one_can_be_read(ledger: Ledger) -> None:
    with ledger.write():
        assert ledger.reference.add([OPEN], now=1) == 1
        assert ledger.reference.add([OPEN], now=2) == 0
        before = ledger.reference.sequence
        assert ledger.reference.add([CLOSED], now=3) == 1
    assert ledger.reference.listings() == [CLOSED]
    assert ledger.reference.listings(known=before) == [OPEN]
    with ledger.write():
        ledger.reference.remove(CLOSED, now=4)
    assert ledger.reference.listings() == []


def test_membership_is_written_down_when_it_changes(ledger: Ledger) -> None:
    days = [dt.date(2024, 1, 2), dt.date(2024, 1, 3), dt.date(2024, 1, 4)]
    with ledger.write():
        assert ledger.reference.snapshot("u", ["A", "B"], days[0], now=1) == 2
        assert ledger.reference.snapshot("u", ["B", "A"], days[1], now=2) == 0
        assert ledger.reference.snapshot("u", ["B", "C"], days[2], now=3) == 2
        assert ledger.reference.snapshot("other", ["A"], days[2], now=3) == 1
    assert ledger.reference.members("u") == {"B": days[0], "C": days[2]}
    changes = [(row["universe"], row["instrument"], row["inside"]) for row in ledger.reference.memberships()]
    assert [change for change in changes if change[:2] == ("u", "A")] == [("u", "A", 1), ("u", "A", 0)]
