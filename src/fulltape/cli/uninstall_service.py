"""`fulltape uninstall-service`: the node is no service of systemd any more."""

from __future__ import annotations

import typer

from fulltape import errors
from fulltape.cli import _units
from fulltape.cli._units import NameOption, UserOption
from fulltape.terminal.options import QuietOption

PANEL = "Run"
PLACE = 5


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape uninstall-service")(uninstall_service)


def uninstall_service(
    user: UserOption = False, name: NameOption = "fulltape", quiet: QuietOption = False
) -> None:
    """Remove the unit that install-service wrote; the node stays as it is."""
    path = _units.path_of(name, user=user)
    if not path.exists():
        raise errors.UsageError(f"there is no {path}.", hint="With --user it is your own manager's.")
    if "-m fulltape run" not in path.read_text():
        raise errors.UsageError(f"{path} is no unit of fulltape; nothing was removed.")
    try:
        path.unlink()
    except PermissionError as error:
        raise errors.StorageError(f"{path} could not be removed.", hint="Run it with sudo.") from error
    if not quiet:
        manager = "systemctl --user" if user else "systemctl"
        typer.echo(f"{path} is removed. If it runs: {manager} disable --now {name}; {manager} daemon-reload")
