"""Which vendors are simulated, and which of them stream: the files that are there."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from fulltape import errors
from fulltape.simulator import streams as _streams
from fulltape.simulator import vendors as _vendors
from fulltape.simulator.protocol import StreamProtocol
from fulltape.simulator.vendor import SimulatedVendor


@functools.cache
def vendors() -> Mapping[str, type[SimulatedVendor]]:
    """Every simulated vendor, by name."""
    return _found(_vendors, "SIMULATED")


@functools.cache
def streams() -> Mapping[str, type[StreamProtocol]]:
    """How each simulated vendor that streams talks, by name."""
    return _found(_streams, "PROTOCOL")


def vendor(name: str) -> type[SimulatedVendor]:
    """One of them; `UsageError` that lists them for an unknown name."""
    if name not in vendors():
        raise errors.UsageError(f"there is no simulated {name!r}.", hint=f"Known: {', '.join(vendors())}.")
    return vendors()[name]


def _found(folder: ModuleType, what: str) -> dict[str, Any]:
    names = sorted(
        module.name for module in pkgutil.iter_modules(folder.__path__) if not module.name.startswith("_")
    )
    return {name: getattr(importlib.import_module(f"{folder.__name__}.{name}"), what) for name in names}
