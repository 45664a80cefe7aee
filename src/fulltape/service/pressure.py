"""How hard the machine is pressed, as the kernel tells (pressure stall information)."""

from __future__ import annotations

import re
from pathlib import Path

_FOLDER = Path("/proc/pressure")
_STALLED = re.compile(r"^full avg10=([0-9.]+)", re.MULTILINE)


def stalled(resource: str, folder: Path = _FOLDER) -> float:
    """The share of the last ten seconds in which everything that runs waited for a resource ("memory", "io"); 0 where the kernel does
    not say."""
    try:
        match = _STALLED.search((folder / resource).read_text())
    except OSError:
        return 0.0
    return float(match[1]) / 100 if match else 0.0
