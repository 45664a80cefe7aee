"""`fulltape config`: effective settings and their validation."""

from __future__ import annotations

from typing import Any

import typer

from fulltape.cli import options
from fulltape.cli.options import JsonOption, NodeOption

app = typer.Typer(
    no_args_is_help=True,
    help="Show and check the settings.",
    epilog="Example: fulltape config check --node ~/market",
)


@app.command(epilog="Example: fulltape config show --node ~/market")
def show(node: NodeOption = None, json: JsonOption = False) -> None:
    """Print every effective value and where it comes from; secrets are masked."""
    from fulltape.settings import load

    loaded = options.load(node)
    rows = [(key, _plain(value), origin) for key, value, origin in load.effective(loaded)]
    if json:
        options.emit_json([{"key": key, "value": value, "origin": origin} for key, value, origin in rows])
        return
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


def _plain(value: Any) -> Any:
    if value is None or value == "":
        return "none"
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return value if isinstance(value, (bool, int, float)) else str(value)
