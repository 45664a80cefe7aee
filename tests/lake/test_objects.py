"""What every store of objects must do; run on each implementation."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import places
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fulltape import errors
from fulltape.lake import files
from fulltape.lake.objects import LocalObjects, Objects, StoredObject
from fulltape.remote import address

STORES = [
    "local",
    "ssh",
    pytest.param("s3", marks=pytest.mark.skipif(places.WEED is None, reason="there is no SeaweedFS")),
]


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Objects:
    if request.param == "s3":
        for name, value in places.environment(request.getfixturevalue("storage")).items():
            monkeypatch.setenv(name, value)
        return address.objects(f"s3://{places.BUCKET}/{tmp_path.name}")
    if request.param == "ssh":
        monkeypatch.setenv("PATH", f"{places.ssh(tmp_path)}:{os.environ['PATH']}")
        return address.objects(f"me@host:{tmp_path / 'lake'}")
    return address.objects(str(tmp_path / "lake"))


def content(store: Objects, key: str) -> bytes:
    with store.open(key) as file:
        return file.read()


def keys(store: Objects, prefix: str = "") -> list[str]:
    return [one.key for one in store.list(prefix)]


def test_what_is_written_is_there_whole(store: Objects, tmp_path: Path) -> None:
    assert store.write("raw/a/x.parquet", b"one") == StoredObject(key="raw/a/x.parquet", size=3)
    large = tmp_path / "large"
    large.write_bytes(bytes(range(256)) * 20_000)
    assert store.write("raw/b", large).size == 256 * 20_000
    assert content(store, "raw/a/x.parquet") == b"one"
    assert content(store, "raw/b") == large.read_bytes()
    assert store.write("empty", b"").size == 0
    assert content(store, "empty") == b""


def test_pieces_become_one_object_and_are_read_from_anywhere(store: Objects) -> None:
    assert store.write("a/b", iter([b"one", b"", b"two"])).size == 6
    for offset in (0, 2, 6):
        with store.open("a/b", offset) as file:
            assert file.read() == b"onetwo"[offset:]


def test_pieces_that_fail_write_nothing(store: Objects) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 9_000_000
        raise RuntimeError

    store.write("a", b"old")
    for key in ("a", "b"):
        with pytest.raises(RuntimeError):
            store.write(key, broken())
    store.tidy()
    assert keys(store) == ["a"]
    assert content(store, "a") == b"old"


def test_listing_is_by_key_and_prefix(store: Objects) -> None:
    assert keys(store) == []
    for key in ("raw/b", "raw/a/2", "raw/a/1", "raw-b", "qc/1"):
        store.write(key, key.encode())
    assert keys(store) == sorted(["raw/b", "raw/a/2", "raw/a/1", "raw-b", "qc/1"])
    assert keys(store, "raw/") == ["raw/a/1", "raw/a/2", "raw/b"]
    assert keys(store, "raw/a/1") == ["raw/a/1"]
    assert keys(store, "nothing") == []
    assert [one.size for one in store.list("qc")] == [4]


def test_a_reader_keeps_what_it_has_opened(store: Objects) -> None:
    store.write("a", b"old")
    with store.open("a") as file:
        store.write("a", b"newer")
        store.delete("a")
        assert file.read() == b"old"
    with pytest.raises(errors.MissingObjectError):
        store.open("a")


def test_what_is_not_there_is_an_error_to_read_and_none_to_delete(store: Objects) -> None:
    store.write("a/b", b"")
    for key in ("c", "a", "a/b/c"):
        with pytest.raises(errors.MissingObjectError, match=key):
            store.open(key)
    store.delete("c")
    assert keys(store) == ["a/b"]


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\0b", f"a/{files.TEMPORARY}1"]
)
def test_a_key_is_a_plain_relative_path(store: Objects, key: str) -> None:
    for use in (store.open, store.delete, lambda one: store.write(one, b"")):
        with pytest.raises(errors.UsageError, match="key of an object"):
            use(key)
    assert keys(store) == []


def test_of_several_writers_of_a_new_object_one_succeeds(store: Objects) -> None:
    done: list[bytes] = []
    ready = threading.Barrier(8)

    def write(text: bytes) -> None:
        ready.wait()
        try:
            store.write("one", text, only_new=True)
        except errors.ObjectExistsError:
            return
        done.append(text)

    threads = [threading.Thread(target=write, args=(str(at).encode() * 100_000,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [content(store, "one")]
    assert keys(store) == ["one"], "nothing is left of those that lost"


def test_a_write_that_fails_leaves_what_was_there(store: Objects, tmp_path: Path) -> None:
    store.write("a", b"old")
    for only_new, key in ((False, "a"), (True, "b")):
        with pytest.raises(errors.StorageError):
            store.write(key, tmp_path / "nowhere", only_new=only_new)
    assert keys(store) == ["a"]
    assert content(store, "a") == b"old"


@settings(max_examples=50)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["write", "new", "delete"]),
            st.sampled_from(["a", "b/c", "b/d"]),
            st.binary(max_size=4),
        )
    )
)
def test_it_behaves_as_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, bytes]]
) -> None:
    store: Objects = LocalObjects(tmp_path_factory.mktemp("lake"))
    model: dict[str, bytes] = {}
    for what, key, text in steps:
        if what == "delete":
            store.delete(key)
            model.pop(key, None)
        elif what == "write" or key not in model:
            store.write(key, text, only_new=what == "new")
            model[key] = text
        else:
            with pytest.raises(errors.ObjectExistsError):
                store.write(key, text, only_new=True)
        assert {one.key: content(store, one.key) for one in store.list()} == model


@pytest.mark.parametrize("store", ["local", "ssh"], indirect=True)  # object storage has no folders
def test_what_stands_in_the_way_is_an_error_and_changes_nothing(store: Objects, tmp_path: Path) -> None:
    store.write("a/b", b"one")
    for only_new in (False, True):
        with pytest.raises(errors.StorageError):
            store.write("a/b/c", b"two", only_new=only_new)
    with pytest.raises(errors.StorageError):
        store.write("x" * 300, b"")
    store.delete("a")
    assert keys(store) == ["a/b"]
    assert content(store, "a/b") == b"one"


def test_links_lead_nowhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"x")
    root = tmp_path / "lake"
    root.mkdir()
    (root / "link").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    store: Objects = LocalObjects(root)
    for key in ("link/secret", "file"):
        with pytest.raises(errors.UsageError, match="leads out of the lake"):
            store.open(key)
    assert keys(store) == []
