"""A node of one's own out of the node inside of a download."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from fulltape import errors
from fulltape.context import LEDGER
from fulltape.download import records
from fulltape.lake import files
from fulltape.settings import load

_UNTIL = re.compile(r"^until = .*\n", re.MULTILINE)
_NOT_TAKEN = ("lock", "spool", "made", "download.json")


def become(download: Path, folder: Path) -> None:
    """Copy the node into a folder; from now on it wants its datasets without an end. The download stays, and may go on by itself.
    `UsageError` for a folder that is none, or where something lies already."""
    place = download / records.NODE
    if records.kind(download) is None or not (place / LEDGER).is_file():
        raise errors.UsageError(
            f"{download} is no download.", hint="Name the folder that was given to --out."
        )
    if folder.exists() and any(folder.iterdir()):
        raise errors.UsageError(f"{folder} is not empty.", hint="Give another folder.")
    # Whole or not at all: what a kill leaves has another name.
    draft = folder.with_name(f"{files.TEMPORARY}{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    with files.alone(place / "lock", f"a download into {download}"):
        shutil.copytree(
            place,
            draft,
            ignore=lambda where, names: [
                name for name in names if Path(where) == place and name in _NOT_TAKEN
            ],
        )
    settings = draft / load.FILE
    settings.write_text(_UNTIL.sub("", settings.read_text()))
    files.sync_tree(draft)
    if folder.exists():
        folder.rmdir()
    draft.rename(folder)
    files.sync_folder(folder.parent)
