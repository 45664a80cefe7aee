"""What the capture process is told by its parent, over its standard input: settings are read elsewhere."""

from __future__ import annotations

import msgspec

from fulltape.contract.streams import Subscription


class SourceConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One source to capture: its vendor's file, what to subscribe to, and how to reach it. `url` replaces the address
    of its live host, `base_url` that of all others, where they are not empty. `delay` is how many seconds late its live
    data comes. `after` is the newest journal of it that the ledger knows: new ones have later names."""

    source: str
    vendor: str
    subscriptions: tuple[Subscription, ...]
    url: str = ""
    base_url: str = ""
    secrets: dict[str, str] = {}
    timeout: float = 30.0
    delay: float = 0.0
    after: str = ""


class CaptureConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a capture process needs to know; seconds and bytes."""

    lake: str
    writer: str
    feeds: tuple[SourceConfig, ...]
    flush_interval: float = 1.0
    rotate_every: float = 3_600.0
    rotate_bytes: int = 100_000_000
    queue_bytes: int = 64_000_000
    stale_after: float = 10.0
    compress: bool = False


def encode(orders: CaptureConfig) -> bytes:
    """As it is sent."""
    return msgspec.json.encode(orders)


def decode(text: bytes) -> CaptureConfig:
    """As it is received."""
    return msgspec.json.decode(text, type=CaptureConfig)
