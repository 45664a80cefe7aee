"""Keeps services running until they are asked to end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from fulltape import clock
from fulltape.context.services import Service

_LOOK_EVERY = 0.5
PATIENCE = 30.0
"""Seconds in which everything ends."""


def supervise(
    services: Sequence[Service],
    stop: threading.Event,
    *,
    until: float = float("inf"),
    each: Callable[[], None] = lambda: None,
    patience: float = PATIENCE,
) -> tuple[str, ...]:
    """Start services in their order and look after them until `stop` is set or the steady clock (seconds) is at `until`; then
    stop them in the same order, within `patience` seconds together. `each` is called between looks. Returns the names of what
    still runs; an error of one is raised once all are stopped."""
    try:
        for service in services:
            service.start()
        while not stop.wait(_LOOK_EVERY) and clock.steady_seconds() < until:
            for service in services:
                service.look()
            each()
    finally:
        still, broken = _stopped(services, clock.steady_seconds() + patience)
    if broken:
        raise broken[0]
    return still


def _stopped(services: Sequence[Service], deadline: float) -> tuple[tuple[str, ...], list[Exception]]:
    """Stop all of them, whatever one of them does; who still runs, and what went wrong."""
    still, broken = [], []
    for service in services:
        try:
            if not service.stop(max(0.0, deadline - clock.steady_seconds())):
                still.append(service.name)
        except Exception as error:  # noqa: BLE001 — it is raised once the others are stopped too
            still.append(service.name)
            broken.append(error)
    return tuple(still), broken
