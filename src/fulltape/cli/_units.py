"""Where units of systemd lie; what the verbs about them share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from fulltape import errors

_SYSTEM = Path("/etc/systemd/system")

UserOption = Annotated[bool, typer.Option("--user", help="For your own service manager; needs no root.")]
NameOption = Annotated[str, typer.Option("--name", help="The unit's name.")]


def path_of(name: str, *, user: bool) -> Path:
    """The file of a unit; `UsageError` where the name cannot be one."""
    if not name or not all(letter.isalnum() or letter in "-_.@" for letter in name):
        raise errors.UsageError(f"{name!r} is no name of a unit.", hint="Letters, digits, - _ . and @.")
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return (home / "systemd" / "user" if user else _SYSTEM) / f"{name}.service"
