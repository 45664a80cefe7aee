"""The questions of `fulltape init` on a terminal; what an option has answered already is not asked."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import typer

from fulltape import errors
from fulltape.cli._given import Given
from fulltape.contract.vendor import Source, Vendor
from fulltape.setup.plan import VendorChoice
from fulltape.terminal import wrapping

_T = TypeVar("_T")
_USUAL_TIME = "02:30"


def complete(folder: Path, given: Given) -> Given:
    """The same with everything that was not given; typer ends the program where the person gives up."""
    from fulltape import vendors
    from fulltape.setup import plan, run

    typer.echo(
        f"A new node in {folder}. Enter takes what stands in brackets; Ctrl-C ends without writing anything.\n"
    )
    if not given.vendors:
        listed = {name: vendors.load(name) for name in vendors.names()}
        _list_vendors(listed)
        # One that needs no key and has live streams shows at once what a node does.
        usual = next(
            name for name, vendor in listed.items() if not vendor.SPEC.secrets and vendor.SPEC.stream_hosts
        )
        given = given.having(vendors=_until("1. Which vendors, the preferred one first?", usual, _vendors))
    else:
        _vendors(",".join(given.vendors))
    specs = {name.partition(".")[0]: run.vendor(name.partition(".")[0]) for name in given.vendors}
    given = given.having(
        choices=tuple(_choice(name, specs[name.partition(".")[0]], given) for name in given.vendors)
    )
    sources = plan.sources(given.choices, specs)
    if not given.datasets:
        names = plan.offered(sources)
        _list_datasets(names)
        given = given.having(
            datasets=_until("2. Which datasets?", _usual_datasets(names), lambda text: _datasets(text, names))
        )
    if not given.symbols:
        samples = _samples(given.datasets)
        given = given.having(symbols=_until("3. Which symbols?", samples, lambda text: _symbols(text, given)))
    if given.first is None:
        given = given.having(first=_until("4. Since when?", run.usual_first().isoformat(), _day))
    if given.live is None:
        given = given.having(
            live=_streams(given, specs, sources) and typer.confirm("   Capture live as well?", default=True)
        )
    if given.lake is None:
        given = given.having(lake=_until(f"5. Where shall the data lie? ({_room(folder)})", "lake", _place()))
    if given.export is None:
        time = _until("6. When shall the night's bundle be written?", f"{_USUAL_TIME} UTC", _time)
        given = given.having(export=time[0], zone=time[1])
    return given


def _until(question: str, usual: str, read: Callable[[str], _T]) -> _T:
    """The answer to a question, which is asked again until it can be meant."""
    while True:
        text = typer.prompt(question, default=usual).strip()
        try:
            return read(text)
        except errors.UsageError as error:
            wrapping.say([f"   {error}"])


def _several(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part for part in text.replace(",", " ").split() if part))


def _list_vendors(known: Mapping[str, Vendor]) -> None:
    width = max(map(len, known))
    for name, vendor in known.items():
        spec = vendor.SPEC
        serves = sorted(
            {
                capability.dataset.partition("_")[0]
                for source in spec.sources
                for capability in source.capabilities
            }
        )
        about = ", ".join(serves) or f"many exchanges: name one, as {name}.okx"
        needs = f"needs {' and '.join(spec.secrets)}" if spec.secrets else "no key"
        wrapping.say([f"   {name:<{width}}  {about} ({needs})"])


def _vendors(text: str) -> tuple[str, ...]:
    from fulltape.setup import plan, run

    names = _several(text)
    if not names:
        raise errors.UsageError("at least one vendor is wanted.")
    specs = {name.partition(".")[0]: run.vendor(name.partition(".")[0]) for name in names}
    plan.sources([VendorChoice(name=name) for name in names], specs)
    return names


def _choice(name: str, vendor: Vendor, given: Given) -> VendorChoice:
    spec = vendor.SPEC
    plans = list(spec.plans)
    plan = ""
    if len(plans) > 1 and not given.quick:
        plan = _until(
            f"   Your plan at {spec.title} ({', '.join(plans)})",
            spec.default_plan,
            lambda text: _among(text, plans),
        )
    secrets = {}
    for secret in () if given.quick else spec.secrets:
        variable = f"{name.partition('.')[0].upper()}_{secret.upper()}"
        words = f"   {spec.title} {secret} (Enter: the settings read it from ${variable})"
        secrets[secret] = typer.prompt(words, default="", show_default=False, hide_input=True).strip()
    return VendorChoice(name=name, plan="" if plan == spec.default_plan else plan, secrets=secrets)


def _among(text: str, known: Sequence[str]) -> str:
    if text not in known:
        raise errors.UsageError(f"{text!r} is none of {', '.join(known)}.")
    return text


def _list_datasets(names: Sequence[str]) -> None:
    from fulltape.market import datasets

    for number, name in enumerate(names, start=1):
        wrapping.say([f"   {number:>2}  {name:<26}  {datasets.get(name).summary}"])


def _usual_datasets(names: Sequence[str]) -> str:
    """Day bars of what there is most of, and what adjusts them."""
    days = [name for name in names if name.endswith("_bars_day")]
    first = "equities_bars_day" if "equities_bars_day" in days else (days or list(names))[0]
    return (
        f"{first}, corporate_actions"
        if first == "equities_bars_day" and "corporate_actions" in names
        else first
    )


def _datasets(text: str, names: Sequence[str]) -> tuple[str, ...]:
    chosen = tuple(
        names[int(part) - 1] if part.isdecimal() and 0 < int(part) <= len(names) else part
        for part in _several(text)
    )
    for name in chosen:
        _among(name, names)
    if not chosen:
        raise errors.UsageError("at least one dataset is wanted.")
    return chosen


def _samples(names: Sequence[str]) -> str:
    from fulltape.market import datasets

    return ", ".join(dict.fromkeys(datasets.get(name).asset_class.sample for name in names))


def _symbols(text: str, given: Given) -> tuple[str, ...]:
    from fulltape.setup import plan

    symbols = _several(text)
    plan.universes(given.having(symbols=symbols, first=dt.date(2000, 1, 3)).answers())
    return symbols


def _day(text: str) -> dt.date:
    from fulltape.setup import run

    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        raise errors.UsageError(f"{text!r} is no day.", hint="A day is written YYYY-MM-DD.") from None
    if day > run.today():
        raise errors.UsageError(f"{text} has not come yet.")
    return day


def _streams(given: Given, specs: Mapping[str, Vendor], sources: Sequence[Source]) -> bool:
    from fulltape.contract.streams import streamed
    from fulltape.market import datasets
    from fulltape.setup import plan

    return any(
        streamed(specs[source.partition(".")[0]], source, datasets.get(name))
        for name in given.datasets
        for source in plan.serving(name, sources)
    )


def _room(folder: Path) -> str:
    """What the disk of the new node is like."""
    from fulltape.doctor import machine

    here = folder.resolve()
    while not here.exists():
        here = here.parent
    return f"{shutil.disk_usage(here).free / 1e9:,.0f} GB free, fsync {machine.syncing(here).text}"


def _place() -> Callable[[str], str]:
    def read(text: str) -> str:
        if text == "lake":
            return ""
        place = Path(text).expanduser()
        parent = place if place.exists() else place.parent
        # What is relative lies in the node's folder, which is made now.
        if place.is_absolute() and not parent.is_dir():
            raise errors.UsageError(f"there is no folder {parent}.")
        return str(place)

    return read


def _time(text: str) -> tuple[str, str]:
    """A cron expression and its zone, out of `HH:MM ZONE`; ('', 'UTC') for the usual time."""
    from fulltape.schedule import cron

    clock, _, zone = text.partition(" ")
    hour, colon, minute = clock.partition(":")
    if not (colon and hour.isdecimal() and minute.isdecimal() and int(hour) < 24 and int(minute) < 60):
        raise errors.UsageError(f"{text!r} is no time of day.", hint="Write it like 06:00 Europe/Berlin.")
    zone = zone.strip() or "UTC"
    if problem := cron.zone_problem(zone):
        raise errors.UsageError(f"{problem}.")
    if (clock, zone) == (_USUAL_TIME, "UTC"):
        return "", "UTC"
    return f"{int(minute)} {int(hour)} * * *", zone
