"""Bundles are fetched whole or not at all, from wherever, whatever happens on the way."""

from __future__ import annotations

import contextlib
import http.server
import itertools
import json
import os
import random
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from fulltape import errors
from fulltape.bundle import listing, sources
from fulltape.bundle.checksums import SUMS
from fulltape.bundle.listing import LATEST
from fulltape.lake import files
from fulltape.pull import run
from fulltape.pull.run import OBJECTS, PARTIAL, Pulled

DAYS = ("2026-11-27", "2026-11-28", "2026-11-29")
CUTS = int(os.environ.get("FULLTAPE_PULL_CUTS", "40"))


def bundle(root: Path, day: str, contents: dict[str, bytes]) -> None:
    """A bundle as the node writes it, as far as a pull looks."""
    lines = []
    for path, content in sorted(contents.items()):
        place = root / day / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        lines.append(f"{files.sha256(place)}  {path}\n")
    (root / day / SUMS).write_text("".join(lines))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three bundles that share most of their files."""
    generator = random.Random(3)
    shared = {f"curated/d/{number}.parquet": generator.randbytes(40_000) for number in range(6)}
    for number, day in enumerate(DAYS):
        bundle(
            tmp_path / "node",
            day,
            {**shared, "manifest.json": day.encode(), f"curated/d/new-{number}": generator.randbytes(9)},
        )
    return tmp_path / "node"


class _Handler(http.server.BaseHTTPRequestHandler):
    """What the pages of a node say of bundles, cut off after so many bytes, or with a byte flipped."""

    root: Path
    cuts: Iterator[int]
    flips: set[str]
    asked: list[str]
    token = ""

    def do_GET(self) -> None:
        if self.token and self.headers.get("Authorization") != f"Bearer {self.token}":
            self.send_error(401)
            return
        if self.path == "/api/v1/bundles":
            names = ",".join(f'{{"day": "{path.name}"}}' for path in self.root.iterdir())
            self._send(200, f'{{"bundles": [{names}]}}'.encode())
            return
        path = urllib.parse.unquote(self.path.removeprefix("/bundles/"))
        type(self).asked.append(path)
        content = bytearray((self.root / path).read_bytes())
        if path in self.flips:
            self.flips.discard(path)
            content[len(content) // 2] ^= 1
        begin = int(self.headers.get("Range", "bytes=0-")[6:-1])
        if begin >= len(content) and begin:
            self.send_error(416)
            return
        self._send(206 if begin else 200, bytes(content[begin:]), next(self.cuts))

    def _send(self, status: int, content: bytes, most: int = 1 << 30) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:most])

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def served(
    root: Path, cuts: Iterator[int] | None = None, *, flips: Sequence[str] = (), token: str = ""
) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    about = {
        "root": root,
        "cuts": cuts or itertools.repeat(1 << 30),
        "flips": set(flips),
        "asked": asked,
        "token": token,
    }
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), about))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def pulled(source: str | Path, target: Path, **more: object) -> Pulled:
    return run.run(sources.of(str(source), ""), target, **more)  # type: ignore[arg-type]


def same(root: Path, target: Path, day: str) -> bool:
    there = {path.relative_to(target / day): path.read_bytes() for path in files.tree(target / day)}
    return there == {path.relative_to(root / day): path.read_bytes() for path in files.tree(root / day)}


def test_the_newest_comes_and_only_what_is_new(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "t"
    with served(root) as (url, asked):
        first = pulled(url, target, day=DAYS[0])
        assert (first.fetched, first.kept) == (8, 0)
        asked.clear()
        second = pulled(url, target)
        assert (second.day, second.fetched, second.kept) == (DAYS[2], 2, 6)
        assert len(asked) == 3
        asked.clear()
        assert pulled(url, target).fetched == 0
        assert asked == [f"{DAYS[2]}/{SUMS}"]
    assert (target / LATEST).resolve() == target / DAYS[2]
    for day in (DAYS[0], DAYS[2]):
        assert same(root, target, day)
    one = target / DAYS[0] / "curated/d/0.parquet"
    assert one.samefile(target / DAYS[2] / "curated/d/0.parquet")


def test_old_ones_go_and_what_only_they_had(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "t"
    for day in DAYS:
        done = pulled(root, target, day=day, keep=2)
    assert done.removed == (DAYS[0],)
    assert sorted(path.name for path in target.iterdir() if listing.is_day(path.name)) == list(DAYS[1:])
    assert len(list((target / OBJECTS).iterdir())) == 6 + 2 * 2
    again = pulled(root, target, day=DAYS[0], keep=2)
    assert (again.removed, (target / LATEST).resolve().name) == ((), DAYS[2]), "it names the newest"
    assert same(root, target, DAYS[0])


def test_cut_anywhere_it_goes_on_and_ends_whole(root: Path, tmp_path: Path) -> None:
    generator = random.Random(11)
    whole = sum(path.stat().st_size for path in files.tree(root / DAYS[2]))
    target, failures, fetched = tmp_path / "t", 0, 0
    pulled(root, target, day=DAYS[0])
    for path in (target / OBJECTS).iterdir():
        path.unlink()
    cuts = (generator.randrange(12_000) if at < CUTS else 1 << 30 for at in itertools.count())
    with served(root, cuts) as (url, _):
        while True:
            try:
                fetched += pulled(url, target).fetched
            except (errors.TransportError, errors.BundleError):
                failures += 1
                assert (target / LATEST).resolve() == target / DAYS[0], (
                    "the new one is not named before it is whole"
                )
                assert not (target / DAYS[2]).exists()
            else:
                break
    assert failures >= CUTS // 3
    assert fetched <= 8
    assert same(root, target, DAYS[2])
    assert not list((target / PARTIAL).iterdir())
    assert whole


def test_a_flipped_byte_is_noticed_on_the_way_and_on_the_disk(root: Path, tmp_path: Path) -> None:
    target, name = tmp_path / "t", "curated/d/3.parquet"
    with served(root, flips=[f"{DAYS[2]}/{name}"]) as (url, asked):
        pulled(url, target)
        assert asked.count(f"{DAYS[2]}/{name}") == 2
        assert same(root, target, DAYS[2])
        path = target / DAYS[2] / name
        content = bytearray(path.read_bytes())
        content[7] ^= 4
        path.write_bytes(content)
        asked.clear()
        done = pulled(url, target)
        assert (done.mended, done.fetched) == (1, 1)
        assert asked == [f"{DAYS[2]}/{SUMS}", f"{DAYS[2]}/{name}"]
        assert same(root, target, DAYS[2])


def test_a_source_that_always_lies_leaves_what_was_there(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "t"
    pulled(root, target, day=DAYS[0])
    (root / DAYS[2] / "curated/d/new-2").write_bytes(b"other")
    with pytest.raises(errors.TransportError, match="3 times in a row"):
        pulled(root, target)
    assert (target / LATEST).resolve().name == DAYS[0]
    assert same(root, target, DAYS[0])


@pytest.mark.parametrize(
    "line",
    [
        f"{'0' * 64}  ../../etc/cron.d/x",
        f"{'0' * 64}  /etc/passwd",
        f"{'0' * 64}  a/../../x",
        f"{'0' * 64}  .objects/x",
        f"{'0' * 64}  {SUMS}",
        "no digest",
        "",
    ],
)
def test_checksums_that_would_leave_the_folder_are_refused(root: Path, tmp_path: Path, line: str) -> None:
    (root / DAYS[2] / SUMS).write_text(f"{line}\n" if line else "")
    with pytest.raises(errors.BundleError):
        pulled(root, tmp_path / "t")
    assert not (tmp_path / "t" / LATEST).exists()


def test_what_a_kill_left_is_cleared_and_used(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "t"
    (target / f"{files.TEMPORARY}{DAYS[2]}" / "curated").mkdir(parents=True)
    (target / f"{files.TEMPORARY}{LATEST}").symlink_to("nowhere")
    digest = files.sha256(root / DAYS[2] / "curated/d/0.parquet")
    (target / PARTIAL).mkdir()
    (target / PARTIAL / digest).write_bytes((root / DAYS[2] / "curated/d/0.parquet").read_bytes()[:30_000])
    with served(root) as (url, _):
        done = pulled(url, target)
    assert (
        done.bytes
        == sum(path.stat().st_size for path in files.tree(root / DAYS[2]) if path.name != SUMS) - 30_000
    )
    assert same(root, target, DAYS[2])
    assert not [path for path in target.iterdir() if path.name.startswith(files.TEMPORARY)]


def test_over_ssh(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an ssh that runs on this machine what it is told to run on another."""
    shim = tmp_path / "bin" / "ssh"
    shim.parent.mkdir()
    shim.write_text(
        '#!/bin/sh\necho "$@" >> "$0.log"\nfor last; do :; done\ncase "$*" in *nowhere*) echo "no route to host" >&2; exit 255;; esac\nexec sh -c "$last"\n'
    )
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}:{os.environ['PATH']}")
    node = tmp_path / "it's a node"
    (node / "lake" / "exports").mkdir(parents=True)
    root.rename(node / "lake" / "exports" / "nightly")
    done = pulled(f"me@host:{node}", tmp_path / "t")
    assert done.day == DAYS[2]
    assert same(node / "lake" / "exports" / "nightly", tmp_path / "t", DAYS[2])
    pulled(f"ssh://me@host:2222{node}/lake/exports/nightly", tmp_path / "u")
    assert "-p 2222 -- me@host" in Path(f"{shim}.log").read_text()
    with pytest.raises(errors.TransportError, match="no route to host"):
        pulled(f"nowhere:{node}", tmp_path / "v")


@pytest.mark.parametrize("text", ["/no/such/folder", "nothing", "-oProxyCommand=x:/y", "ftp://x/y"])
def test_what_is_no_source_is_refused(text: str) -> None:
    with pytest.raises(errors.UsageError, match="is no source"):
        sources.of(text, "")


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fulltape", "pull", *arguments], capture_output=True, text=True, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip


def test_from_cron_with_a_token(root: Path, tmp_path: Path) -> None:
    with served(root, token="secret") as (url, _):
        refused = command(url, "--to", str(tmp_path / "t"))
        assert refused.returncode == 3
        assert "wants a token" in refused.stderr
        done = command(url, "--to", str(tmp_path / "t"), FULLTAPE_TOKEN="secret")
        assert done.returncode == 0, done.stderr
        (tmp_path / "token").write_text("secret\n")
        about = json.loads(
            command(url, "--to", str(tmp_path / "t"), "--json", FULLTAPE_TOKEN="secret").stdout
        )
        assert set(about) == {"day", "path", "fetched", "bytes", "kept", "mended", "removed", "signer"}
        quiet = command(url, "--to", str(tmp_path / "t"), "--token-file", str(tmp_path / "token"), "--quiet")
        assert (quiet.returncode, quiet.stdout) == (0, "")
    gone = command(url, "--to", str(tmp_path / "t"))
    assert gone.returncode == 3
    assert "does not answer" in gone.stderr
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no bundle yet" in command(str(empty), "--to", str(tmp_path / "t")).stderr
    assert "The newest: " in command(str(root), "--to", str(tmp_path / "t"), "--day", "2020-01-01").stderr
    assert same(root, tmp_path / "t", DAYS[2])


def test_it_imports_nothing_heavy() -> None:
    script = "import sys, fulltape.pull.run, fulltape.bundle.http; print([m for m in ('polars', 'pydantic', 'fulltape.vendors') if m in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )
