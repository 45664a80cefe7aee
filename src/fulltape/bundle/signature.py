"""Who wrote a bundle: a signature of its checksums by a key of ssh, made and held against keys by the system's OpenSSH."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from fulltape import errors
from fulltape.bundle.checksums import SUMS

SIGNATURE = f"{SUMS}.sig"
"""The file's name; no list of the bundle has it."""
NAMESPACE = "fulltape"
"""What a signature is for: one that was made for something else counts for nothing."""


def fingerprint(key: Path) -> str:
    """Which key it is; `ConfigError` where it cannot be read."""
    done = _keygen("-l", "-f", str(key))
    if done.returncode:
        raise errors.ConfigError(
            f"export.sign: {key} is no key of ssh that can be read: {_words(done)}.",
            hint='ssh-keygen -t ed25519 -N "" -f KEY makes one.',
        )
    return done.stdout.decode().split()[1]


def sign(folder: Path, key: Path) -> None:
    """Sign the checksums in a bundle's folder. `ConfigError` where the key cannot, such as one with a passphrase that no agent holds."""
    (folder / SIGNATURE).unlink(missing_ok=True)
    done = _keygen("-Y", "sign", "-q", "-f", str(key), "-n", NAMESPACE, str(folder / SUMS))
    if done.returncode or not (folder / SIGNATURE).is_file():
        raise errors.ConfigError(
            f"export.sign: {key} cannot sign: {_words(done)}.",
            hint="A node that runs by itself needs a key without a passphrase, or an agent that holds it.",
        )


def verify(sums: bytes, signature: bytes, signers: Path, day: str) -> str:
    """Who signed these checksums, of those that the file `signers` allows (as ssh-keygen's ALLOWED SIGNERS). `BundleError` for any other, and
    for a signature that does not fit."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / SIGNATURE
        path.write_bytes(signature)
        named = _keygen("-Y", "find-principals", "-s", str(path), "-f", str(signers))
        who = named.stdout.decode().splitlines()[0] if named.returncode == 0 and named.stdout.strip() else ""
        done = (
            _keygen(
                "-Y", "verify", "-f", str(signers), "-I", who, "-n", NAMESPACE, "-s", str(path), given=sums
            )
            if who
            else named
        )
    if done.returncode or not who:
        raise errors.BundleError(
            f"the signature of {day} is of none of the signers in {signers}, or does not fit: {_words(done)}.",
            hint="Nothing was fetched. Look at the node, and at its key.",
        )
    return who


def _keygen(*words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("ssh-keygen")
    if program is None:
        raise errors.UsageError("there is no ssh-keygen on this machine.", hint="Install OpenSSH's client.")
    return subprocess.run([program, *words], input=given, capture_output=True, check=False)


def _words(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip().rstrip(".") if lines else f"status {done.returncode}"
