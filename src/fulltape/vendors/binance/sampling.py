"""Whether a month's file of minutes says the same as the API: its checksum shows only that it came as it was published."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation

from fulltape.decoding import archives
from fulltape.market.time import MINUTE, Instant, epoch_unit

PAGE = 1_000
"""Minutes that one page of the API has."""
Prices = Mapping[Instant, tuple[Decimal, ...]]
"""By the start of a minute its open, high, low, close and volume."""


def rows(body: bytes) -> Prices:
    """The minutes of a file; `ValueError` for one that cannot be read."""
    text = archives.only_file(body).decode()
    return prices([line.split(",") for line in text.splitlines() if line[:1].isdigit()])


def prices(klines: Sequence[Sequence[object]]) -> Prices:
    """Minutes out of the fields of rows, as files and the API have them; `ValueError` for what is none."""
    try:
        return {
            _instant(int(str(row[0]))): tuple(Decimal(str(field)) for field in row[1:6]) for row in klines
        }
    except (InvalidOperation, IndexError) as error:
        raise ValueError(f"no row of a minute: {error}") from error


def _instant(timestamp: int) -> Instant:
    return timestamp if epoch_unit(timestamp) == "us" else timestamp * 1_000


def anywhere(name: str, start: Instant, stop: Instant) -> Instant:
    """Where a file of [start, stop) is sampled: elsewhere in each, and always there in the same one."""
    minutes = (stop - start) // MINUTE
    return start + zlib.crc32(name.encode()) % max(1, minutes - PAGE + 1) * MINUTE


def gap(file: Prices, start: Instant, stop: Instant) -> tuple[Instant, int]:
    """The longest stretch of [start, stop) without a minute: where it begins, and how many minutes it has."""
    longest = (start, 0)
    at = start
    for timestamp in [*sorted(timestamp for timestamp in file if start <= timestamp < stop), stop]:
        longest = max(longest, (at, (timestamp - at) // MINUTE), key=lambda stretch: stretch[1])
        at = timestamp + MINUTE
    return longest


def disagreement(file: Prices, api: Prices, start: Instant) -> str:
    """What a file says otherwise than a page of the API that begins at `start`; '' where they agree. A page that is full
    ends with its last row."""
    end = max(api) + 1 if len(api) >= PAGE else start + PAGE * MINUTE
    inside = {timestamp: row for timestamp, row in file.items() if start <= timestamp < end}
    lacking, more = len(api.keys() - inside.keys()), len(inside.keys() - api.keys())
    other = sum(inside[timestamp] != row for timestamp, row in api.items() if timestamp in inside)
    differences = [(lacking, "lacks"), (more, "has beside the API's"), (other, "tells otherwise")]
    return ", ".join(f"it {words} {count:,} of {len(api):,} minutes" for count, words in differences if count)
