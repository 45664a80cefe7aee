"""`fulltape schedule`: what a running node does when, and how it went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fulltape.terminal import options
from fulltape.terminal.options import JsonOption, NodeOption, QuietOption

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fulltape.market.time import Instant
    from fulltape.schedule.rules import ScheduleRule
    from fulltape.service.memory import LastRun
    from fulltape.service.shown import ServiceState, ShownEntry

PANEL = "Run"
PLACE = 1
_LOOK_EVERY = 0.5
app = typer.Typer(invoke_without_command=True, no_args_is_help=False, epilog="Example: fulltape schedule")


def register(root: typer.Typer) -> None:
    """Add the verbs."""
    root.add_typer(app, name="schedule")


@app.callback()
def schedule(context: typer.Context, node: NodeOption = None, json: JsonOption = False) -> None:
    """Show when each entry of the schedule runs next, how its last run went, and what runs now."""
    if context.invoked_subcommand:
        return
    from fulltape import clock
    from fulltape.service import schedule as standing
    from fulltape.service import shown
    from fulltape.settings import load

    folder = load.find(node)
    now = clock.wall_ns() // 1_000
    state = shown.read(folder)
    if state is None or not shown.alive(state, now):
        state = None
    entries = state.entries if state else standing.stored(folder, _rules(node), now)
    if json:
        options.emit_json(
            {
                "running": state is not None,
                "since": state.since if state else 0,
                "process": state.process if state else None,
                "stopping": bool(state and state.stopping),
                "capture": state.capture if state else "stopped",
                "now": state.running if state else (),
                "held": state.held if state else {},
                "resting": state.resting if state else {},
                "message": state.message if state else "",
                "conditions": state.conditions if state else (),
                "entries": entries,
            }
        )
        return
    for line in lines(state, entries, now):
        typer.echo(line)


@app.command(epilog="Example: fulltape schedule run export")
def run(
    name: Annotated[str, typer.Argument(help="The entry, as fulltape schedule lists it.")],
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it has ended.")] = True,
    node: NodeOption = None,
    quiet: QuietOption = False,
) -> None:
    """Let the running service run an entry of its schedule now; without a service, use fulltape jobs run."""
    from fulltape import clock, errors
    from fulltape.service import control, shown
    from fulltape.service.control import ControlRequest
    from fulltape.settings import load

    folder = load.find(node)
    begun = clock.wall_ns() // 1_000
    reply = control.request(folder, ControlRequest(do="run", name=name))
    if not reply.ok:
        raise errors.UsageError(reply.message, hint=reply.hint)
    if not wait:
        if not quiet:
            typer.echo(reply.message)
        return
    shown_before = ""
    while True:
        clock.pause(_LOOK_EVERY)
        state = shown.read(folder)
        if not shown.alive(state, clock.wall_ns() // 1_000) or state is None or state.stopping:
            raise errors.StorageError(
                f"the service ended before {name} had.", hint="Start it again with `fulltape run`."
            )
        if not quiet:
            far = _progress(state, name)
            if far and far != shown_before:
                typer.echo(far, err=True)
            shown_before = far or shown_before
        last = next((entry.last for entry in state.entries if entry.name == name), None)
        if last and last.started >= begun and last.ended:
            break
    if not quiet:
        typer.echo(f"{name}: {_outcome(last)}")
    if last.outcome != "done":
        raise typer.Exit(1)


def _rules(node: Path | None) -> Mapping[str, ScheduleRule]:
    from fulltape.settings import running

    values = options.load(node, asking=False).values
    return running.rules(values.schedule, syncing=bool(values.sync.targets))


def lines(state: ServiceState | None, entries: tuple[ShownEntry, ...], now: Instant) -> list[str]:
    """The schedule as a table, what runs now, and what needs a person."""
    from fulltape.market.time import to_second
    from fulltape.service.sentences import resting_words

    out = [f"{'entry':<11} {'next (UTC)':<17} {'last (UTC)':<17} {'outcome':<22} when"]
    for entry in entries:
        due = to_second(entry.next)[:16] if entry.next else "-"
        due = "off" if not entry.enabled else "now" if entry.next and entry.next <= now else due
        last = to_second(entry.last.started)[:16] if entry.last.started else "-"
        out.append(f"{entry.name:<11} {due:<17} {last:<17} {_outcome(entry.last):<22} {entry.when}")
    out.append("")
    if state is None:
        return [*out, "No service runs; fulltape run starts it."]
    for run in state.running:
        far = (
            f", {run.done:,} of {run.total:,} {run.unit}"
            if run.total
            else f", {run.done:,} {run.unit}"
            if run.unit
            else ""
        )
        out.append(f"now: {run.entry} since {to_second(run.started)}{far}")
    if not state.running:
        out.append("now: nothing is due")
    out += [resting_words(source, rest.reason, rest.until) for source, rest in state.resting.items()]
    out += [f"held: {why}" for why in dict.fromkeys(state.held.values())]
    if state.message:
        out.append(f"settings: {state.message}")
    return out + [f"needs you: {condition.title}. {condition.text}" for condition in state.conditions]


def _progress(state: ServiceState, name: str) -> str:
    """How far a run is; what it waits for, where it has not begun."""
    for run in state.running:
        if run.entry == name and (run.total or run.done):
            return (
                f"{name}: {run.done:,} of {run.total:,} {run.unit}"
                if run.total
                else f"{name}: {run.done:,} {run.unit}"
            )
    begun = any(run.entry == name for run in state.running)
    others = ", ".join(run.entry for run in state.running)
    return f"{name}: waits for {others}" if others and not begun else ""


def _outcome(last: LastRun) -> str:
    if not last.started:
        return "never ran"
    if not last.ended:
        return "runs"
    if last.outcome == "done":
        return f"done in {last.took:,.1f} s"
    return f"{last.outcome}: {last.error}" if last.error else last.outcome
