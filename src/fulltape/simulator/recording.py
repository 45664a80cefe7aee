"""Recorded sessions of real venues, to be played by a simulated vendor: two ways in which people keep them."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fulltape import errors

_SECONDS = re.compile(rb"(\d+\.\d+): (.*)")
_NANOSECONDS = re.compile(rb"(\d{19}) (.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Messages as they came, each with its moment in UTC nanoseconds, in the order of time."""

    messages: tuple[tuple[int, bytes], ...]


def load(paths: Iterable[Path]) -> Recording:
    """The messages of files (gzip or plain) whose lines are `<nanoseconds> <message>` or `<seconds>: <message>`; lines
    about connections and what was sent are passed over."""
    messages = [message for path in paths for message in _read(path)]
    if not messages:
        raise errors.UsageError("the recording holds no messages.")
    return Recording(messages=tuple(sorted(messages, key=lambda message: message[0])))


def _read(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except OSError as error:
        raise errors.UsageError(f"{path} cannot be read: {error.strerror or error}.") from None
    for line in content.splitlines():
        if exact := _NANOSECONDS.fullmatch(line):
            yield int(exact[1]), exact[2]
        elif coarse := _SECONDS.fullmatch(line):
            yield int(float(coarse[1]) * 1e9), coarse[2]
