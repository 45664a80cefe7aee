"""Reading journals behind their writer: whatever is written and whenever it is looked at, everything once and in order."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from clocks import FakeClock
from fulltape.lake import files, journal, tail
from fulltape.lake.journal import Journal, RecordKind
from fulltape.lake.layout import SEALED, Layout
from fulltape.lake.tail import Bookmark

WRITER, SOURCE = "node.capture", "a.x"
STEPS = st.lists(st.sampled_from(["write", "sync", "next", "look", "seal"]), max_size=40)


def seal(path: Path) -> None:
    """As sealing does it: packed under another name, then the old one goes."""
    journal.pack(path, path.with_suffix(SEALED))
    files.remove(path)


@given(steps=STEPS)
def test_everything_is_read_once_and_in_order(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        layout, clock = Layout(root=Path(folder)), FakeClock()
        bookmark, closed = Bookmark(), list[Path]()
        written, seen = list[bytes](), list[bytes]()
        open_one: Journal | None = None

        def look() -> None:
            nonlocal bookmark
            for record, behind in tail.read(layout, WRITER, SOURCE, bookmark):
                bookmark = behind
                seen.append(record.payload)

        for step in [*steps, "look"]:
            if step == "write":
                open_one = open_one or Journal(layout, writer=WRITER, source=SOURCE, clock=clock)
                written.append(str(len(written)).encode())
                open_one.append(RecordKind.MESSAGES, written[-1])
            elif step == "sync" and open_one:
                open_one.sync()
            elif step == "next" and open_one:
                open_one.close()
                closed.append(open_one.path)
                open_one = None
                clock.sleep(1)
            elif step == "seal" and closed:
                seal(closed.pop(0))
            elif step == "look":
                look()
        assert seen == written
        assert all(tail.passed(path, bookmark) for path in layout.stream_files(WRITER, SOURCE))
        if written:
            assert not all(tail.passed(path, Bookmark()) for path in layout.stream_files(WRITER, SOURCE))
        if open_one:
            open_one.close()


def test_a_file_is_passed_only_once_its_last_record_was_read(tmp_path: Path) -> None:
    layout = Layout(root=tmp_path)
    one = Journal(layout, writer=WRITER, source=SOURCE, clock=FakeClock())
    for text in (b"a", b"b"):
        one.append(RecordKind.MESSAGES, text)
    one.close()
    (_, first), (_, second) = tail.read(layout, WRITER, SOURCE, Bookmark())
    assert not tail.passed(one.path, first)
    assert tail.passed(one.path, second)
    assert tail.passed(one.path, Bookmark(file=f"{one.path.stem}z"))
    assert not tail.passed(one.path, Bookmark(file="0"))


def test_a_clock_that_is_put_back_hides_nothing(tmp_path: Path) -> None:
    """Readers go by the order of names, so that a name is never earlier than one that was given before."""
    layout, clock = Layout(root=tmp_path), FakeClock()
    first = Journal(layout, writer=WRITER, source=SOURCE, clock=clock)
    first.append(RecordKind.MESSAGES, b"first")
    first.close()
    ((_, bookmark),) = tail.read(layout, WRITER, SOURCE, Bookmark())
    clock.sleep(-60)
    second = Journal(layout, writer=WRITER, source=SOURCE, clock=clock)
    second.append(RecordKind.MESSAGES, b"second")
    second.close()
    assert [record.payload for record, _ in tail.read(layout, WRITER, SOURCE, bookmark)] == [b"second"]
    assert not tail.passed(second.path, bookmark)
    files.remove(first.path)
    files.remove(second.path)
    third = Journal(layout, writer=WRITER, source=SOURCE, clock=clock, after=second.path.stem)
    third.close()
    assert third.path.stem > second.path.stem


def test_while_a_journal_is_sealed_it_is_read_once(tmp_path: Path) -> None:
    layout = Layout(root=tmp_path)
    one = Journal(layout, writer=WRITER, source=SOURCE, clock=FakeClock())
    for text in (b"a", b"b"):
        one.append(RecordKind.MESSAGES, text)
    one.close()
    journal.pack(one.path, one.path.with_suffix(SEALED))
    reading = tail.read(layout, WRITER, SOURCE, Bookmark())
    assert len(list(reading)) == 2
    files.remove(one.path.with_suffix(SEALED))
    listed = layout.stream_files(WRITER, SOURCE)
    seal(one.path)
    assert listed == [one.path]
    assert len(list(tail.read(_Listed(layout, listed), WRITER, SOURCE, Bookmark()))) == 2


class _Listed(Layout):
    """A layout that was listed before a file was sealed."""

    def __init__(self, layout: Layout, listed: list[Path]) -> None:
        super().__init__(root=layout.root)
        object.__setattr__(self, "_listed", listed)

    def stream_files(self, writer: str, source: str, *, since: str = "") -> list[Path]:
        return self._listed  # type: ignore[attr-defined, no-any-return]
