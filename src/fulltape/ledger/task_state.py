"""The states of a task; apart from the rest, so that the command line can name them without opening a ledger."""

from __future__ import annotations

from typing import Literal, get_args

State = Literal["queued", "leased", "fetched", "done", "stalled", "unobtainable", "cancelled"]
STATES: tuple[State, ...] = get_args(State)
