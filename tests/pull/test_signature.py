"""A bundle that is signed is known to come from its node; one that is not, or by another key, is not taken."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from backports import zstd

from clocks import SkippingClock
from fulltape import errors
from fulltape.bundle import archive, signature, sources
from fulltape.export import run as export
from fulltape.lake import files
from fulltape.pull import run
from fulltape.simulator import market as markets
from fulltape.verify import bundles
from nodes import Wish, needs_data, opened, simulated

pytestmark = [
    needs_data,
    pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen"),
]


def key(folder: Path, name: str) -> Path:
    path = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path], check=True)
    return path


def allowed(folder: Path, *keys: Path) -> Path:
    path = folder / "signers"
    path.write_text("".join(f"{each.name}@market {each.with_suffix('.pub').read_text()}" for each in keys))
    return path


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder of a node's bundles, and the key that they are signed by."""
    from fulltape.node import nightly

    folder = tmp_path_factory.mktemp("signed")
    made = key(folder, "bundles")
    wishes = (Wish("equities_bars_day", "2012-11-01", "2012-12-31"),)
    extra = f'\n[export]\nsign = "{made}"\n'
    universe = markets.sample_universe()
    with (
        simulated(folder, markets.sample(), wishes, universe=universe, extra=extra) as (node, _),
        opened(node) as context,
    ):
        nightly.run(context, SkippingClock())
        again = export.run_once(context, SkippingClock())
        assert again is not None
        assert not again.written
    return node / "lake" / "exports" / "nightly", made


def test_ssh_keygen_knows_the_signature(signed: tuple[Path, Path], tmp_path: Path) -> None:
    nightly, made = signed
    (bundle,) = nightly.iterdir()
    signers, sealed = allowed(tmp_path, made), bundle / "SHA256SUMS.sig"
    command = [
        "ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", "bundles@market", "-n", "fulltape", "-s", str(sealed),
    ]  # fmt: skip
    sums = (bundle / "SHA256SUMS").read_bytes()
    assert subprocess.run(command, input=sums, capture_output=True, check=False).returncode == 0
    assert subprocess.run(command, input=sums + b" ", capture_output=True, check=False).returncode != 0
    assert list(bundles.wrong(bundle, deep=True)) == []


def test_only_what_an_allowed_signer_wrote_is_pulled(signed: tuple[Path, Path], tmp_path: Path) -> None:
    nightly, made = signed
    other = key(tmp_path, "other")
    target = tmp_path / "bundles"
    with pytest.raises(errors.BundleError, match="of none of the signers"):
        run.run(sources.of(str(nightly), ""), target, signers=allowed(tmp_path, other))
    assert not (target / "latest").exists()
    assert not list((target / ".objects").iterdir())
    pulled = run.run(sources.of(str(nightly), ""), target, signers=allowed(tmp_path, other, made))
    assert pulled.signer == "bundles@market"
    assert (target / "latest" / "SHA256SUMS.sig").is_file()
    again = run.run(sources.of(str(nightly), ""), target)
    assert (again.fetched, again.signer) == (0, "")


def test_what_was_changed_or_is_not_signed_is_refused(signed: tuple[Path, Path], tmp_path: Path) -> None:
    nightly, made = signed
    signers = allowed(tmp_path, made)
    copy = tmp_path / "nightly"
    shutil.copytree(nightly, copy)
    (bundle,) = copy.iterdir()
    sums = (bundle / "SHA256SUMS").read_text()
    (bundle / "SHA256SUMS").write_text(sums.replace(sums[:8], "00000000", 1))
    with pytest.raises(errors.BundleError, match="does not fit"):
        run.run(sources.of(str(copy), ""), tmp_path / "one", signers=signers)
    (bundle / "SHA256SUMS.sig").unlink()
    with pytest.raises(errors.BundleError, match="is not signed"):
        run.run(sources.of(str(copy), ""), tmp_path / "two", signers=signers)
    with pytest.raises(errors.UsageError, match="there is no file"):
        run.run(sources.of(str(copy), ""), tmp_path / "three", signers=tmp_path / "nothing")


def signed_by(path: Path, folder: Path) -> None:
    """As an export does it."""
    signature.fingerprint(path)
    signature.sign(folder, path)


@pytest.mark.parametrize("what", ["gone", "no key", "passphrase"])
def test_a_key_that_cannot_sign_is_said(tmp_path: Path, what: str) -> None:
    path = tmp_path / "key"
    if what == "no key":
        path.write_text("hello")
    if what == "passphrase":
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", path], check=True)
    (tmp_path / "SHA256SUMS").write_text("x")
    with pytest.raises(errors.ConfigError, match=r"export\.sign"):
        signed_by(path, tmp_path)
    assert not (tmp_path / "SHA256SUMS.sig").exists()


def test_one_file_of_a_bundle_has_all_of_it_and_always_the_same_bytes(
    signed: tuple[Path, Path], tmp_path: Path
) -> None:
    nightly, _ = signed
    (bundle,) = nightly.iterdir()
    for name in ("one", "two"):
        archive.write(bundle, tmp_path / f"{name}.tar.zst")
    body = (tmp_path / "one.tar.zst").read_bytes()
    assert hashlib.sha256(body).digest() == hashlib.sha256((tmp_path / "two.tar.zst").read_bytes()).digest()
    with zstd.open(tmp_path / "one.tar.zst") as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as tar:
        tar.extractall(tmp_path / "out", filter="data")
    out = tmp_path / "out" / bundle.name
    assert [path.relative_to(out) for path in files.tree(out)] == [
        path.relative_to(bundle) for path in files.tree(bundle)
    ]
    assert list(bundles.wrong(out, deep=True)) == []
