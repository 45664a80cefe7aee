"""A place as it is written: a folder, user@host:/path, s3://bucket/prefix."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from fulltape import errors
from fulltape.lake.objects import LocalObjects, Objects

SSH = re.compile(r"(?:ssh://)?(?P<host>[^/:\s]+@[^/:\s]+|[^/:\s]+)(?P<port>:\d+)?(?::|(?=/))(?P<path>.+)")
_S3 = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>.*))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A folder of another machine: `port` is '' for that of the ssh settings."""

    host: str
    port: str
    path: str


def machine(text: str) -> Machine | None:
    """The folder of another machine that a text names; None where it names none."""
    match = SSH.fullmatch(text)
    plain = "://" not in text.removeprefix("ssh://")
    if match and plain and ":" in text and not match["host"].startswith("-"):
        return Machine(host=match["host"], port=(match["port"] or "").lstrip(":"), path=match["path"])
    return None


def objects(text: str) -> Objects:
    """The place that a text names; `UsageError` for what is none. A folder need not be there."""
    if text.lower().startswith("s3:"):
        match = _S3.fullmatch(text)
        if not match:
            raise errors.UsageError(
                f"{text!r} is no address of object storage.", hint="Write s3://bucket/prefix."
            )
        from fulltape.remote.s3 import S3Objects

        return S3Objects(match["bucket"], (match["prefix"] or "").strip("/"))
    there = machine(text)
    if there and not Path(text).expanduser().exists():
        from fulltape.remote.ssh import SshMachine, SshObjects

        return SshObjects(SshMachine(there.host, there.port), there.path)
    if "://" in text or not text.strip():
        raise errors.UsageError(
            f"{text!r} is no place for files.", hint="Write a folder, user@host:/path, or s3://bucket/prefix."
        )
    return LocalObjects(Path(text).expanduser())


def folder(text: str) -> Path | None:
    """The folder of this machine that a text names; None where it names another place."""
    if "://" in text or (machine(text) and not Path(text).expanduser().exists()):
        return None
    return Path(text).expanduser()
