"""A thousand spoiled answers for every vendor: no exception, no row that breaks the types, no number that is none."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_recorded import HERE, question, read

from conversations import canned, talk
from fulltape import vendors
from fulltape.calendars import tables
from fulltape.contract.vendor import Outcome, Page
from fulltape.decoding import frames
from fulltape.market import datasets

EXAMPLES = 1_000
_ODD = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "x", "NaN", "Infinity", "-1", "1e999", "9999-12-31", "0001-01-01T00:00:00Z", "2012-12-03T05:00:00", "2012-12-03", "1704067200000", "null", ".", "},{", "\u0000", "AAPL"])
    | st.text(max_size=5)
    | st.lists(st.integers(), max_size=3)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the values of a JSON tree stand."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += places(inner, (*path, key))
    return found


@st.composite
def spoiled(draw: st.DrawFn, body: str) -> bytes:
    """A recorded body with a few values replaced, removed or repeated; sometimes cut off, sometimes something else."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(st.binary(max_size=40))
    if kind == 1:
        return json.dumps(draw(_ODD)).encode()
    if kind == 2:
        return body.encode()[: draw(st.integers(0, len(body)))]
    tree = json.loads(body)
    for _ in range(draw(st.integers(1, 3))):
        known = places(tree)
        if not known:
            break
        *parents, last = draw(st.sampled_from(known))
        holder = tree
        for key in parents:
            holder = holder[key]
        change = draw(st.sampled_from(["replace", "replace", "remove", "repeat"]))
        if change == "replace":
            holder[last] = draw(_ODD)
        elif change == "remove":
            del holder[last]
        elif isinstance(holder, list):
            holder.insert(last, holder[last])
    separators = draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    return json.dumps(tree, separators=separators).encode()


CASES = [(path.parent.name, path) for path in sorted(HERE.rglob("*.toml")) if path.name != "refusals.toml"]
COUNT = {name: sum(1 for other, _ in CASES if other == name) for name, _ in CASES}


@pytest.mark.parametrize(("vendor", "path"), CASES, ids=[f"{vendor}-{path.stem}" for vendor, path in CASES])
def test_no_body_ends_in_an_exception_or_in_a_row_that_breaks_the_types(vendor: str, path: Path) -> None:
    told = read(path)
    asked = question(told)
    dataset = datasets.get(told["dataset"])
    calendar = tables.load(dataset.calendar)
    source = vendors.load(vendor).SPEC.source(told["source"])
    assert source
    capability = source.of(dataset.name)
    assert capability

    @settings(
        max_examples=math.ceil(EXAMPLES / COUNT[vendor]),
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(body=spoiled(told["body"]))
    def holds(body: bytes) -> None:
        said = talk(asked, canned(body), most=3)
        assert said.answers
        assert all(isinstance(answer.outcome, Outcome) for answer in said.answers)
        page = Page(fetch=asked, number=1, status=200, body=body, memo=told.get("memo", ""))
        decoded = vendors.load(vendor).decode([page])
        frame, rejected = frames.rows(decoded, dataset, capability, calendar)
        assert frame.columns == [*dataset.schema.names, "page"]
        assert frame["symbol"].null_count() == frame["ts"].null_count() == 0
        assert set(frame["symbol"]) <= set(asked.symbols)
        for column in dataset.schema.columns:
            assert frame[column.name].dtype == frames.dtype(column.dtype)
            if column.dtype == "f64":
                assert not frame[column.name].is_nan().any()
        assert all(one.page == 1 for one in rejected)

    holds()
