"""The datasets: each is declared in a file of this folder, found by being there; nothing else in fulltape names one.

Belongs here: one `Dataset` for each table, in the `DATASETS` of the file of its asset class. Does not belong here: what
their columns have in common (`market/columns.py`).
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil

from fulltape import errors
from fulltape.market.dataset import Dataset

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for module in sorted(module.name for module in pkgutil.iter_modules(__path__))
    for dataset in importlib.import_module(f"{__name__}.{module}").DATASETS
}
"""Every dataset, by name."""


def get(name: str) -> Dataset:
    """The dataset of that name, or a `UsageError` that names the nearest one."""
    try:
        return DATASETS[name]
    except KeyError:
        near = difflib.get_close_matches(name, DATASETS, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known datasets: {', '.join(DATASETS)}."
        raise errors.UsageError(f"there is no dataset {name!r}.", hint=hint) from None
