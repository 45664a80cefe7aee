"""`fulltape nightly`: all stages once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from fulltape.terminal import options, wrapping
from fulltape.terminal.options import JsonOption, NodeOption, QuietOption, counted, number
from fulltape.terminal.progress import Watch

if TYPE_CHECKING:
    from fulltape.node.nightly import Night


PANEL = "Run"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape nightly --node ~/market")(nightly)


def nightly(node: NodeOption = None, json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Audit, fill what is missing, curate, check and export: everything once, from where the last run ended."""
    from fulltape.clock import SystemClock
    from fulltape.node import nightly as night
    from fulltape.views import state

    with options.opened(node, asking=True) as context, Watch(quiet=quiet or json) as watch:
        clock = SystemClock(context.ledger.boots.anchor)
        done = night.run(context, clock, watch)
        future = [*state.not_begun(context, clock.now()), *state.horizons(context, clock.now())]
    if json:
        options.emit_json({"complete": done.complete, **vars_of(done)})
    elif not quiet:
        wrapping.say([*lines(done), *(f"note      {sentence}" for sentence in future)])
    options.fail_for_vendors(done.filled)
    if not done.complete:
        raise typer.Exit(4 if done.filled.full else 1)


def lines(done: Night) -> list[str]:
    """The night in a few lines."""
    from fulltape.market.time import to_second

    filled, audited = done.filled, done.audit
    earlier = ", also what the interrupted run before had fetched" if filled.resumed else ""
    out = [
        f"fetched   {counted(filled.requests, 'request')}, {counted(filled.pages, 'page')}, "
        f"for {counted(filled.tasks, 'task')}",
        f"sealed    {counted(filled.rows, 'row')}{earlier}",
        f"curated   {counted(done.curated.written, 'folder')} written",
        f"checked   {counted(done.check.cells, 'cell')}: {number(done.check.green)} GREEN, "
        f"{number(done.check.amber)} AMBER, {number(done.check.red)} RED, "
        f"{number(done.check.unchecked)} UNCHECKED",
        f"coverage  {number(audited.held)} of {number(audited.wanted)} cells held, {number(audited.partial)} partly, "
        f"{number(audited.empty)} confirmed empty, {number(audited.unobtainable)} that no vendor has, "
        f"{number(audited.unknown_listing)} of unknown listing, {number(audited.missing)} missing",
    ]
    if done.check.broken:
        out.append(f"gaps      {counted(done.check.broken, 'session')} missing between held ones (AMBER)")
    if filled.rejected:
        out.append(
            f"rejected  {counted(filled.rejected, 'time')}, with the reason in fulltape status; the pages are kept under rejected/"
        )
    if filled.damaged:
        out.append(
            f"journal   {counted(filled.damaged, 'damaged stretch')} skipped; what they held is fetched again"
        )
    out += [f"damaged   {path}: withdrawn, to be made again" for path in done.damaged]
    out += [f"waiting   {source}: {why}, room at {to_second(room)}" for source, why, room in filled.waiting]
    if done.regrouped.folders:
        out.append(f"regrouped {counted(done.regrouped.folders, 'folder')} written by instrument")
    if done.compacted.folders:
        out.append(
            f"compacted {counted(done.compacted.parts, 'raw file')} into {number(done.compacted.folders)}"
        )
    for place in done.sync.places:
        whole = "" if place.complete else "; NOT everything is there, fulltape sync tells more"
        out.append(
            f"sent      {counted(place.sent, 'file')} to {place.target}, {place.bytes / 1e6:,.1f} MB, read back{whole}"
        )
    out += [f"NOT sent  {target}: {reason}" for target, reason in done.sync.failed.items()]
    if filled.full:
        out.append(f"disk      {filled.full}")
    if done.export is None:
        out.append("exported  nothing: nothing that is final is curated yet")
    elif done.export.damaged:
        paths = ", ".join(done.export.damaged[:3])
        out.append(
            f"exported  nothing: not what was written, twice in a row: {paths}; fulltape verify tells more"
        )
    else:
        state = "written" if done.export.written else "unchanged"
        out.append(
            f"exported  {done.export.path} ({state}: {counted(done.export.files, 'file')}, {number(done.export.rows)} rows)"
        )
        out.append(
            "          survivorship: BIASED, since the universe is today's list, not a dated one (docs/symbols.md)"
        )
    return out


def vars_of(done: Night) -> dict[str, object]:
    """The reports of a night by stage."""
    import dataclasses

    return {field.name: getattr(done, field.name) for field in dataclasses.fields(done)}
