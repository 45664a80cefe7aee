"""The node's files that can be sent: those of the catalogue, closed journals, bundles, knowledge, settings."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from fulltape import errors
from fulltape.bundle import checksums
from fulltape.bundle.checksums import SUMS
from fulltape.context import CALENDARS, NodeContext
from fulltape.lake import files, journal
from fulltape.lake.layout import JOURNAL
from fulltape.ledger import part as parts
from fulltape.remote.index import LAKE, SETTINGS
from fulltape.settings import load
from fulltape.sync.plan import LocalFile

_STATES = ("lock", "state.json")


def of_lake(context: NodeContext, before: Iterable[str]) -> tuple[list[LocalFile], list[str]]:
    """The files of the lake; and the paths of those that count and are not there, as far as the catalogue, checksums, or what was sent
    `before` tell."""
    # Journals first: one that is sealed meanwhile is there twice then, never not at all.
    beside = list(_beside(context))
    there, missing = [], []
    for path, size, sha256, current in parts.files(context.ledger.database):
        place = context.layout.root / path
        state = _state(place)
        if state is not None:
            there.append(_local(f"{LAKE}{path}", place, state, sha256, named=True, size=size))
        elif current:
            missing.append(f"{LAKE}{path}")
    known = {file.path for file in there}
    bundles = {bundle: _digests(bundle) for bundle in context.layout.bundles()}
    for place in beside:
        path = f"{LAKE}{context.layout.relative(place)}"
        state = _state(place)
        if path in known or state is None or place.name in _STATES or files.TEMPORARY in path:
            continue
        if place.suffix == JOURNAL and journal.in_use(place):
            continue
        bundle = next((bundle for bundle in bundles if place.is_relative_to(bundle)), None)
        if bundle is None:
            there.append(_local(path, place, state))
        else:
            digest = bundles[bundle].get(place.relative_to(bundle).as_posix(), "")
            folder = f"{LAKE}{context.layout.relative(bundle)}"
            there.append(_local(path, place, state, digest, bundle=folder))
    listed = {file.path for file in there}
    for bundle, digests in bundles.items():
        folder = f"{LAKE}{context.layout.relative(bundle)}"
        missing += [f"{folder}/{name}" for name in digests if f"{folder}/{name}" not in listed]
    missing += _vanished(context, before, listed)
    return there, sorted(set(missing))


def _vanished(context: NodeContext, before: Iterable[str], listed: set[str]) -> Iterator[str]:
    """What was sent before, is not here, and was not removed by the node itself: captured journals that the ledger still knows, its
    bundles, and what names the node and what only its ledger knows."""
    captures = {capture.file for capture in context.ledger.captures.all()}
    exports = tuple(f"{LAKE}{row['path']}/" for row in context.ledger.exports())
    stems = {Path(path).stem for path in listed if path.startswith(f"{LAKE}journal/")}
    for path in before:
        if path in listed:
            continue
        stem = Path(path).stem
        captured = path.startswith(f"{LAKE}journal/") and stem in captures and stem not in stems
        if captured or path.startswith(exports) or path in (f"{LAKE}node.json", f"{LAKE}knowledge.zst"):
            yield path


def of_settings(context: NodeContext) -> tuple[list[LocalFile], list[str]]:
    """fulltape.toml, its universes and its session tables; and the names of such files that lie outside of the node's folder.
    `ConfigError` where a secret stands in fulltape.toml."""
    plain = load.plain_secrets(context.folder)
    if plain:
        raise errors.ConfigError(
            f"{', '.join(plain)} in {context.folder / SETTINGS} would be sent as it is.",
            hint="Write ${VAR} there, or key_file; or set [sync] settings = false, and keep the file elsewhere yourself.",
        )
    loaded = load.load(context.folder, asking=False)
    names = [SETTINGS, *sorted({universe.file for universe in loaded.values.universe.values()} - {""})]
    root = context.folder.resolve()
    places = [context.folder / name for name in names] + files.tree(context.folder / CALENDARS)
    secrets = {place.resolve() for place in load.secret_files(context.folder)}
    there, outside = [], []
    for place in places:
        strange = place.parent.name == CALENDARS and place.suffix not in (".csv", ".toml")
        if (
            not place.resolve().is_relative_to(root)
            or place.is_symlink()
            or strange
            or place.resolve() in secrets
        ):
            outside.append(
                place.relative_to(context.folder).as_posix()
                if place.is_relative_to(context.folder)
                else str(place)
            )
            continue
        state = _state(place)
        if state is not None and files.TEMPORARY not in place.name:
            there.append(_local(place.resolve().relative_to(root).as_posix(), place, state))
    return there, outside


def _beside(context: NodeContext) -> Iterator[Path]:
    """Files that are in no catalogue."""
    secrets = {place.resolve() for place in load.secret_files(context.folder)}
    for place in context.layout.beside_parts():
        if not place.is_symlink() and place.resolve() not in secrets:
            yield place


def _digests(bundle: Path) -> dict[str, str]:
    """Digests by path, as the bundle's checksums say; none where they cannot be read."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return dict(checksums.parsed((bundle / SUMS).read_text(encoding="ascii")) or {})
    return {}


def _state(place: Path) -> os.stat_result | None:
    try:
        return place.stat()
    except FileNotFoundError:
        return None


def _local(
    path: str,
    place: Path,
    state: os.stat_result,
    sha256: str = "",
    *,
    named: bool = False,
    bundle: str = "",
    size: int | None = None,
) -> LocalFile:
    return LocalFile(
        path=path,
        place=str(place),
        bytes=state.st_size if size is None else size,
        modified=state.st_mtime_ns,
        sha256=sha256,
        named=named,
        bundle=bundle,
    )
