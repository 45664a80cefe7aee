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

FORMER = {"polygon": "massive"}
"""Vendors that people know by an earlier name."""


@functools.cache
def names() -> tuple[str, ...]:
    """Every vendor that is there."""
    return tuple(
        sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    )


def load(name: str) -> Vendor:
    """The vendor of that name; it must be one of `names()`."""
    return cast("Vendor", importlib.import_module(f"{__name__}.{name}"))
