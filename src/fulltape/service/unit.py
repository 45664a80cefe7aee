"""The systemd unit of a node. Pure: text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SECRETS = "secrets.env"
"""A file in the node's folder with the environment variables that its settings name, one NAME=value a line."""
_SLACK = 15
"""Seconds that the service manager waits beyond `node.stop_within` before it kills."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSettings:
    """What a unit is about: absolute paths, seconds, bytes; `user` '' for a unit of the user's own manager."""

    node: Path
    python: Path
    writable: Sequence[Path]
    stop_within: float
    memory: str
    user: str = ""


def text(about: UnitSettings) -> str:
    """The unit."""
    node, writable = _quoted(about.node), " ".join(_quoted(path) for path in about.writable)
    user = f"User={about.user}\n" if about.user else ""
    target = "multi-user.target" if about.user else "default.target"
    return f"""\
[Unit]
Description=fulltape, a market-data node in {_percent(str(about.node))}
Documentation=man:systemd.service(5)
Wants=network-online.target
After=network-online.target time-sync.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
{user}WorkingDirectory={_percent(str(about.node))}
EnvironmentFile=-{_percent(str(about.node / SECRETS))}
ExecStart={_quoted(about.python)} -m fulltape run --node {node}
ExecReload=/bin/kill -HUP $MAINPID
# Settings that cannot work are not tried again and again: the journal says what to mend.
RestartPreventExitStatus=2
Restart=always
RestartSec=5
# The supervisor stops its children in order; what is left after that is killed, and loses nothing.
KillMode=mixed
TimeoutStopSec={about.stop_within + _SLACK:.0f}
WatchdogSec=120
# A worker that needs too much is started again; capture goes on.
OOMPolicy=continue
MemoryMax={about.memory}
UMask=0077
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths={writable}
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
CapabilityBoundingSet=
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM

[Install]
WantedBy={target}
"""


def _percent(value: str) -> str:
    """A value without specifiers."""
    return value.replace("%", "%%")


def _quoted(path: Path) -> str:
    """A path as one word."""
    escaped = _percent(str(path)).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if " " in escaped else escaped
