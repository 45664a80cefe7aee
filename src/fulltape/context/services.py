"""What runs for long: how it is started, when it is ready, how it is stopped, and what of it still runs then."""

from __future__ import annotations

from typing import Protocol


class Service(Protocol):
    """One thing that runs for long. All methods are called from one thread, and none but `stop` waits."""

    @property
    def name(self) -> str:
        """What it is called when it is told of."""
        ...

    def start(self) -> None:
        """Begin; once."""
        ...

    @property
    def ready(self) -> bool:
        """Whether it has begun to do its work."""
        ...

    def look(self) -> None:
        """Called again and again while it should run: starts anew what has ended by itself."""
        ...

    def stop(self, seconds: float) -> bool:
        """End in order within so many seconds; whether nothing of it runs any more. Harmless where it has never begun."""
        ...
