"""What a stage must do once more is kept by stage and dataset until it has done it; on both engines."""

from __future__ import annotations

from fulltape.ledger.ledger import Ledger


def test_what_a_stage_must_do_once_more_is_told_until_it_is_done(ledger: Ledger) -> None:
    damages = ledger.damages
    with ledger.write():
        damages.redo("curate", "days", ["year=2023", "year=2024"])
        damages.redo("curate", "minutes", ["month=2024-11"])
        damages.redo("check", "days", ["year=2022"])
    assert damages.to_redo("curate", "days") == {"year=2023", "year=2024"}
    assert damages.to_redo("check", "days") == {"year=2022"}
    with ledger.write():
        damages.redone("curate", "days", ["year=2023"])
    assert damages.to_redo("curate", "days") == {"year=2024"}
    assert damages.to_redo("curate", "minutes") == {"month=2024-11"}
