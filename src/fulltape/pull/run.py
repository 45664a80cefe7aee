"""Fetches a bundle: only files that are not there, each verified, and switched to as a whole.

In the target lie the bundles by day, `latest`, which names the current one, and `.objects`: every file once, by its digest. Bundles
share it by hard links.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fulltape import errors
from fulltape.bundle import listing, signature
from fulltape.bundle.checksums import SUMS
from fulltape.bundle.listing import LATEST
from fulltape.bundle.signature import SIGNATURE
from fulltape.bundle.sources import BundleSource
from fulltape.lake import files
from fulltape.pull import plan

OBJECTS, PARTIAL = ".objects", ".partial"
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What a pull came to: files and bytes that were fetched, files that were there already, those of them that were not what they should
    be and were fetched again, and bundles that went."""

    day: str
    path: str
    fetched: int
    bytes: int
    kept: int
    mended: int
    removed: tuple[str, ...]
    signer: str = ""
    """Who has signed it, where that was held against allowed signers."""


def run(
    source: BundleSource, target: Path, *, day: str = "", keep: int = 7, signers: Path | None = None
) -> Pulled:
    """Fetch a bundle of a day, or the newest one. `TransportError` where the source breaks off: what has come is kept, and the next run
    goes on from there, with a source of its own; `latest` names the bundle of before until the new one is whole. With `signers` only a bundle that one of them
    has signed is taken, and `BundleError` says so of any other."""
    with contextlib.closing(source), files.alone(target / ".lock", f"a pull into {target}"):
        for name in (OBJECTS, PARTIAL):
            (target / name).mkdir(parents=True, exist_ok=True)
        _clear(target)
        wanted = listing.chosen(source.days(), day)
        text = b"".join(source.read(wanted, SUMS))
        sealed = source.signature(wanted) if signers else None
        signer = _signer(text, sealed, signers, wanted) if signers else ""
        listed = listing.content(text.decode("utf-8", "replace"), wanted)
        transfer = _Transfer(source, target, wanted)
        for path, digest in listed.items():
            transfer.bring(path, digest)
        _lay(target, wanted, listed, text, sealed)
        newest = _switch(target, wanted)
        there = [path.name for path in target.iterdir()]
        removed = plan.superseded(there, keep, {wanted, newest})
        for name in removed:
            _remove(target, name)
        _forget(target)
    return Pulled(
        day=wanted,
        path=str(target / wanted),
        fetched=transfer.fetched,
        bytes=transfer.bytes,
        kept=len(listed) - transfer.fetched,
        mended=transfer.mended,
        removed=tuple(removed),
        signer=signer,
    )


class _Transfer:
    """Brings files into the objects of a target."""

    def __init__(self, source: BundleSource, target: Path, day: str) -> None:
        self._source, self._target, self._day = source, target, day
        self.fetched = self.bytes = self.mended = 0

    def bring(self, path: str, digest: str) -> None:
        """Have a file with this digest, whole. What is there is read and held against it."""
        whole = self._target / OBJECTS / digest
        if whole.is_file():
            if files.sha256(whole) == digest:
                return
            whole.unlink()
            self.mended += 1
        partial = self._target / PARTIAL / digest
        for _ in range(_TRIES):
            self._fetch(path, partial)
            if files.sha256(partial) == digest:
                files.sync_file(partial)
                partial.rename(whole)
                files.sync_folder(whole.parent)
                self.fetched += 1
                return
            partial.unlink()
        raise errors.TransportError(
            f"{self._day}/{path} is not what its {SUMS} says, {_TRIES} times in a row.",
            hint="Run fulltape verify at the node.",
        )

    def _fetch(self, path: str, partial: Path) -> None:
        offset = partial.stat().st_size if partial.is_file() else 0
        with partial.open("ab") as file:
            for piece in self._source.read(self._day, path, offset):
                file.write(piece)
                self.bytes += len(piece)


def _signer(sums: bytes, sealed: bytes | None, signers: Path, day: str) -> str:
    """Who signed it."""
    if not signers.is_file():
        raise errors.UsageError(
            f"there is no file {signers}.", hint="It is that of ssh-keygen's allowed signers."
        )
    if sealed is None:
        raise errors.BundleError(
            f"the bundle of {day} is not signed.", hint="The node's [export] sign says by which key it is."
        )
    return signature.verify(sums, sealed, signers, day)


def _lay(target: Path, day: str, listed: Mapping[str, str], sums: bytes, sealed: bytes | None) -> None:
    """Make the bundle of its objects, whole, under a name of its own, and give it its name."""
    if _same(target / day, listed, sums, sealed):
        return
    draft = target / f"{files.TEMPORARY}{day}"
    for path, digest in listed.items():
        place = draft / path
        place.parent.mkdir(parents=True, exist_ok=True)
        _link(target / OBJECTS / digest, place)
    (draft / SUMS).write_bytes(sums)
    if sealed is not None:
        (draft / SIGNATURE).write_bytes(sealed)
    files.sync_tree(draft)
    if (target / day).exists():
        (target / day).rename(target / f"{files.TEMPORARY}old-{day}")
    draft.rename(target / day)
    files.sync_folder(target)
    shutil.rmtree(target / f"{files.TEMPORARY}old-{day}", ignore_errors=True)


def _same(bundle: Path, listed: Mapping[str, str], sums: bytes, sealed: bytes | None) -> bool:
    """Whether a bundle is made of just these objects already."""
    try:
        known = (bundle / SIGNATURE).read_bytes() if (bundle / SIGNATURE).is_file() else None
        return (
            (bundle / SUMS).read_bytes() == sums
            and sealed in (None, known)
            and all(
                (bundle / path).samefile(bundle.parent / OBJECTS / digest) for path, digest in listed.items()
            )
        )
    except OSError:
        return False


def _link(whole: Path, place: Path) -> None:
    try:
        os.link(whole, place)
    except OSError:  # a disk without hard links
        shutil.copyfile(whole, place)


def _switch(target: Path, day: str) -> str:
    """Let `latest` name a bundle, from one moment to the next, unless it names a newer one; the day that it names."""
    with contextlib.suppress(OSError):
        before = (target / LATEST).readlink().name
        if before > day and listing.is_day(before) and (target / before).is_dir():
            return before
    link = target / f"{files.TEMPORARY}{LATEST}"
    link.unlink(missing_ok=True)
    link.symlink_to(day)
    link.rename(target / LATEST)
    files.sync_folder(target)
    return day


def _remove(target: Path, day: str) -> None:
    gone = target / f"{files.TEMPORARY}{day}"
    (target / day).rename(gone)
    shutil.rmtree(gone)


def _clear(target: Path) -> None:
    """What a killed run left; what it had fetched stays."""
    for path in target.iterdir():
        if path.name.startswith(files.TEMPORARY):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _forget(target: Path) -> None:
    """Objects that are in no bundle any more; and pieces of files that nothing asks for."""
    used = set()
    for bundle in target.iterdir():
        if listing.is_day(bundle.name):
            used |= set(listing.content((bundle / SUMS).read_text(), bundle.name).values())
    for place in (OBJECTS, PARTIAL):
        for path in (target / place).iterdir():
            if path.name not in used:
                path.unlink()
