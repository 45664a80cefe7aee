"""A node of one's own out of the node inside of a download."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from fulltape import errors
from fulltape.context import LEDGER
from fulltape.download import records
from fulltape.download.records import MadeFile
from fulltape.lake import files
from fulltape.settings import load
from fulltape.setup.plan import quoted

_NOT_TAKEN = ("lock", "spool", "made", "download.json")


def become(download: Path, folder: Path) -> None:
    """Copy the node into a folder; from now on it wants everything that the download holds, from its first day on without an end. The
    download stays, and may go on by itself. `UsageError` for a folder that is none, or where something lies already."""
    download, folder = download.resolve(), folder.absolute()
    place = download / records.NODE
    if records.kind(download) is None or not (place / LEDGER).is_file():
        raise errors.UsageError(
            f"{download} is no download.", hint="Name the folder that was given to --out."
        )
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise errors.UsageError(f"{folder} is no folder.", hint="Give another one.")
    if folder.exists() and any(folder.iterdir()):
        raise errors.UsageError(f"{folder} is not empty.", hint="Give another folder.")
    made = records.every_made(download)
    if not made:
        raise errors.UsageError(f"{download} holds no file yet.", hint="Let the download end first.")
    # Whole or not at all: what a kill leaves has another name.
    draft = folder.parent / f"{files.TEMPORARY}{folder.name}"
    shutil.rmtree(draft, ignore_errors=True)
    try:
        with files.alone(place / "lock", f"a download into {download}"):
            shutil.copytree(place, draft, ignore=_ignored(place))
        settings = draft / load.FILE
        settings.write_text(_settings(settings.read_text(), made))
        load.load(draft, asking=False)
        files.sync_tree(draft)
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
        files.sync_folder(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _ignored(place: Path) -> Callable[[str, list[str]], list[str]]:
    """What of the node's own folder is not copied."""
    return lambda where, names: [name for name in names if Path(where) == place and name in _NOT_TAKEN]


def _settings(last: str, made: list[MadeFile]) -> str:
    """Settings that want what all files hold; of the last run's those of the vendor."""
    vendor = last[last.index("[vendor.") :]
    return "\n".join([*_wanted(made), vendor])


def _wanted(made: list[MadeFile]) -> Iterator[str]:
    yield "# A fulltape node. Every key is described in docs/settings.md; `fulltape config check` validates this file.\n"
    for dataset in dict.fromkeys(each.dataset for each in made):
        mine = [each for each in made if each.dataset == dataset]
        symbols = sorted({symbol for each in mine for symbol in each.symbols})
        sources = list(dict.fromkeys(source for each in mine for source in each.sources))
        yield f"[universe.{dataset}]\nsymbols = [{', '.join(map(quoted, symbols))}]\n"
        yield f'[dataset.{dataset}]\nuniverse = "{dataset}"\nsources = [{", ".join(map(quoted, sources))}]'
        yield f"from = {min(each.first for each in mine)}\n"
