"""The command line: one file per verb, found by being there.

Belongs here: options, progress, printing, exit codes. Does not belong here: decisions. Importing this package imports
no polars: whatever is heavy is imported inside the commands.
"""

from __future__ import annotations

import enum
import importlib
import pkgutil
import sys
import traceback
from types import ModuleType

import typer

from fulltape import errors, log
from fulltape.version import VERSION

PANELS = ("Begin", "Run", "Look", "Stages of a night", "Keep")
"""Under these headings `fulltape --help` lists the verbs."""

app = typer.Typer(
    name="fulltape",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A self-hosted market-data node: it knows what is missing, fetches it, checks it, and exports it.",
    epilog="Example: fulltape demo",
)


class LogFormat(enum.StrEnum):
    """How it is told what happens."""

    TEXT = "text"
    JSON = "json"


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"fulltape {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(  # noqa: ARG001 — its callback ends the command
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
    log_format: LogFormat = typer.Option(
        LogFormat.TEXT,
        "--log",
        envvar="FULLTAPE_LOG",
        help="How to tell on standard error what happens: text for people, or a JSON object a line.",
    ),
) -> None:
    log.choose(json=log_format is LogFormat.JSON)


def _verbs() -> list[ModuleType]:
    """The files of this folder, in the order of their panels, and of their `PLACE` in it where they have one."""
    verbs = [
        importlib.import_module(f"{__name__}.{module.name}")
        for module in pkgutil.iter_modules(__path__)
        if not module.name.startswith("_")
    ]
    return sorted(
        verbs, key=lambda verb: (PANELS.index(verb.PANEL), getattr(verb, "PLACE", 0), verb.__name__)
    )


for _verb in _verbs():
    _commands, _groups = len(app.registered_commands), len(app.registered_groups)
    _verb.register(app)
    for _command in app.registered_commands[_commands:]:
        _command.rich_help_panel = _verb.PANEL
    for _group in app.registered_groups[_groups:]:
        _group.rich_help_panel = _verb.PANEL


def main() -> None:
    """Run the command line: 0 complete, 1 gaps or RED cells, 2 usage, 3 vendor, 4 storage, 75 busy, 130 interrupted."""
    try:
        app()
    except errors.FulltapeError as error:
        if log.chosen():
            about = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
            log.write("fulltape", "failed", about)
            sys.exit(error.exit_code)
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
        if log.chosen():
            log.write(
                "fulltape", "failed", {"error": "defect of fulltape", "message": traceback.format_exc()}
            )
            sys.exit(70)
        traceback.print_exc()
        typer.secho(
            "fulltape: this is a defect of fulltape; nothing acknowledged is lost.", err=True, fg="red"
        )
        sys.exit(70)
