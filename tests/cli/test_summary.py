"""`fulltape status` in few lines: what is wrong comes first, and what is left out is summed up."""

from __future__ import annotations

import pytest

from fulltape.ledger.database import Row
from fulltape.terminal import summary
from fulltape.views.state import SourceState


def source(name: str, refusals: int, **outcomes: int) -> SourceState:
    return SourceState(
        source=name,
        requests=sum(outcomes.values()),
        outcomes=outcomes,
        per_minute=200,
        last_minute=3,
        per_day=0,
        today=1_234,
        closed_until="",
        refusals={f"equities_bars_day S{at}": f"not_entitled: 403 of request {at}" for at in range(refusals)},
    )


def test_what_is_wrong_comes_first_and_the_rest_is_summed() -> None:
    cells = {f"d{at}": {"wanted": 10, "held": 10, "missing": 0} for at in range(30)}
    cells["d25"] = {"wanted": 10, "held": 7, "missing": 3}
    verdicts = {name: {"GREEN": 10} for name in cells}
    verdicts["d28"] = {"GREEN": 9, "RED": 1}
    lines = summary.datasets(cells, verdicts, {name: name for name in cells}, summary.DATASETS)
    assert len(lines) == summary.DATASETS + 1
    assert "d25: 10 wanted, 7 held, 3 missing; 10 GREEN" in lines
    assert "d28: 10 wanted, 10 held; 9 GREEN, 1 RED" in lines
    assert lines[-1] == "… and 23 datasets more: 230 wanted, 230 held; 230 GREEN"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"missing": 1}, "2 missing"),
        ({"partial": 1}, "2 partly held"),
        ({"unobtainable": 1}, "2 no vendor has it"),
        ({"unknown_listing": 1}, "2 unknown listing"),
    ],
)
def test_nothing_that_is_wrong_hides_behind_what_is_well(wrong: dict[str, int], words: str) -> None:
    cells = {f"d{at}": {"wanted": 1, "held": 1} for at in range(20)} | {"bad": {"wanted": 1, **wrong}}
    lines = summary.datasets(cells, {name: {} for name in cells}, {name: name for name in cells}, 1)
    assert lines[0].startswith("bad: ")
    many = summary.datasets(
        {f"d{at}": {"wanted": 1, **wrong} for at in range(3)}, {f"d{at}": {} for at in range(3)},
        {f"d{at}": f"d{at}" for at in range(3)}, 1,
    )  # fmt: skip
    assert words in many[-1]


def test_a_node_with_many_of_everything_fits_25_lines() -> None:
    cells = {f"d{at}": {"wanted": 10, "missing": 10} for at in range(30)}
    rejected: list[Row] = [
        {"source": "a.sip", "reason": f"reason {chr(97 + at % 26)}{chr(97 + at // 26)}", "pages": at}
        for at in range(60)
    ]
    lines = [
        *summary.datasets(
            cells, {name: {} for name in cells}, {name: name for name in cells}, summary.DATASETS
        ),
        *["wanted from a day that has not come"] * summary.FUTURE,
        "tasks",
        "capture",
        *summary.sources(
            [source(f"v{at}.x", 400, rows=5, transient=1) for at in range(12)], summary.SOURCES, verbose=False
        ),
        *summary.rejections(rejected, summary.REJECTIONS),
        "newest bundle",
        "in full",
    ]
    assert len(lines) <= 25
    assert "  may not be asked for equities_bars_day S0 and 399 more (not_entitled: … of request …)".replace(
        "…", ""
    ) in [line.replace("…", "") for line in lines]
    assert "rejected: a.sip, 59 times: reason hc" in lines
    assert len(summary.sources([source("v.x", 400, rows=5)], 1, verbose=True)) == 401
