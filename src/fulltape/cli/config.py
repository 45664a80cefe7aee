"""`fulltape config`: effective settings and their validation."""

from __future__ import annotations

from typing import Any

import typer

from fulltape.terminal import options
from fulltape.terminal.options import JsonOption, NodeOption

app = typer.Typer(
    no_args_is_help=True,
    help="Show and check the settings.",
    epilog="Example: fulltape config check --node ~/market",
)
PANEL = "Begin"


def register(root: typer.Typer) -> None:
    """Add the verbs."""
    root.add_typer(app, name="config")


@app.command(epilog="Example: fulltape config show --node ~/market")
def show(node: NodeOption = None, json: JsonOption = False) -> None:
    """Print every setting and where it comes from; secrets are masked. What a plan allows, fulltape vendors shows."""
    from fulltape.settings import load

    loaded = options.load(node)
    settings = list(load.effective(loaded))
    if json:
        options.emit_json(
            [{"key": key, "value": _typed(value), "origin": origin} for key, value, origin in settings]
        )
        return
    rows = [(key, _plain(value), origin) for key, value, origin in settings]
    width = max(len(key) for key, _, _ in rows)
    for key, value, origin in rows:
        typer.echo(f"{key:<{width}} = {value}  ({origin})")


@app.command(epilog="Example: fulltape config check --node ~/market")
def check(node: NodeOption = None) -> None:
    """Validate everything without starting: keys, types, secrets, vendors, datasets, universe."""
    from fulltape.node import assemble

    loaded = options.load(node)
    assemble.check(loaded)
    typer.echo(f"{loaded.folder / 'fulltape.toml'} is good.")


def _typed(value: Any) -> Any:
    """A value for programs; of a secret only that there is one."""
    if isinstance(value, tuple):
        return [_typed(entry) for entry in value]
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


def _plain(value: Any) -> Any:
    if value is None or value == "":
        return "none"
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, (bool, int, float)) else str(value)
