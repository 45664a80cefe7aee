"""The contract of live streams: a vendor says where to connect, what to say, and what its messages mean.

A vendor that streams has two more names in its file:

- `streams(source, subscriptions)`: the connections that carry these subscriptions, within the vendor's own limits;
- `meaning(source)`: how messages become rows of datasets (`Meaning`), used only when a journal is sealed.

A `Stream` opens no socket. Its `converse` is a generator that lives as long as the socket does and is sent nothing but
control messages, which `control` tells from data by the first bytes of a message. `route` finds in a whole block of data
messages which channels they belong to, without decoding any of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar, cast

from fulltape.contract.vendor import RowFormat, Vendor
from fulltape.market.dataset import Dataset

_Item = TypeVar("_Item")
Detail = Literal["books", "quotes", "bars", "trades"]
DETAILS: tuple[Detail, ...] = ("books", "quotes", "bars", "trades")
"""In the order in which messages go when a disk is slower than its feed: what history can give back least goes last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What to capture: a dataset's symbol as the node writes it, and as the source does where its own rule is wrong."""

    dataset: str
    symbol: str
    spelling: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One subscription on one connection.

    `name` is what `Stream.route` finds in its messages, `wire` how its rows name the symbol. `cadence` is within how
    many seconds the venue is known to send something; 0: unknown, it is learned.
    """

    name: str
    dataset: str
    symbol: str
    wire: str
    detail: Detail
    cadence: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Resubscribe:
    """Sent to a conversation instead of a message: subscribe to these channels once more, by name."""

    channels: tuple[str, ...]


End = Literal["", "reconnect", "wait", "stop"]
"""What follows a control message: nothing; a new connection at once; one after a long wait (too many connections, too
many requests); none until the settings change (the key is refused, the feed is not in the plan)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolStep:
    """What a conversation does next.

    - `say`: messages to send, in order; `{key}` and the names of other secrets in braces are filled in at the door;
    - `confirmed`: channels that the vendor has acknowledged; `refused` those that it refuses, with its words;
    - `end`: whether and how the connection is over, with `reason`;
    - `keep`: whether the control message goes into the journal.
    """

    say: tuple[str, ...] = ()
    confirmed: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    end: End = ""
    reason: str = ""
    keep: bool = True


NOTHING = ProtocolStep()
ProtocolSteps = Generator[ProtocolStep, bytes | Resubscribe, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One connection.

    - `path` follows the address of `host`; `headers` are templates like those of `ProtocolStep.say`;
    - `data`: what a data message begins with, as far as that can be said; all others are told by `control`;
    - `control`, `route`: regular expressions over bytes. `control` is matched at the beginning of a message; the groups
      of `route`, joined with "|", are a channel's name, and it is searched for in messages that stand one a line: it
      should begin with plain text, which is found many times faster than the beginning of a line;
    - `alert`: what in the midst of data announces the connection's end: a new one is made at once;
    - `keepalive`: what to say every `keepalive_every` seconds, for vendors that want more than pings;
    - `lifetime`: seconds after which the vendor cuts a connection: a new one is made before, and both overlap;
    - `say_per_second`: how many messages a connection may send; 0: any number;
    - `data_confirms`: the vendor acknowledges a subscription by its first data and by nothing else;
    - `compress`: whether permessage-deflate is offered;
    - `pulled`: the vendor's own library holds the socket: its file has a `feed(stream, url, secrets)`, an asynchronous
      iterator of what was `SdkMessage`, and everything above about talking means nothing.
    """

    source: str
    host: str
    path: str
    channels: tuple[Channel, ...]
    control: bytes
    route: bytes
    converse: Callable[[Sequence[Channel]], ProtocolSteps]
    data: tuple[bytes, ...] = ()
    alert: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    keepalive: str = ""
    keepalive_every: float = 0
    lifetime: float = 0
    say_per_second: float = 0
    data_confirms: bool = False
    compress: bool = False
    pulled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkMessage:
    """One message that a vendor's library has delivered, and the channel that it belongs to; or why it serves no such channel
    (`refused`)."""

    channel: str
    message: bytes = b""
    refused: str = ""


def batches(items: Sequence[_Item], most: int) -> list[Sequence[_Item]]:
    """`items` in order, at most so many at once."""
    return [items[at : at + most] for at in range(0, len(items), most)]


def begins(text: bytes) -> bytes:
    """A pattern for `text` at the beginning of a line, as fast as plain text is found."""
    plain = re.escape(text)
    return plain + rb"(?<![^\n]" + plain + rb")"


Rows = Literal["object", "array", "object_of_rows"]
"""Where the rows of a message lie: it is one; it is an array of them; or one of its fields is an array of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFormat:
    """How messages of one kind become rows of a dataset; a kind of which one message tells two rows has two of these.

    - `kind`: what `Meaning.pattern` finds in such a message;
    - `rows`: where its rows lie; `inside` is the field that holds them (a dotted path), or the object that is the row;
    - `row_format`: their fields, whose `wire` names are relative to `inside`; the column `symbol` is the source's spelling;
    - `fixed`: columns that have one value in all rows;
    - `scaled`: columns that count something else than the dataset does, and by what they are multiplied;
    - `only`: a column and the value that a row must have there to be one (a bar that is closed);
    - `marker`: bytes that every message of this kind has just once, and no other has.
    """

    kind: str
    dataset: str
    row_format: RowFormat
    rows: Rows = "object"
    inside: str = ""
    fixed: Mapping[str, object] = field(default_factory=dict)
    scaled: Mapping[str, float] = field(default_factory=dict)
    only: tuple[str, object] | None = None
    marker: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """All kinds of messages of a source: `pattern` finds the kind (its first group) in one message, in many that stand
    one a line, or in one row of an array. Of those in `ignored` no rows are made; those in `recorded` are kept as they
    came, as recordings of a dataset; `symbol` finds in them which symbol they are about. `contiguous` names, by dataset, the
    column of ids of which each follows the one before it, for a symbol. `told_by` is the top-level field that names the kind:
    what no pattern matches is parsed and told by it, wherever it stands."""

    pattern: bytes
    formats: tuple[MessageFormat, ...]
    ignored: frozenset[str] = frozenset()
    recorded: Mapping[str, str] = field(default_factory=dict)
    symbol: bytes = b""
    contiguous: Mapping[str, str] = field(default_factory=dict)
    told_by: str = ""


class StreamingVendor(Protocol):
    """What the module of a vendor that streams has beside its `SPEC`."""

    @staticmethod
    def streams(source: str, subscriptions: Sequence[Subscription]) -> list[Stream]:
        """The connections for these subscriptions; `ValueError` for one that the source does not stream."""
        ...

    @staticmethod
    def meaning(source: str) -> Meaning:
        """What this source's messages mean."""
        ...


def streamed(vendor: Vendor, source: str, dataset: Dataset) -> bool:
    """Whether a source of a vendor has live streams of a dataset."""
    if not vendor.SPEC.stream_hosts:
        return False
    try:
        sample = Subscription(dataset=dataset.name, symbol=dataset.asset_class.sample)
        return bool(cast("StreamingVendor", vendor).streams(source, [sample]))
    except ValueError:
        return False
