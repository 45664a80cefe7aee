"""The table of `fulltape gaps`: symbols that lack the same share a line."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

from fulltape import context
from fulltape.cli import gaps as shown
from fulltape.coverage.facts import CoverageFact
from fulltape.coverage.series import Picture
from fulltape.market.time import DAY, midnight
from fulltape.terminal import sheet
from fulltape.views import gaps as finding
from fulltape.views.gaps import Gap
from nodes import Wish, opened, write_node


def gap(instrument: str, *, day: int = 1, why: str = "missing") -> Gap:
    return Gap(
        dataset="equities_bars_day",
        instrument=instrument,
        first=dt.date(2026, 9, day),
        last=dt.date(2026, 9, day + 4),
        sessions=5,
        reason=why,
        next="queued",
    )


def test_symbols_that_lack_the_same_share_a_line() -> None:
    found = [gap(f"S{number}") for number in range(400)] + [
        gap("A", day=8),
        gap("B", day=8),
        gap("C", why="refused"),
    ]
    lines = shown.lines(found, 40, apart=False, width=None)
    assert len(lines) == 4
    assert lines[1].split("  ")[:3] == ["equities_bars_day", "S0 and 399 more", "2026-09-01 to 2026-09-05"]
    assert "A, B " in lines[2]
    assert "5 each" in lines[2]
    assert "refused" in lines[3]


def test_each_symbol_may_have_its_line_and_what_is_left_out_is_said() -> None:
    lines = shown.lines([gap(f"S{number}") for number in range(400)], 40, apart=True, width=None)
    assert len(lines) == 42
    assert lines[-1] == "… and 360 lines more (--most, --json, --picture, --out)"
    assert shown.lines([], 40, apart=False, width=None) == []


def test_the_page_has_a_legend_names_and_a_table() -> None:
    calendar = context.calendar("XNYS")
    (span,) = [calendar.between(dt.date(2024, 11, 1), dt.date(2025, 2, 28))]
    half = (span[0], span[0] + 30)
    lacking = Picture(
        wanted=(span,), held=(half,), partial=(), empty=(), unobtainable=(), unknown_listing=(), missing=((half[1], span[1]),)
    )  # fmt: skip
    whole = Picture(
        wanted=(span,), held=(span,), partial=(), empty=(), unobtainable=(), unknown_listing=(), missing=()
    )
    table = [row[1:] for row in shown.rows([gap("<B>")])]
    page = sheet.html(
        [
            sheet.grid("equities_bars_day", calendar, [("<B>", lacking)], table),
            sheet.grid("equities_bars_minute", calendar, [("AAPL", whole)]),
        ],
        shown.HEAD[1:],
    )
    assert all(f"</i>{words}</span>" in page for _, words in sheet.COLOURS.values())
    assert "&lt;B&gt; 2025-01 to 2025-02: missing" in page
    assert "<B>" not in page
    assert all(f"<th>{name}</th>" in page for name in shown.HEAD[1:])
    assert "<td>2026-09-01 to 2026-09-05</td><td>5</td><td>missing</td><td>queued</td>" in page
    assert page.count("Nothing is missing.") == 1
    assert "width=device-width" in page


def test_what_every_source_refused_says_why_and_when_it_is_asked_again(tmp_path: Path) -> None:
    since = midnight(dt.date(2026, 9, 1))
    node = write_node(
        tmp_path / "node", {"alpaca": "http://127.0.0.1:9"},
        [Wish("equities_bars_day", "2012-10-01", "2012-10-05", ("alpaca.sip",))],
        universe="symbol,listed_from,listed_to,instrument\nAAPL,1980-12-12,,\n",
    )  # fmt: skip
    with opened(node) as own:
        fact = CoverageFact(
            dataset="equities_bars_day", instrument="AAPL", source="alpaca.sip",
            first=dt.date(2012, 10, 1), last=dt.date(2012, 10, 5), fact="refused", sound=False, final=True,
            since=since, evidence="x", reason="no such symbol",
        )  # fmt: skip
        calendar = own.wanted["equities_bars_day"]
        for shown_before, told in ((1, "2026-09-01"), (2, "2026-09-08"), (3, "2026-10-01")):
            with own.ledger.write():
                own.ledger.coverage.record([replace(fact, shown=shown_before)], calendar.next_session)
            (found,) = finding.gaps(own, since)
            assert found.next == f"alpaca.sip: no such symbol; alpaca.sip is asked again after {told}"
            (late,) = finding.gaps(own, since + 31 * DAY)
            assert late.next == "alpaca.sip: no such symbol; the next audit asks alpaca.sip again"
            with own.ledger.write():
                own.ledger.database.run(
                    "drop_coverage", dataset="equities_bars_day", instrument="AAPL", source="alpaca.sip",
                    first_session="2012-10-01",
                )  # fmt: skip
