"""Vendors: one file each, found by being there.

Belongs here: how a vendor is asked and what its bytes mean, from its documents. Does not belong here: sockets, clocks,
other vendors, polars. No module imports a vendor by name; `load` finds it.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import cast

from fulltape.contract.vendor import Vendor

TAKEN_IN = "files"
"""Stands for files that were taken in: it has any source (files.NAME), and is never asked."""
FORMER = {"polygon": "massive"}
"""Vendors that people know by an earlier name."""


@functools.cache
def names() -> tuple[str, ...]:
    """Every vendor that is there."""
    return tuple(
        sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    )


def load(name: str) -> Vendor:
    """The vendor of that name; it must be one of `names()`, or `TAKEN_IN`."""
    module = f"_{name}" if name == TAKEN_IN else name
    return cast("Vendor", importlib.import_module(f"{__name__}.{module}"))
