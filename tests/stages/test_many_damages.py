"""Damages by chance, as many as FULLTAPE_DAMAGES says: files of every kind, lost and older ledgers, kills in the midst of a
repair. None stays unnoticed, all are healed, and what is whole is left as it is."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path, PurePath

import pytest
from test_verify import DAMAGES, DAYS, MINUTES, UNIVERSE, bundle, delete, forget_ledger, rebuilt, state, swap

from clocks import SkippingClock
from fulltape import errors
from fulltape.compact import plan as compact
from fulltape.lake import files
from fulltape.node import nightly, repair
from fulltape.simulator import market as markets
from fulltape.verify import run as verify
from nodes import opened, simulated

_MANY = int(os.environ.get("FULLTAPE_DAMAGES", "8"))
_MADE_AGAIN = ("node.json", "lock", "state.json")


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A node after two nights, whose vendor goes on to answer, and its ledger after the first of them."""
    place = tmp_path_factory.mktemp("grown")
    with simulated(place, markets.sample(), [DAYS, MINUTES], universe=UNIVERSE) as (folder, _):
        settings = folder / "fulltape.toml"
        whole = settings.read_text()
        settings.write_text(whole.replace("2012-12-04", "2012-12-03"))
        with opened(folder) as context:
            assert nightly.run(context, SkippingClock()).complete
        older = place / "older.db"
        shutil.copy(folder / "ledger.db", older)
        settings.write_text(whole)
        with pytest.MonkeyPatch.context() as patch, opened(folder) as context:
            # Raw parts become one however few they are.
            patch.setattr(compact, "runs", lambda pieces, **_: [list(pieces)] if len(pieces) > 1 else [])
            night = nightly.run(context, SkippingClock())
            assert night.complete
            assert night.compacted.folders
        yield folder, older


def hurt(node: Path, dice: random.Random) -> set[str]:
    """Damage up to four files; returns those whose damage must be told."""
    everything = [path for path in files.tree(node / "lake") if path.name not in _MADE_AGAIN]
    told: set[str] = set()
    for path in dice.sample(everything, dice.randint(1, 4)):
        others = [one for one in everything if one.exists() and path.exists()]
        others = [one for one in others if one.read_bytes() != path.read_bytes()]
        if not others:
            continue
        damage, other = dice.choice(DAMAGES), dice.choice(others)
        damage(path, other)
        for one in (path, other) if damage is swap else (path,):
            name = one.relative_to(node / "lake").as_posix()
            # What was learned of a part is made anew without a word when it is gone.
            if not (damage is delete and name.startswith("profiles/")):
                told.add(name)
    return told


def killed(node: Path, after: float) -> None:
    """A repair in a process of its own that is killed."""
    command = [sys.executable, "-m", "fulltape", "verify", "--repair", "--deep", "--node", str(node)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("seed", range(_MANY))
def test_damages_are_noticed_and_healed(grown: tuple[Path, Path], tmp_path: Path, seed: int) -> None:
    whole, older = grown
    node, dice = tmp_path / "node", random.Random(seed)
    shutil.copytree(whole, node)
    wanted, before = bundle(node), state(node, "raw", "curated", "qc")
    ledger = dice.choice(["kept"] * 4 + ["lost", "older"])
    told = hurt(node, dice)
    if ledger != "kept":
        forget_ledger(node)
        if ledger == "older":
            shutil.copy(older, node / "ledger.db")
        try:
            with opened(node):
                pass
        except errors.LedgerBehindError:
            rebuilt(node)
        else:
            assert told, "nothing in the lake is newer than the ledger"
    with opened(node) as context:
        found = verify.run_once(context, SkippingClock(), deep=True).findings
    if ledger == "kept":
        places = {one.path for one in found}
        assert {name for name in told if not places & {name, *map(str, PurePath(name).parents)}} == set()
    if dice.random() < 0.25:
        killed(node, dice.uniform(0.3, 2.5))
    with opened(node) as context:
        done = repair.run(context, SkippingClock(), deep=True)
        assert done.after.findings == ()
        assert done.night.complete
    assert bundle(node) == wanted
    after = state(node, "raw", "curated", "qc")
    if ledger == "kept":
        assert {name for name in before.keys() - told if after.get(name) != before[name]} == set()
