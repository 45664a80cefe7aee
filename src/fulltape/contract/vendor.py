"""The contract of a vendor: it builds requests and reads answers, and never opens a socket.

A vendor is one file in `vendors/` with three names:

- `SPEC`: a `VendorSpec`: sources, what each serves, limits by plan, how it authenticates, where its documents are;
- `history(fetch, resume)`: a generator that yields a `Request`, is sent the `Response`, and yields a `PageResult` to it;
  continued after a retryable answer it yields the same request again, so that its driver decides about retries;
- `reference(symbols)`, where the vendor has one: a generator like `history` whose answers carry `listings`;
- `decode(pages)`: where the rows of these pages lie and how their fields are read (see `decoding/tables.py`).

The same file runs on recorded bytes, against the simulator and in production: its driver decides.
"""

from __future__ import annotations

import datetime as dt
import urllib.parse
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

import msgspec

from fulltape.contract.plans import Connecting, Delayed, Limits
from fulltape.market.reference import ReferenceEntry
from fulltape.market.time import Instant


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
class FetchRequest:
    """One conversation: a dataset, the spellings to request, and sessions `first` to `last`, both inclusive.

    `start` and `end` are the same span in UTC microseconds, [start, end), from the first session's beginning to the
    last one's end. `known` are the symbols that this source has shown to exist, `spellings` how the reference table
    says that this source writes a symbol, where that differs from what the vendor's own rule makes of it. A `narrow` fetch is about
    a span inside of one session: what it settles is that span, never the session.
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
    spellings: Mapping[str, str] = field(default_factory=dict)
    narrow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where an interrupted fetch goes on: the last durable cursor, the symbols still asked, and those that had rows."""

    token: str
    symbols: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()


LOOK_UP = "look-up"
"""The token of a cursor behind which there are only look-ups: what a page brought is not asked for again because of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, without credentials: the transport adds them at its door.

    `host` names one of the vendor's hosts (`VendorSpec.hosts`); `cost` is its weight in the budget, `endpoint` the
    class of endpoints that it belongs to, where the vendor limits one by itself. To a host whose address is a
    websocket (ws:, wss:) `message` is sent as JSON and `path` is the path of the socket; the response is the one
    message that answers it: the next one, or the next that has the same value under the key `repeats`.
    """

    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    host: str = "data"
    method: str = "GET"
    cost: int = 1
    endpoint: str = ""
    message: Mapping[str, str | int] = field(default_factory=dict)
    repeats: str = ""
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """Path and query, as a cursor keeps them."""
        return f"{self.path}?{urllib.parse.urlencode(dict(self.params))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What came back: header names in lower case, the body's bytes, and when it arrived."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    received_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteThrough:
    """What an answer proves complete: for `symbol`, every session up to and including `through`."""

    symbol: str
    through: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class PageResult:
    """What one response means.

    - `keep`: whether the bytes hold data (or should hold it) and belong in the journal;
    - `cursor`: where to go on after this page, None at the end; where only look-ups follow, one with the token
      `LOOK_UP`;
    - `complete_through`: what this page completes; spans only grow;
    - `symbols`: which a refusal concerns, empty for the whole fetch;
    - `retry_at`: when the vendor says it has room again; `allowed_per_minute`: what it says it allows;
    - `positional`: whether the page is limited by count and comes from the one venue where everything is traded, so that
      rows on both sides of a silence say that nothing was traded in it; a window of time, a file, or a feed that
      consolidates venues is not;
    - `confirmed`: symbols that a reference answer showed to exist;
    - `listings`: what a reference answer says of an instrument's symbols;
    - `memo`: what decoding this page needs and its bytes do not say, in the vendor's own words.
    """

    outcome: Outcome
    keep: bool = False
    cursor: Cursor | None = None
    complete_through: tuple[CompleteThrough, ...] = ()
    symbols: tuple[str, ...] = ()
    confirmed: tuple[str, ...] = ()
    reason: str = ""
    retry_at: Instant | None = None
    allowed_per_minute: int | None = None
    positional: bool = False
    memo: str = ""
    listings: tuple[ReferenceEntry, ...] = ()


Conversation = Generator[Request | PageResult, Response | None, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One journalled response of a fetch, with its number from 1."""

    fetch: FetchRequest
    number: int
    status: int
    body: bytes
    memo: str = ""


FieldKind = Literal["float", "integer", "text", "boolean", "decimal", "date", "list"]
"""What a wire field holds. `decimal` is a number written as text (or as a number), `date` an ISO date as text, `list` an
array of words or numbers, which become one text with commas (live messages only)."""

TimestampUnit = Literal["s", "ms", "us", "ns", "iso", "date", "epoch", "received"]
"""How a stamp is written: a count since 1970, ISO 8601 text, an ISO date (UTC midnight), or a count in s, ms, us or ns
whose unit shows in its size (`epoch`). A live message without a time is stamped by its receipt (`received`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WireField:
    """A field of a row on the wire, by name or by position, and the column that it becomes."""

    wire: str | int
    column: str
    kind: FieldKind = "float"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatChange:
    """How a vendor wrote rows for a time: those stamped from `first` on and before `until` (UTC microseconds; None: without that
    end) have the columns of `scaled` multiplied by so much. `evidence` names the recorded answers of that time, a file of
    the vendor's folder beside the tests."""

    scaled: Mapping[str, float]
    evidence: str
    first: Instant | None = None
    until: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFormat:
    """How rows are read: their fields, and the stamp's unit. The column `timestamp` is always among the fields.

    `timestamp_kind` is the JSON type of the stamp. Fields that a row lacks become null. `renamed` says, by column, what the
    vendor's words become; other words become null. `absent` is what a column is where a row lacks it. `changes` are the times
    in which the vendor wrote its rows otherwise; they do not overlap.
    """

    fields: tuple[WireField, ...]
    unit: TimestampUnit
    timestamp_kind: FieldKind = "integer"
    renamed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    absent: Mapping[str, float] = field(default_factory=dict)
    changes: tuple[FormatChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Rows of one page as they came: the bytes of a JSON array of objects or of arrays, or CSV without a header, in
    `row_format`.

    `symbol` is whose they are, in our spelling; where it is empty a field gives the column `symbol`, and `names` says
    which symbol is which instrument's (rows of others were not asked for and are left out).
    `fixed` are columns that have one value in all rows. Rows outside of `within`, a span of stamps [start, end) in UTC
    microseconds, are a page's overhang and left out.
    `descending`: the newest row comes first.
    """

    page: int
    rows: bytes | msgspec.Raw
    row_format: RowFormat
    symbol: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, object] = field(default_factory=dict)
    form: Literal["json", "csv"] = "json"
    descending: bool = False
    within: tuple[Instant, Instant] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows that a vendor's file has put into columns itself, all of one length, with `timestamp` in UTC microseconds."""

    page: int
    symbol: str
    columns: Mapping[str, Sequence[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Rows of a page that break the contract. `session` None: it cannot be told which session they belong to. `lost`
    False: the rows could be put right and were taken, only the page is kept as evidence. `placed`: the sessions between
    which rows without a session lie are told by further rejections of 0 rows; `edge`: such a row lies at the end of its
    page, so that it may also belong to what lies up to the next session with rows, before or after."""

    page: int
    symbol: str | None
    session: dt.date | None
    rows: int
    reason: str
    lost: bool = True
    placed: bool = False
    edge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """Where the rows of one fetch lie, and what could not be taken."""

    slices: tuple[Slice, ...] = ()
    tables: tuple[Table, ...] = ()
    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """What a source serves of one dataset.

    - `timestamp`: whether bars are stamped at their `start` or their `end`; day bars that are stamped at the start bear
      the midnight of `timestamp_zone`, those stamped at the end any moment of their day, and a `date` is a label;
    - `day_boundary`: whether day bars run over our session or over the UTC day;
    - `adjustment`: what the source has already adjusted its prices for; `price_kind`, `volume_unit` as they say;
    - `history_days`: how far back the endpoint reaches from today, 0 where it does not move;
    - `symbols_per_grouped_day`: of how many symbols one request can carry one whole session, 0 where none can;
    - `look_ups`: requests that a fetch takes beside those for its pages; `requests_per_session`: of one symbol, where each
      session is a file of its own, 0 elsewhere; `requests_per_page`: those that a page takes;
    - `spans`: whether a part of a session can be asked for;
    - `delay`: seconds after the close until the vendor's answer is final.
    """

    dataset: str
    history_from: dt.date
    symbols_per_request: int
    rows_per_page: int
    timestamp: Literal["start", "end", "date"] = "start"
    timestamp_zone: str = "UTC"
    day_boundary: Literal["session", "utc"] = "session"
    adjustment: str = "raw"
    price_kind: Literal["trade", "bid", "ask", "mid"] = "trade"
    volume_unit: str = ""
    delay: int = 0
    history_days: int = 0
    symbols_per_grouped_day: int = 0
    look_ups: int = 0
    requests_per_session: int = 0
    requests_per_page: int = 1
    spans: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A vendor's feed: all evidence is per source, feeds never mix in a cell."""

    name: str
    feed: str
    scope: str
    capabilities: tuple[Capability, ...]

    def of(self, dataset: str) -> Capability | None:
        """What this source serves of a dataset, None if nothing."""
        return next((capability for capability in self.capabilities if capability.dataset == dataset), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorSpec:
    """A vendor as the registry knows it. `auth` maps header names to templates over the secrets' names, `auth_params`
    does the same for vendors that take the key in the query. With `any_host` a request's host may be an https address
    itself; `any_source` makes the source of a feed that is not listed, or None. `stream_hosts` are the addresses of its
    live streams (see `contract/streams.py`), `delayed` those of plans whose streams come late; `connecting` is how often it may
    be connected to."""

    name: str
    title: str
    hosts: Mapping[str, str]
    secrets: tuple[str, ...]
    auth: Mapping[str, str]
    plans: Mapping[str, Limits]
    default_plan: str
    sources: tuple[Source, ...]
    documents: tuple[str, ...]
    auth_params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    any_host: bool = False
    any_source: Callable[[str], Source | None] | None = None
    stream_hosts: Mapping[str, str] = field(default_factory=dict)
    delayed: Mapping[str, Delayed] = field(default_factory=dict)
    connecting: Connecting = field(default_factory=Connecting)

    def source(self, name: str) -> Source | None:
        """The source of that name (vendor.feed), None if the vendor has none."""
        listed = next((source for source in self.sources if source.name == name), None)
        if listed is None and self.any_source is not None:
            return self.any_source(name.partition(".")[2])
        return listed


class Vendor(Protocol):
    """What a module in `vendors/` looks like."""

    SPEC: VendorSpec

    @staticmethod
    def history(fetch: FetchRequest, resume: Cursor | None) -> Conversation:
        """The conversation that fetches `fetch`, from its beginning or from where it was interrupted."""
        ...

    @staticmethod
    def decode(pages: Sequence[Page]) -> Decoded:
        """The rows of these pages of one fetch; never raises for bytes that a vendor could send."""
        ...
