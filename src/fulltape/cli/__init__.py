"""The command line: one file per verb.

Belongs here: options, progress, printing, exit codes. Does not belong here: decisions. Importing this package imports
no polars: whatever is heavy is imported inside the commands.
"""

from __future__ import annotations

import sys
import traceback

import typer

from fulltape import errors
from fulltape.cli import (
    accept,
    audit,
    backfill,
    calendars,
    capture,
    check,
    compact,
    config,
    curate,
    demo,
    export,
    gaps,
    init,
    ledger,
    nightly,
    regroup,
    seal,
    simulate,
    status,
    streams,
    sweep,
    symbols,
    tail,
    tasks,
    vendors,
    verify,
)
from fulltape.version import VERSION

app = typer.Typer(
    name="fulltape",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A self-hosted market-data node: it knows what is missing, fetches it, checks it, and exports it.",
    epilog="Example: fulltape demo",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"fulltape {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    pass


for verb in (
    init,
    nightly,
    capture,
    tail,
    streams,
    audit,
    backfill,
    seal,
    curate,
    check,
    export,
    regroup,
    compact,
    verify,
    sweep,
    status,
    gaps,
    accept,
    simulate,
    demo,
):
    verb.register(app)
app.add_typer(tasks.app, name="tasks")
app.add_typer(vendors.app, name="vendors")
app.add_typer(symbols.app, name="symbols")
app.add_typer(ledger.app, name="ledger")
app.add_typer(config.app, name="config")
app.add_typer(calendars.app, name="calendars")


def main() -> None:
    """Run the command line: 0 complete, 1 gaps or RED cells, 2 usage, 3 vendor, 4 storage, 75 busy, 130 interrupted."""
    try:
        app()
    except errors.FulltapeError as error:
        typer.secho(f"fulltape: {error.message}", err=True, fg="red")
        if error.hint:
            typer.echo(error.hint, err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        typer.secho(f"fulltape: {error.filename or 'the disk'}: {error.strerror}.", err=True, fg="red")
        sys.exit(4)
    except Exception:  # noqa: BLE001
        # Python's own exit code for this is 1, which here means "finished, with gaps".
        traceback.print_exc()
        typer.secho(
            "fulltape: this is a defect of fulltape; nothing acknowledged is lost.", err=True, fg="red"
        )
        sys.exit(70)
