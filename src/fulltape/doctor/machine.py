"""The machine: its clock, its disks, its memory, and who may read and write what."""

from __future__ import annotations

import datetime as dt
import os
import statistics
from collections.abc import Iterable, Iterator
from pathlib import Path

from fulltape import clock
from fulltape.doctor.diagnosis import Diagnosis, failure, ok, warning
from fulltape.lake import disk
from fulltape.market.time import to_datetime

_OLDEST = dt.date(2026, 11, 1)
"""This version was written later than that."""
_SYNCS, _BLOCK = 12, b"\0" * 4_096
_SLOW, _FAST = 0.1, 0.000_02
"""Seconds of an fsync: slower ones cost live capture its second, and no disk is faster."""
_LEAST_MEMORY = 512_000_000
_LEAST_INODES = 0.05
_REMOTE = ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse.s3fs", "fuse.rclone")
_MOUNTS = Path("/proc/self/mounts")
_MEMORY = Path("/proc/meminfo")


def time_of_day() -> Diagnosis:
    """The clock: whether it can be right, and whether something keeps it so."""
    now = to_datetime(clock.wall_ns() // 1_000)
    if now.date() < _OLDEST:
        return failure(
            "clock",
            f"it says {now:%Y-%m-%d %H:%M} UTC, which is past",
            "Set it, and let something keep it right (NTP).",
        )
    if not clock.synchronised():
        cure = "Let something keep it right: timedatectl set-ntp true. On a machine whose host does so this may be as it is."
        return warning(
            "clock", f"{now:%Y-%m-%d %H:%M} UTC; the kernel does not know whether it is right", cure
        )
    return ok("clock", f"{now:%Y-%m-%d %H:%M} UTC, synchronised")


def room(lake: Path, min_free: int | None) -> Diagnosis:
    """Room on the lake's disk."""
    here = disk.measured(lake, min_free)
    cure = "Delete other files, keep fewer bundles (retention.bundles), use a larger disk, or lower node.min_free."
    if here.tier == "enough":
        return ok("disk", here.sentence)
    return (warning if here.tier == "low" else failure)("disk", here.sentence, cure)


def inodes(lake: Path) -> Diagnosis:
    """Whether the lake's disk can hold more files."""
    about = os.statvfs(_there(lake))
    if not about.f_files:
        return ok("inodes", "this file system does not count them")
    share = about.f_favail / about.f_files
    text = f"{about.f_favail:,} of {about.f_files:,} free"
    return (
        ok("inodes", text)
        if share >= _LEAST_INODES
        else warning("inodes", text, "Delete small files of others on this disk.")
    )


def local(folder: Path, what: str) -> Diagnosis:
    """Whether a folder lies on a disk of this machine: locks and fsync of others are not to be relied on."""
    kind = _kind(_there(folder).resolve())
    if kind in _REMOTE:
        return failure(
            what,
            f"{folder} is on {kind}",
            "Put the node's folder on a disk of this machine; the lake may be elsewhere (node.lake).",
        )
    return ok(what, f"{folder} is on {kind or 'a local disk'}")


def syncing(folder: Path) -> Diagnosis:
    """How long it takes to make 4 kB durable, measured in the node's folder."""
    path, took = folder / f".doctor-{os.getpid()}", []
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(_SYNCS):
                began = clock.steady_seconds()
                file.write(_BLOCK)
                os.fsync(file.fileno())
                took.append(clock.steady_seconds() - began)
    except OSError as error:
        return failure(
            "fsync",
            f"{folder} cannot be written: {error.strerror}",
            "The node's user needs to own its folder.",
        )
    finally:
        path.unlink(missing_ok=True)
    usual = statistics.median(took)
    text = f"{usual * 1_000:.2f} ms for 4 kB, {max(took) * 1_000:.1f} ms at most"
    if usual > _SLOW:
        return warning(
            "fsync",
            text,
            "This disk is slow: capture few streams, or use another one for the journal (node.lake).",
        )
    if usual < _FAST:
        return warning(
            "fsync",
            f"{text}: no disk is that fast",
            "Is this memory (tmpfs), or a disk that does not wait? A power cut would lose what was acknowledged.",
        )
    return ok("fsync", text)


def memory() -> Diagnosis:
    """Memory that is free for use."""
    sizes = dict(line.split(":", 1) for line in _MEMORY.read_text().splitlines() if ":" in line)
    free = int(sizes["MemAvailable"].split()[0]) * 1_024
    text = f"{free / 1e9:.1f} GB available"
    cure = "Curation and export need up to 350 MB beside what others use."
    return ok("memory", text) if free >= _LEAST_MEMORY else warning("memory", text, cure)


def rights(folder: Path, secrets: Iterable[Path]) -> Iterator[Diagnosis]:
    """Who may read secrets, and whether we may write."""
    missing = [str(path) for path in (folder,) if not os.access(path, os.W_OK)]
    if missing:
        yield failure("rights", f"{missing[0]} cannot be written", "The node's user needs to own its folder.")
    files = [path for path in secrets if path.exists()]
    seen = [path for path in files if path.stat().st_mode & 0o077]
    for path in seen:
        yield warning("secrets", f"{path} can be read by others", f"chmod 600 {path}")
    if files and not seen:
        yield ok("secrets", f"{', '.join(path.name for path in files)}: only for their owner")


def _there(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _kind(path: Path) -> str:
    """The kind of file system that a path is on."""
    longest, kind = "", ""
    for line in _MOUNTS.read_text().splitlines():
        _, point, its_kind, *_ = line.split()
        point = point.replace("\\040", " ")
        inside = str(path) == point or str(path).startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(longest):
            longest, kind = point, its_kind
    return kind
