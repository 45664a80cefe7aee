"""Marks: what happened to a connection, in the same stream as its messages."""

from __future__ import annotations

from typing import Literal

import msgspec

from fulltape.contract.streams import Channel

EventKind = Literal[
    "opened",
    "connected",
    "confirmed",
    "refused",
    "stale",
    "dropped",
    "disconnected",
    "pulse",
    "clock",
    "closed",
]
"""`opened` begins every file and lists its channels. A channel is live from `confirmed` until `disconnected`, `stale`,
`closed` or the last thing in a file without an end; a `pulse` says that a connection is still there. `dropped` tells what
did not fit into memory, `clock` that the wall clock was set."""


class ConnectionEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened, when (UTC nanoseconds), to which channels of a connection (none named: all of them).

    `since` is when it began to be so: the last message before a disconnection or a silence, the first one dropped.
    `count` is how many messages were dropped. `by` is how far the clock was set, in nanoseconds, forward or (below 0) back,
    and `since` the moment from which on it had been wrong, as it told it then. An `opened` one names the file that it goes on from, the channels that the
    file carries, those that are live as it begins, by connection, and the nanoseconds by which the source's data comes late.
    """

    what: EventKind
    at: int
    connection: int = 0
    channels: tuple[str, ...] = ()
    since: int = 0
    count: int = 0
    by: int = 0
    reason: str = ""
    carried: tuple[Channel, ...] = ()
    follows: str = ""
    live: dict[int, tuple[str, ...]] = {}
    software: str = ""
    delay: int = 0


BREAKS = ("disconnected", "stale", "closed", "not captured")
"""Kinds of doubtful intervals in which a stream was not live."""
