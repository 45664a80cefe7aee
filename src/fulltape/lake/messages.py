"""What capture writes into the journal: blocks of messages as they came, and marks of what happened to a connection.

A block holds messages of one connection: `[connection u32][number u32][count u32][received ns i64 × count][length u32 ×
count]`, little endian, and then the messages, one a line. One checksum holds for all of a block, so that a message costs
no more than its bytes. Blocks of a connection are numbered from 1: one that is there twice is known for it.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from fulltape.contract.events import ConnectionEvent

_HEAD = struct.Struct("<III")
_LINE = b"\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Messages of one connection, in the order in which they came; `received` in UTC nanoseconds."""

    connection: int
    number: int
    received: array[int]
    lengths: array[int]
    body: bytes

    @property
    def plain(self) -> bool:
        """Whether every line of the body is a message: none has a line end inside."""
        return self.body.count(_LINE) == len(self.lengths) - 1

    def messages(self) -> list[bytes]:
        """The messages, exactly as they came."""
        if self.plain:
            return self.body.split(_LINE)
        messages, at = [], 0
        for length in self.lengths:
            messages.append(self.body[at : at + length])
            at += length + 1
        return messages


def block(connection: int, number: int, messages: Sequence[bytes], received: array[int]) -> Block:
    """Messages as a block; `received` has a stamp for each."""
    return Block(
        connection=connection,
        number=number,
        received=received,
        lengths=array("I", map(len, messages)),
        body=_LINE.join(messages),
    )


def encode_block(batch: Block) -> tuple[bytes | memoryview, ...]:
    """The payload of a block's record, in pieces."""
    head = _HEAD.pack(batch.connection, batch.number, len(batch.lengths))
    return head, _wire(batch.received), _wire(batch.lengths), batch.body


def decode_block(payload: bytes) -> Block:
    """A block from its record's payload."""
    connection, number, count = _HEAD.unpack_from(payload)
    received, lengths = array("q"), array("I")
    at = _HEAD.size
    received.frombytes(payload[at : at + 8 * count])
    at += 8 * count
    lengths.frombytes(payload[at : at + 4 * count])
    if sys.byteorder == "big":
        received.byteswap()
        lengths.byteswap()
    return Block(
        connection=connection,
        number=number,
        received=received,
        lengths=lengths,
        body=payload[at + 4 * count :],
    )


def encode_event(event: ConnectionEvent) -> bytes:
    """The payload of a mark's record."""
    return msgspec.json.encode(event)


def decode_event(payload: bytes) -> ConnectionEvent:
    """A mark from its record's payload."""
    return msgspec.json.decode(payload, type=ConnectionEvent)


def _wire(values: array[int]) -> memoryview:
    if sys.byteorder == "big":
        values = array(values.typecode, values)
        values.byteswap()
    return memoryview(values).cast("B")
