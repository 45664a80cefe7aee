"""What `fulltape init` was given, by options or by answers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

from fulltape.setup.plan import Answers, VendorChoice


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """None, or empty, where it was not. `quick`: vendors' plans and keys are not asked for."""

    vendors: tuple[str, ...] = ()
    choices: tuple[VendorChoice, ...] = ()
    datasets: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    first: dt.date | None = None
    live: bool | None = None
    lake: str | None = None
    export: str | None = None
    zone: str = "UTC"
    webhook: str = ""
    quick: bool = False

    def having(self, **more: Any) -> Given:
        """The same with more."""
        return replace(self, **more)

    def answers(self) -> Answers:
        """As the new node is made of; `first` is given."""
        assert self.first is not None
        return Answers(
            vendors=self.choices or tuple(VendorChoice(name=name) for name in self.vendors),
            datasets=self.datasets,
            symbols=self.symbols,
            first=self.first,
            live=bool(self.live),
            lake=self.lake or "",
            export=self.export or "",
            zone=self.zone,
            webhook=self.webhook,
        )
