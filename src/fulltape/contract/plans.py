"""What a vendor's plans allow: how often it may be asked and connected to, how far back, and how late its streams are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a plan allows; 0 means no limit of that kind.

    Weight and credits count `Request.cost`. A day begins at midnight in `day_zone`. `identical_after` is how many
    seconds must lie between two identical requests. `counted_by` says whether the vendor counts a key or an address.
    `endpoints` are further limits on classes of endpoints, beside those of the whole (see `Request.endpoint`).
    `history_days` is how far back a plan reaches from today.
    """

    per_minute: int = 0
    per_second: int = 0
    per_hour: int = 0
    per_day: int = 0
    weight_per_minute: int = 0
    credits_per_day: int = 0
    concurrency: int = 0
    identical_after: float = 0
    counted_by: Literal["key", "ip"] = "key"
    day_zone: str = "UTC"
    history_days: int = 0
    endpoints: Mapping[str, Limits] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delayed:
    """Live streams of a plan that come late: by how many seconds, and the address that carries them."""

    seconds: float
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Connecting:
    """How often a vendor may be connected to: attempts in so many seconds, counted over all of its streams, and how
    many seconds to stay away after it said that these were too many."""

    attempts: int = 30
    seconds: float = 60
    after_refusal: float = 60
