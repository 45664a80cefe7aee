"""The contract of a vendor: it builds requests and reads answers, and never opens a socket.

A vendor is one file in `vendors/` with three names:

- `SPEC`: a `VendorSpec`: sources, what each serves, limits by plan, how it authenticates, where its documents are;
- `history(ask, resume)`: a generator that yields a `Request`, is sent the `Response`, and yields an `Answer` to it;
  continued after a retryable answer it yields the same request again, so that whoever drives decides about retries;
- `decode(pages)`: the rows of the pages of one ask, as columns.

The same file runs on recorded bytes, against the simulator and in production: whoever drives the generator decides.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

from fulltape.core.time import Instant


class Outcome(StrEnum):
    """What a vendor said, as the dispatcher must take it."""

    ROWS = "rows"
    EMPTY = "empty"
    NOT_ENTITLED = "not_entitled"
    NOT_SUPPORTED = "not_supported"
    UNKNOWN_SYMBOL = "unknown_symbol"
    NOT_YET = "not_yet"
    BAD_CREDENTIALS = "bad_credentials"
    BAD_REQUEST = "bad_request"
    CURSOR_REFUSED = "cursor_refused"
    RATE_LIMITED = "rate_limited"
    TRANSIENT = "transient"
    MALFORMED = "malformed"


RETRYABLE = frozenset({Outcome.RATE_LIMITED, Outcome.TRANSIENT, Outcome.MALFORMED})
"""After one of these a conversation, if it is continued, yields the same request again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One conversation: a dataset, the spellings to request, and sessions `first` to `last`, both inclusive.

    `start` and `end` are the same span in UTC microseconds, [start, end), from the first session's beginning to the
    last one's end. `known` are the symbols that this source has shown to exist.
    """

    source: str
    dataset: str
    symbols: tuple[str, ...]
    first: dt.date
    last: dt.date
    start: Instant
    end: Instant
    known: frozenset[str] = frozenset()
    rows_per_page: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where an interrupted ask goes on: the last durable cursor, the symbols still asked, and those that had rows."""

    token: str
    symbols: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, without credentials: the transport adds them at its door.

    `host` names one of the vendor's hosts (`VendorSpec.hosts`); `cost` is its weight in the budget, `endpoint` the
    class of endpoints that it belongs to, where the vendor limits one by itself.
    """

    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    host: str = "data"
    method: str = "GET"
    cost: int = 1
    endpoint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What came back: header names in lower case, the body's bytes, and when it arrived."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    received_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What an answer proves complete: for `symbol`, every session up to and including `through`."""

    symbol: str
    through: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one response means.

    - `keep`: whether the bytes hold data (or should hold it) and belong in the journal;
    - `cursor`: where to go on after this page, None at the end;
    - `settled`: what this page completes; spans only grow;
    - `symbols`: whom a refusal concerns, empty for the whole ask;
    - `retry_at`: when the vendor says it has room again; `allowed_per_minute`: what it says it allows;
    - `confirmed`: symbols that a reference answer showed to exist.
    """

    outcome: Outcome
    keep: bool = False
    cursor: Cursor | None = None
    settled: tuple[Settled, ...] = ()
    symbols: tuple[str, ...] = ()
    confirmed: tuple[str, ...] = ()
    reason: str = ""
    retry_at: Instant | None = None
    allowed_per_minute: int | None = None


Conversation = Generator[Request | Answer, Response | None, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One journalled response of an ask, with its number from 1."""

    ask: Ask
    number: int
    status: int
    body: bytes


Columns = dict[str, list[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Rows of a page that break the contract. `session` None: nobody can say which session they belong to. `lost`
    False: the rows could be put right and were taken, only the page is kept as evidence."""

    page: int
    symbol: str | None
    session: dt.date | None
    rows: int
    reason: str
    lost: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """Rows of one ask as equally long columns: `symbol`, `stamp` (as declared by the endpoint, UTC microseconds),
    the dataset's value columns, and `page`; and what could not be taken."""

    columns: Columns
    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Serves:
    """What a source serves of one dataset.

    `stamp_zone`: the zone in whose midnight a day bar is stamped; minute bars are stamped at their start.
    `delay`: seconds after the close until the vendor's answer is final.
    """

    dataset: str
    history_from: dt.date
    symbols_per_request: int
    rows_per_page: int
    stamp_zone: str = "UTC"
    adjustment: str = "raw"
    delay: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A vendor's feed: all evidence is per source, feeds never mix in a cell."""

    name: str
    feed: str
    scope: str
    serves: tuple[Serves, ...]

    def of(self, dataset: str) -> Serves | None:
        """What this source serves of a dataset, None if nothing."""
        return next((serves for serves in self.serves if serves.dataset == dataset), None)


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
class VendorSpec:
    """A vendor as the registry knows it. `auth` maps header names to templates over the secrets' names."""

    name: str
    title: str
    hosts: Mapping[str, str]
    secrets: tuple[str, ...]
    auth: Mapping[str, str]
    plans: Mapping[str, Limits]
    default_plan: str
    sources: tuple[Source, ...]
    documents: tuple[str, ...]


class Vendor(Protocol):
    """What a module in `vendors/` looks like."""

    SPEC: VendorSpec

    @staticmethod
    def history(ask: Ask, resume: Cursor | None) -> Conversation:
        """The conversation that fetches `ask`, from its beginning or from where it was interrupted."""
        ...

    @staticmethod
    def decode(pages: Sequence[Page]) -> Decoded:
        """The rows of these pages of one ask; never raises for bytes that a vendor could send."""
        ...
