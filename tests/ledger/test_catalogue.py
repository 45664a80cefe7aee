"""The log of parts: what is merged keeps its place in it, and what replaces what; on both engines."""

from __future__ import annotations

import datetime as dt
from typing import Any

from fulltape.ledger.ledger import Ledger
from fulltape.ledger.part import NewPart, Part

D = dt.date
DAYS = "equities_bars_day"


def new(name: str, first: int, last: int, **more: Any) -> NewPart:
    told: dict[str, Any] = {
        "layer": "raw",
        "source": "alpaca.sip",
        "dataset": DAYS,
        "folder": "year=2024",
        "path": f"{more.get('layer', 'raw')}/{name}",
        "rows": 10,
        "bytes": 100,
        "sha256": name * 64,
        "min_ts": 1,
        "max_ts": 2,
        "origin": "fetched",
        "cells": {"IBM": [(D(2024, 11, first), D(2024, 11, last))]},
        **more,
    }
    return NewPart(**told)


def register(ledger: Ledger, *parts: NewPart, now: int = 1) -> list[Part]:
    with ledger.write():
        ids = [ledger.catalogue.register(part, now=now) for part in parts]
    return ledger.catalogue.by_ids(ids)


def names(parts: list[Part]) -> list[str]:
    return [part.path.rpartition("/")[2] for part in parts]


def merged(ledger: Ledger, *originals: Part, of: int) -> Part:
    with ledger.write():
        part_id = ledger.catalogue.merge(new("m", 4, 8, merged=of), originals, now=9)
    (found,) = ledger.catalogue.by_ids([part_id])
    return found


def test_what_is_merged_stays_between_what_is_older_and_newer(ledger: Ledger) -> None:
    older, one, two, newer = register(ledger, *(new(name, 4, 8) for name in "abcd"), now=5)
    found = merged(ledger, one, two, of=2)
    assert names(ledger.catalogue.current("raw", DAYS)) == ["a", "m", "d"]
    assert older.log_pos < found.log_pos == two.log_pos < newer.log_pos
    assert (found.merged, found.ingested_at) == (2, 5)
    assert ledger.catalogue.since("raw", two.log_pos, dataset=DAYS) == [newer], "no rows are new"
    assert names(ledger.catalogue.originals(found.part_id)) == ["b", "c"]
    first = next(part for part in ledger.catalogue.replaced(10) if part.path == one.path)
    standing = ledger.catalogue.stands(first)
    assert standing is not None
    assert standing.part_id == found.part_id
    assert ledger.catalogue.position > newer.log_pos


def test_what_holds_more_than_the_known_ones_is_new(ledger: Ledger) -> None:
    one, other = register(ledger, new("a", 4, 4), new("b", 4, 4))
    found = merged(ledger, one, of=2)
    assert found.log_pos > other.log_pos
    assert names(ledger.catalogue.current("raw", DAYS)) == ["b", "m"]


def test_originals_count_again(ledger: Ledger) -> None:
    before = register(ledger, *(new(name, 4, 8) for name in "abc"))
    found = merged(ledger, *before[:2], of=2)
    with ledger.write():
        ledger.catalogue.withdraw(found.part_id, now=10)
        ledger.catalogue.unmerge(found, ledger.catalogue.originals(found.part_id))
    assert ledger.catalogue.current("raw", DAYS) == before, "in their places"
    assert ledger.catalogue.replaced(11) == []
    assert ledger.catalogue.by_path(found.path) is None


def test_a_part_replaces_its_folder_or_the_days_that_it_says(ledger: Ledger) -> None:
    def written(name: str, first: int, last: int, replaces: tuple[int, int] | None) -> list[str]:
        days = (D(2024, 11, replaces[0]), D(2024, 11, replaces[1])) if replaces else None
        register(ledger, new(name, first, last, layer="curated", source="", origin="derived", replaces=days))
        return names(ledger.catalogue.current_in("curated", DAYS, "year=2024"))

    assert written("a", 4, 8, None) == ["a"]
    assert written("b", 11, 12, (11, 17)) == ["a", "b"]
    assert written("c", 11, 13, (11, 17)) == ["a", "c"]
    assert written("d", 4, 7, (1, 10)) == ["c", "d"]
    assert written("e", 4, 13, None) == ["e"]
    assert written("f", 4, 8, (1, 10)) == ["f"], "what reaches into the days is replaced, too"


def test_the_newest_session_of_a_layer_is_known(ledger: Ledger) -> None:
    assert ledger.catalogue.newest_session("raw", DAYS) is None
    (one,) = register(ledger, new("a", 4, 8))
    register(ledger, new("b", 11, 12, dataset="other"))
    assert ledger.catalogue.newest_session("raw", DAYS) == D(2024, 11, 8)
    assert ledger.catalogue.newest_session("curated", DAYS) is None
    with ledger.write():
        ledger.catalogue.withdraw(one.part_id, now=2)
    assert ledger.catalogue.newest_session("raw", DAYS) is None


def test_a_file_that_counts_again_takes_a_new_place(ledger: Ledger) -> None:
    about = {"layer": "curated", "source": "", "origin": "derived", "of_parts": 3}
    (one,) = register(ledger, new("a", 4, 8, **about))
    register(ledger, new("b", 4, 8, **about))
    (again,) = register(ledger, new("a", 4, 8, **about))
    assert (again.part_id, again.of_parts) == (one.part_id, 3)
    assert again.log_pos > one.log_pos
    assert names(ledger.catalogue.current_in("curated", DAYS, "year=2024")) == ["a"]


def test_what_was_regrouped_counts_until_one_of_its_days_changes(ledger: Ledger) -> None:
    about = {"source": "", "origin": "derived"}
    day = {"layer": "curated", "folder": "date=2024-11-04", **about}
    made = {"layer": "by_instrument", "folder": "month=2024-11", "of_parts": 1, **about}
    register(ledger, new("a", 4, 4, **day), new("m", 4, 4, **made))

    def there() -> list[str]:
        return names(ledger.catalogue.current("by_instrument", DAYS))

    register(ledger, new("r", 4, 4, folder="date=2024-11-04"))
    register(ledger, new("q", 4, 4, **{**day, "layer": "qc"}))
    register(ledger, new("y", 4, 4, **{**day, "folder": "year=2024"}))
    assert there() == ["m"], "raw parts, checks and years are no days of it"
    register(ledger, new("b", 4, 4, **day))
    assert there() == []


def test_a_year_that_was_regrouped_counts_until_one_of_its_days_changes(ledger: Ledger) -> None:
    about = {"source": "", "origin": "derived"}
    day = {"layer": "curated", "folder": "date=2024-11-04", **about}
    register(ledger, new("a", 4, 4, **day))
    for name, folder in (("y", "year=2024"), ("z", "year=2023"), ("m", "month=2024-10")):
        register(ledger, new(name, 4, 4, layer="by_instrument", folder=folder, of_parts=1, **about))
    register(ledger, new("b", 4, 4, **day))
    assert sorted(names(ledger.catalogue.current("by_instrument", DAYS))) == ["m", "z"]


def test_of_a_folder_of_several_parts_all_go_together(ledger: Ledger) -> None:
    about = {"layer": "by_instrument", "source": "", "origin": "derived", "of_parts": 2}
    first, _ = register(ledger, *(new(name, 4, 8, **about) for name in "ab"))
    register(ledger, new("c", 4, 8, **{**about, "folder": "year=2023"}))
    assert names(ledger.catalogue.current("by_instrument", DAYS)) == ["c", "a", "b"]
    with ledger.write():
        ledger.catalogue.withdraw(first.part_id, now=2)
    assert names(ledger.catalogue.current("by_instrument", DAYS)) == ["c"]
