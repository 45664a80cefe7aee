"""What a report of a defect needs: settings without secrets, versions, the newest runs, counts, and what the doctor says. No data."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import io
import platform
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from fulltape import errors
from fulltape.contract import redaction
from fulltape.doctor import node
from fulltape.lake import files
from fulltape.market.time import Clock, iso
from fulltape.node import assemble
from fulltape.service import memory, shown
from fulltape.settings import load
from fulltape.settings.load import Loaded
from fulltape.version import VERSION
from fulltape.views import state

_RUNS = 1_000
_SECRET = ("key", "secret", "token", "password", "webhook", "apprise", "heartbeat_url", "ledger")
"""Settings whose values may be secrets, or hold some: whatever they are called, they are left out."""


def write(folder: Path, path: Path, clock: Clock) -> list[str]:
    """Write the archive; the names of what is in it. What cannot be told is told as the reason why."""
    contents = dict(_contents(folder, clock))
    clean = redaction.of(*sorted(_secrets(folder)))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in contents.items():
            body = clean(content)
            about = tarfile.TarInfo(f"fulltape-support/{name}")
            about.size, about.mtime = len(body), clock.now() // 1_000_000
            archive.addfile(about, io.BytesIO(body))
    files.publish_bytes(path, packed.getvalue())
    return list(contents)


def _contents(folder: Path, clock: Clock) -> Iterator[tuple[str, bytes]]:
    yield "versions.json", _json({"made": iso(clock.now()), **_versions()})
    yield "doctor.json", _json([dataclasses.asdict(each) for each in node.look(folder)])
    service = shown.read(folder)
    yield "service.json", _json(service)
    yield "memory.json", _json(memory.read(folder))
    yield "runs.json", _json(list(memory.runs(folder, _RUNS)))
    try:
        loaded = load.load(folder, asking=False)
        yield "settings.json", _json(_settings(loaded))
        yield "counts.json", _json(_counts(loaded, clock))
    except (errors.FulltapeError, OSError) as error:
        yield "problem.txt", f"{type(error).__name__}: {error}\n".encode()


def _versions() -> dict[str, Any]:
    packages = {each.metadata["Name"]: each.version for each in importlib.metadata.distributions()}
    return {
        "fulltape": VERSION,
        "python": sys.version,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "packages": dict(sorted(packages.items())),
    }


def _settings(loaded: Loaded) -> dict[str, str]:
    """Every setting and where it comes from, but for what may be a secret."""
    out = {}
    for key, value, origin in load.effective(loaded):
        hidden = any(word in part for part in key.split(".")[-1:] for word in _SECRET)
        out[key] = f"{'[left out]' if hidden else value} ({origin})"
    return out


def _counts(loaded: Loaded, clock: Clock) -> Mapping[str, Any]:
    context = assemble.open_context(loaded, asking=False, owning=False)
    try:
        now = clock.now()
        return {
            "cells": state.cells(context, now),
            "verdicts": state.verdicts(context, now),
            "tasks": context.ledger.tasks.counts(),
            "sources": [dataclasses.asdict(each) for each in state.sources(context, clock)],
            "rejections": len(context.ledger.rejections()),
            "damaged": [each.path for each in context.ledger.damages.all()],
        }
    finally:
        context.close()


def _secrets(folder: Path) -> Iterator[str]:
    """Secrets as far as they can be read here; settings that hold any are left out beside that."""
    for path in load.secret_files(folder):
        if path.is_file():
            yield path.read_text(errors="replace").strip()
    try:
        loaded = load.load(folder)
    except errors.FulltapeError:
        return
    for vendor in loaded.values.vendor.values():
        yield from (value.get_secret_value() for value in (vendor.key, vendor.secret) if value is not None)


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=1) + b"\n"
