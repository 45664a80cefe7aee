"""What of a folder is made durable."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fulltape.lake import files


def test_a_tree_is_made_durable_but_for_files_that_are_published_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published, bundle = tmp_path / "published", tmp_path / "bundle"
    files.publish_bytes(published, b"rows")
    (bundle / "inner").mkdir(parents=True)
    (bundle / "inner" / "new").write_bytes(b"new")
    os.link(published, bundle / "inner" / "linked")
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(str(Path(f"/proc/self/fd/{fd}").readlink())))
    files.sync_tree(bundle)
    assert synced == [str(bundle / "inner" / "new"), str(bundle / "inner"), str(bundle)]
