"""The demonstration from beginning to end."""

from __future__ import annotations

import importlib.resources
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fulltape import errors
from fulltape.context import NodeContext
from fulltape.demo import node, proof
from fulltape.node import assemble
from fulltape.settings import load
from fulltape.simulator import market, run, scenario
from fulltape.simulator.run import Running
from fulltape.simulator.server import ServedCall

Say = Callable[[str], None]
Draw = Callable[[NodeContext], list[str]]
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What the demonstration came to."""

    proved: bool
    seconds: float
    largest_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """What the kill found: the answers that were on their way."""

    in_flight: tuple[ServedCall, ...]


def tell(folder: Path, say: Say, draw: Draw, report: Callable[[NodeContext], list[str]]) -> Ending:
    """Run the whole story in `folder`, which must not exist or be empty; `draw` and `report` show a node."""
    if folder.exists() and any(folder.iterdir()):
        raise errors.UsageError(
            f"{folder} is not empty.", hint=f"Name another folder with --folder, or remove it: rm -r {folder}"
        )
    started = time.monotonic()
    faults = scenario.parse(_scenario(), where="demo/scenario.toml")
    say("The plan, all of it ordinary settings:")
    for line in node.plan():
        say(f"  {line}")
    with run.running(market.sample(), faults) as simulated_vendors:
        node.create(folder, {name: server.url for name, server in simulated_vendors.servers.items()})
        say(f"\nA node in {folder}, and both vendors simulated on loopback. Before the night:\n")
        _show(folder, draw, say)
        killed = _until_killed(folder, simulated_vendors, say)
        say("\nThe restart:\n")
        _nightly(folder, say)
        say("\nAfter the night:\n")
        _show(folder, draw, say)
        _show(folder, report, say)
        say("\nThe proof:")
        proved = _prove(folder, simulated_vendors, killed, say)
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return Ending(
        proved=proved, seconds=time.monotonic() - started, largest_mb=max(children, _own_peak_kb()) / 1_000
    )


def _own_peak_kb() -> int:
    """This process's largest resident size. Not from `getrusage`: that one remembers who started us."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def _until_killed(folder: Path, simulated_vendors: Running, say: Say) -> Killed:
    """Start the night, and kill the node while a page of a multi-symbol answer is on its way."""
    say(
        "\nThe night begins. One page of an answer for several symbols will be held open, and the node killed:\n"
    )
    child = _start(folder, "--quiet")
    held = simulated_vendors.servers["alpaca"].held
    patience = time.monotonic() + _PATIENCE
    while not held.wait(0.05):
        if child.poll() is not None or time.monotonic() > patience:
            child.kill()
            raise errors.FulltapeError(
                "the night ended before the page was held: the demonstration is broken."
            )
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    last = tuple(line for server in simulated_vendors.servers.values() for line in server.latest())
    on_its_way = next(line for line in simulated_vendors.log() if line.held)
    symbols = on_its_way.params.get("symbols", "")
    say(
        f"  killed (-9) while a page of {symbols} was on its way; {len(simulated_vendors.log())} requests had been sent"
    )
    simulated_vendors.release()
    return Killed(in_flight=last)


def _start(folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "fulltape", "nightly", "--node", str(folder), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _nightly(folder: Path, say: Say) -> None:
    child = _start(folder)
    out, _ = child.communicate(timeout=300)
    for line in out.splitlines():
        say(f"  {line}")
    if child.returncode not in (0, 1):
        raise errors.FulltapeError(f"the night failed with exit code {child.returncode}.")


def _show(folder: Path, draw: Draw, say: Say) -> None:
    context = assemble.open_context(load.load(folder))
    try:
        for line in draw(context):
            say(line)
    finally:
        context.close()


def _prove(folder: Path, simulated_vendors: Running, killed: Killed, say: Say) -> bool:
    good = True

    def claim(holds: bool, words: str) -> None:
        nonlocal good
        good = good and holds
        say(f"  {'ok  ' if holds else 'FAIL'} {words}")

    twice = proof.asked_twice(simulated_vendors.log(), killed.in_flight)
    claim(
        not twice,
        f"none of {len(simulated_vendors.log())} requests asked again for an answer that had come (in flight at the kill: excepted)",
    )
    lake = folder / "lake"
    bundle = max((lake / "exports" / "nightly").iterdir())
    count, wrong = proof.checksums(bundle)
    claim(not wrong, f"SHA256SUMS: {count} files of the bundle verify")
    for dataset, kind in (("equities_bars_day", "real"), ("equities_bars_minute", "synthetic")):
        rows, different = proof.differences(folder, market.sample(), dataset)
        claim(
            rows > 0 and not different,
            f"{dataset}: {rows:,} curated rows equal the {kind} sample, {different} differ",
        )
    before, asked = proof.snapshot(lake), len(simulated_vendors.log())
    _nightly(folder, lambda _: None)
    same = proof.snapshot(lake) == before and len(simulated_vendors.log()) == asked
    claim(same, "a second night sent no request and changed no file of the lake")
    return good


def _scenario() -> str:
    return (importlib.resources.files("fulltape.demo") / "scenario.toml").read_text()
