"""Over which sessions a dataset's facts are: they cannot be taken for facts about another calendar's."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from fulltape import errors
from fulltape.context import ConfiguredDataset
from fulltape.ledger.ledger import Ledger
from fulltape.market import datasets
from fulltape.settings.load import Loaded

_STAGE = "calendar"


def keep(loaded: Loaded, ledger: Ledger, wanted: Mapping[str, ConfiguredDataset]) -> None:
    """Remember the calendar of each dataset; `ConfigError` where something is known over another one's sessions."""
    for name, dataset in wanted.items():
        kept = ledger.bookmark(_STAGE, name) or _number(datasets.DATASETS[name].calendar)
        if kept == _number(dataset.calendar.name):
            continue
        if ledger.coverage.knows(name):
            raise errors.ConfigError(
                f"dataset.{name}: what is held is over another calendar's sessions than {dataset.calendar.name}'s.",
                where=loaded.where(f"dataset.{name}.calendar"),
                hint="Take the setting back, or begin a new node for this calendar.",
            )
        with ledger.write():
            ledger.set_bookmark(_STAGE, name, _number(dataset.calendar.name))


def _number(calendar: str) -> int:
    return zlib.crc32(calendar.encode())
