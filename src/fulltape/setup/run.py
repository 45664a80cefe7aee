"""Writes a new node: its settings, its universes, its secrets."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
from collections.abc import Mapping
from pathlib import Path

from fulltape import errors, vendors
from fulltape.clock import SystemClock
from fulltape.contract.vendor import Vendor
from fulltape.lake import files
from fulltape.market.time import utc_date
from fulltape.node import assemble
from fulltape.settings import load
from fulltape.setup import plan
from fulltape.setup.plan import Answers, NodeFiles

_UNSET = re.compile(r"\$\{(\w+)\}")
"""A variable of the environment, which need not be there yet."""


def usual_first() -> dt.date:
    """Since when a node holds what nothing else was said of: the first day of last year."""
    return dt.date(today().year - 1, 1, 1)


def today() -> dt.date:
    """Today in UTC."""
    return utc_date(SystemClock().now())


def known(answers: Answers) -> Mapping[str, Vendor]:
    """The vendors that were chosen; `UsageError` for one that there is not."""
    return {choice.vendor: vendor(choice.vendor) for choice in answers.vendors}


def vendor(name: str) -> Vendor:
    """A vendor; `UsageError` that lists those that there are."""
    name = vendors.FORMER.get(name, name)
    if name not in vendors.names():
        raise errors.UsageError(
            f"there is no vendor {name!r}.", hint=f"There are {', '.join(vendors.names())}."
        )
    return vendors.load(name)


def create(folder: Path, answers: Answers) -> list[Path]:
    """Write the node's files, the settings last, and hold them to everything that `fulltape config check` does; what was written, and
    nothing where that finds a fault (`ConfigError`)."""
    wanted = plan.files(answers, known(answers))
    if (folder / load.FILE).exists():
        raise errors.UsageError(f"{folder} is a node already.", hint="Edit its fulltape.toml.")
    if there := [name for name in wanted.files if (folder / name).exists()]:
        raise errors.UsageError(f"{folder / there[0]} is there already.", hint="Choose another folder.")
    written: list[Path] = []
    try:
        _write(folder, wanted, written)
        text = _UNSET.sub(r"${\1:-https://unset.invalid}", wanted.files[load.FILE])
        assemble.check(load.load(folder, text=text))
    except (errors.FulltapeError, OSError) as error:
        for path in written:
            path.unlink(missing_ok=True)
        if wanted.secrets:
            with contextlib.suppress(OSError):
                (folder / plan.KEYS).rmdir()
        if isinstance(error, OSError):
            raise errors.UsageError(
                f"{error.filename or folder} cannot be written: {error.strerror}."
            ) from None
        raise
    return written


def _write(folder: Path, wanted: NodeFiles, written: list[Path]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in wanted.secrets.items():
        path = folder / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        written.append(path)
        path.unlink(missing_ok=True)
        # Never readable for others, not even for a moment.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(content)
    names = sorted(wanted.files, key=lambda name: name == load.FILE)
    for name in names:
        written.append(folder / name)
        files.publish_bytes(folder / name, wanted.files[name].encode())
