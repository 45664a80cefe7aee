"""`fulltape install-service`: the node under systemd."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from fulltape import errors
from fulltape.cli import _units
from fulltape.cli._units import NameOption, UserOption
from fulltape.terminal import options
from fulltape.terminal.options import NodeOption, QuietOption

PANEL = "Run"
PLACE = 4


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape install-service --node /srv/market")(install_service)


def install_service(
    user: UserOption = False,
    name: NameOption = "fulltape",
    memory: Annotated[
        str, typer.Option("--memory", help="The most memory of all its processes, as systemd writes it.")
    ] = "1G",
    show: Annotated[bool, typer.Option("--print", help="Print the unit, and write nothing.")] = False,
    node: NodeOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write a systemd unit that keeps fulltape run going: hardened, watched, started again after a failure."""
    import pwd

    from fulltape.lake import files
    from fulltape.service import unit
    from fulltape.service.unit import UnitSettings

    path = _units.path_of(name, user=user)
    if not re.fullmatch(r"[1-9]\d*(?:[KMGT]|%)?|infinity", memory):
        raise errors.UsageError(
            f"{memory!r} is no size for systemd.", hint="Write 512M, 1G, 20% or infinity."
        )
    loaded = options.load(node, asking=False)
    folder = loaded.folder.resolve()
    lake = (folder / loaded.values.node.lake).resolve()
    owner = folder.stat().st_uid
    settings = UnitSettings(
        node=folder,
        # Not resolved: the environment's own interpreter is a link.
        python=Path(sys.executable).absolute(),
        writable=[folder] if lake.is_relative_to(folder) else [folder, lake],
        stop_within=loaded.values.node.stop_within,
        memory=memory,
        user="" if user else pwd.getpwuid(owner).pw_name,
    )
    content = unit.text(settings)
    if show:
        typer.echo(content, nl=False)
        return
    try:
        files.publish_bytes(path, content.encode())
    except (PermissionError, errors.StorageError) as error:
        raise errors.StorageError(
            f"{path} could not be written.", hint="Run it with sudo, or use --user, or --print."
        ) from error
    if not quiet:
        manager = "systemctl --user" if user else "systemctl"
        typer.echo(f"{path} is written. Now:")
        typer.echo(f"  {manager} daemon-reload && {manager} enable --now {name}")
        if user:
            typer.echo("  loginctl enable-linger          # so that it runs when you are not logged in")
        typer.echo(
            f"Environment variables that fulltape.toml names go into {folder / unit.SECRETS} (chmod 600)."
        )
