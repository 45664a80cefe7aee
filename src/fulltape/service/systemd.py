"""What systemd is told of a service that it started: that it is ready, that it lives, that it ends (sd_notify)."""

from __future__ import annotations

import contextlib
import os
import socket


def tell(*lines: str) -> None:
    """Tell it, where it has said how; else nothing happens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.sendto("\n".join(lines).encode(), f"\0{address[1:]}" if address.startswith("@") else address)


def watchdog_seconds() -> float | None:
    """How often it wants a sign of life, at least; None where it wants none."""
    try:
        return int(os.environ["WATCHDOG_USEC"]) / 2e6
    except (KeyError, ValueError):
        return None
