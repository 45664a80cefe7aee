"""The journal: whatever happens to the bytes, every other record is read and the damage is found."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clocks import FakeClock
from fulltape import errors
from fulltape.lake import journal
from fulltape.lake.journal import Journal, JournalDamage, Record, RecordKind
from fulltape.lake.layout import Layout

PAYLOADS = [bytes([number]) * (number * 7 % 40) for number in range(30)]


def file_of(payloads: list[bytes]) -> tuple[bytes, list[int]]:
    """The bytes of a small journal, and the offset behind each record."""
    data, ends = b"", []
    for number, payload in enumerate(payloads):
        data += journal.encode(RecordKind.PAGE, number, payload)
        ends.append(len(data))
    return data, ends


def read(data: bytes) -> tuple[list[bytes], list[JournalDamage]]:
    items = list(journal.scan(data))
    return (
        [item.payload for item in items if isinstance(item, Record)],
        [item for item in items if isinstance(item, JournalDamage)],
    )


@given(
    st.lists(
        st.tuples(st.sampled_from(list(RecordKind)), st.integers(0, 2**62), st.binary(max_size=200)),
        max_size=10,
    )
)
def test_what_was_written_is_read(records: list[tuple[RecordKind, int, bytes]]) -> None:
    data = b"".join(journal.encode(*record) for record in records)
    items = list(journal.scan(data))
    assert [
        (item.kind, item.received_ns, item.payload) for item in items if isinstance(item, Record)
    ] == records
    assert len(items) == len(records)


def test_truncated_anywhere_every_whole_record_is_read_and_the_rest_is_found() -> None:
    data, ends = file_of(PAYLOADS)
    for length in range(len(data) + 1):
        whole = sum(end <= length for end in ends)
        payloads, damage = read(data[:length])
        assert payloads == PAYLOADS[:whole]
        torn = length - (ends[whole - 1] if whole else 0)
        assert damage == ([JournalDamage(offset=length - torn, length=torn, torn=True)] if torn else [])


def test_a_thousand_bit_flips_lose_one_record_each_and_never_hide() -> None:
    data, ends = file_of(PAYLOADS)
    dice = random.Random(1)
    for _ in range(1_000):
        at = dice.randrange(len(data))
        flipped = bytearray(data)
        flipped[at] ^= 1 << dice.randrange(8)
        hit = sum(end <= at for end in ends)
        payloads, damage = read(bytes(flipped))
        assert payloads == PAYLOADS[:hit] + PAYLOADS[hit + 1 :]
        assert len(damage) == 1
        assert damage[0].offset <= at < damage[0].offset + damage[0].length


def test_rubbish_between_records_is_skipped_and_counted() -> None:
    one, two = journal.encode(RecordKind.FETCH, 1, b"one"), journal.encode(RecordKind.END, 2, b"two")
    payloads, damage = read(one + journal.MAGIC + b"rubbish" * 9 + two)
    assert payloads == [b"one", b"two"]
    assert [(found.offset, found.length) for found in damage] == [(len(one), 4 + 63)]


def test_a_living_writer_holds_its_file_and_a_closed_file_is_free(tmp_path: Path) -> None:
    writer = Journal(Layout(root=tmp_path), writer="node", source="alpaca.sip", clock=FakeClock())
    writer.append(RecordKind.FETCH, b"x")
    assert journal.in_use(writer.path)
    writer.close()
    assert not journal.in_use(writer.path)
    assert [item.payload for item in journal.read(writer.path) if isinstance(item, Record)] == [b"x"]


def test_a_record_that_was_written_in_part_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full only when the rest of a record follows."""
    writer = Journal(Layout(root=tmp_path), writer="node", source="alpaca.sip", clock=FakeClock())
    writer.append(RecordKind.PAGE, b"kept")
    genuine = os.write

    def half(fd: int, pieces: Sequence[bytes]) -> int:
        data = b"".join(pieces)
        return genuine(fd, data[: len(data) // 2])

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "writev", half)
    monkeypatch.setattr(os, "write", full)
    size = writer.path.stat().st_size
    with pytest.raises(errors.StorageError, match="cannot grow: No space left"):
        writer.append(RecordKind.PAGE, b"lost" * 100)
    monkeypatch.undo()
    assert writer.path.stat().st_size == size
    writer.append(RecordKind.PAGE, b"later")
    writer.close()
    assert [item.payload for item in journal.read(writer.path) if isinstance(item, Record)] == [
        b"kept",
        b"later",
    ]
    assert all(isinstance(item, Record) for item in journal.read(writer.path))


def test_a_full_disk_is_a_clear_error_and_leaves_whole_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Journal(Layout(root=tmp_path), writer="node", source="alpaca.sip", clock=FakeClock())
    writer.append(RecordKind.PAGE, b"kept")

    def full(fd: int, pieces: Sequence[bytes]) -> int:
        data = b"".join(pieces)
        os.write(fd, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "writev", full)
    with pytest.raises(errors.StorageError, match="cannot grow: No space left"):
        writer.append(RecordKind.PAGE, b"lost" * 100)
    monkeypatch.undo()
    writer.append(RecordKind.PAGE, b"later")
    writer.close()
    items = list(journal.read(writer.path))
    assert [item.payload for item in items if isinstance(item, Record)] == [b"kept", b"later"]


@st.composite
def written(draw: st.DrawFn) -> bytes:
    payloads = draw(st.lists(st.binary(max_size=300), max_size=12))
    return b"".join(journal.encode(RecordKind.MESSAGES, at, one) for at, one in enumerate(payloads))


@given(written(), st.integers(1, 700))
def test_a_packed_journal_says_the_same(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, size: int
) -> None:
    folder = tmp_path_factory.mktemp("packed")
    plain, packed, twice = (folder / name for name in ("plain", "packed", "twice"))
    plain.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "_STRETCH_BYTES", size)
        journal.pack(plain, packed)
        journal.pack(packed, twice)
    assert twice.read_bytes() == packed.read_bytes()
    assert list(journal.read(packed)) == list(journal.read(plain))
    ends = [0, *(after for _, after in journal.follow(plain, 0))]
    for offset in ends:
        assert list(journal.follow(packed, offset)) == list(journal.follow(plain, offset))


def test_a_damage_of_a_packed_journal_costs_one_stretch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_STRETCH_BYTES", 100)
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    plain.write_bytes(file_of(PAYLOADS)[0])
    journal.pack(plain, packed)
    stretches = [one for one in journal.scan(packed.read_bytes()) if isinstance(one, Record)]
    assert len(stretches) > 5
    whole = list(journal.read(plain))
    for at, lost in enumerate(stretches):
        content = bytearray(packed.read_bytes())
        content[lost.offset + 30] ^= 1
        (tmp_path / "hurt").write_bytes(content)
        found = list(journal.read(tmp_path / "hurt"))
        records = [one for one in found if isinstance(one, Record)]
        assert sum(isinstance(one, JournalDamage) for one in found) == 1
        assert all(one in whole for one in records)
        start = int.from_bytes(lost.payload[:8], "little")
        end = start + int.from_bytes(lost.payload[8:12], "little")
        assert [
            one for one in whole if isinstance(one, Record) and not start <= one.offset < end
        ] == records, at
        assert [one for one, _ in journal.follow(tmp_path / "hurt", 0)] == records


def test_a_damaged_journal_is_not_packed(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(file_of(PAYLOADS)[0][:-1])
    with pytest.raises(errors.StorageError, match="is damaged"):
        journal.pack(plain, tmp_path / "packed")
    assert [path.name for path in tmp_path.iterdir()] == ["plain"]


def test_only_the_end_of_a_file_is_torn() -> None:
    """What lies before a record that verifies was written whole, and has been damaged since."""
    first, last = journal.encode(RecordKind.FETCH, 1, b"one"), journal.encode(RecordKind.END, 2, b"two")
    assert [damage.torn for damage in read(first + b"rubbish" + last)[1]] == [False]
    assert [damage.torn for damage in read(first + b"rubbish" + last + b"rubbish")[1]] == [False, True]
