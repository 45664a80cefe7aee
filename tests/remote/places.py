"""Places for objects: a folder, the same over an ssh that runs here what it is told to run elsewhere, and a SeaweedFS on loopback."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

WEED = shutil.which("weed", path=f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ.get('PATH', '')}")
BUCKET = "market"
KEY, SECRET = "test", "test-secret"
_LONGEST = 60.0
_IDENTITY = f'{{"identities": [{{"name": "t", "credentials": [{{"accessKey": "{KEY}", "secretKey": "{SECRET}"}}], "actions": ["Admin"]}}]}}'
_SHIM = """#!/bin/sh
while [ $# -gt 1 ]; do shift; done
exec sh -c "$1"
"""


def ssh(folder: Path) -> str:
    """A folder with an `ssh` that runs its command on this machine; for the front of the path."""
    shim = folder / "bin" / "ssh"
    shim.parent.mkdir(parents=True, exist_ok=True)
    shim.write_text(_SHIM)
    shim.chmod(0o755)
    return str(shim.parent)


@contextlib.contextmanager
def seaweed() -> Iterator[str]:
    """The address of a running object storage with one bucket."""
    assert WEED
    with tempfile.TemporaryDirectory(prefix="weed-") as name:
        folder = Path(name)
        (folder / "s3.json").write_text(_IDENTITY)
        (folder / "data").mkdir()
        s3, master, volume, filer = _ports()
        command = [
            WEED, "server", f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", f"-s3.port={s3}",
            f"-s3.config={folder / 's3.json'}", f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}",
            "-master.volumeSizeLimitMB=64", "-volume.max=50", "-s3.port.iceberg=0", "-s3.port.lance=0",
        ]  # fmt: skip
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        try:
            _wait_for(f"http://127.0.0.1:{filer}/buckets/{BUCKET}/", process, folder / "log")
            _wait_for(f"http://127.0.0.1:{s3}/", process, folder / "log")
            yield f"http://127.0.0.1:{s3}"
        finally:
            process.kill()
            process.wait()


@functools.cache
def environment(address: str) -> dict[str, str]:
    """What a client of it needs."""
    return {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address,
    }


def _ports() -> list[int]:
    """Free ports, so low that those of SeaweedFS's own protocol, 10,000 higher, are ports too."""
    ports: list[int] = []
    candidate = random.SystemRandom().randrange(20_000, 45_000)
    while len(ports) < 4:
        candidate = 20_000 + (candidate + 1 - 20_000) % 25_000
        with contextlib.ExitStack() as held:
            try:
                for port in (candidate, candidate + 10_000):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(candidate)
    return ports


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Post to an address until something answers: so the bucket is made as soon as the storage can."""
    until = time.monotonic() + _LONGEST
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(urllib.request.Request(address, method="POST"), timeout=5).close()
        except urllib.error.HTTPError as error:
            error.close()
            if error.code < 500:
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        else:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
    raise RuntimeError(f"SeaweedFS does not answer: {log.read_text(errors='replace')[-2_000:]}")
