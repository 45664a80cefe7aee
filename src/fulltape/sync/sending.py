"""Sends many files at once; what was read back is noted, one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path

from fulltape.ledger.sent import SentFile
from fulltape.remote import index
from fulltape.remote.index import IndexedFile
from fulltape.sync import transfer
from fulltape.sync.place import KnownPlace
from fulltape.sync.plan import LocalFile
from fulltape.sync.transfer import ChangedError, DamagedError, Throttle, Transfer

_WORKERS = 4


class Sending:
    """The files of one run. `proved`: by path, what the place has of them. `damaged`: what is not here as it was recorded."""

    def __init__(self, known: KnownPlace, moving: Transfer, throttle: Throttle) -> None:
        self._moving, self._throttle, self._noted = moving, throttle, known.noted
        self.proved: dict[str, IndexedFile] = dict(known.proved)
        self._keys = {file.sha256: file.key for file in (*known.spare, *known.before)}
        self.damaged: list[str] = []
        self.changed: list[str] = []
        self.sent = self.bytes = 0

    def has(self, file: LocalFile) -> bool:
        """Whether the place has this file as it is now."""
        there = self.proved.get(file.path)
        return there is not None and there.bytes == file.bytes and there.sha256 == self._digest(file)

    def run(self, files: Iterable[LocalFile], note: Callable[[LocalFile, IndexedFile], None]) -> None:
        """Send files, several at once. What was changed meanwhile is `changed`."""
        everything = list(files)
        # What has the content of a part is not sent beside it.
        self._run((file for file in everything if file.named), note)
        self._run((file for file in everything if not file.named), note)

    def _run(self, waiting: Iterator[LocalFile], note: Callable[[LocalFile, IndexedFile], None]) -> None:
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="sync") as pool:
            under_way: dict[Future[tuple[IndexedFile, bool]], LocalFile] = {}
            try:
                while True:
                    for file in islice(waiting, _WORKERS - len(under_way)):
                        under_way[pool.submit(self._bring, file)] = file
                    if not under_way:
                        return
                    done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._settle(under_way.pop(future), future, note)
            except BaseException:
                self._throttle.break_off()
                raise

    def _settle(
        self,
        file: LocalFile,
        future: Future[tuple[IndexedFile, bool]],
        note: Callable[[LocalFile, IndexedFile], None],
    ) -> None:
        try:
            there, sent = future.result()
        except ChangedError:
            self.changed.append(file.path)
            return
        except DamagedError:
            self.damaged.append(file.path)
            return
        self.proved[file.path] = there
        self._keys.setdefault(there.sha256, there.key)
        if sent:
            self.sent += 1
            self.bytes += there.bytes
        note(file, there)

    def _bring(self, file: LocalFile) -> tuple[IndexedFile, bool]:
        """Have a file's content there; and whether it had to be sent."""
        place = Path(file.place)
        sha256 = self._digest(file) or transfer.sha256(place, self._throttle)
        key = self._keys.get(sha256)
        if key is None:
            key = file.path if file.named else index.object_key(sha256)
            self._moving.send(place, key, size=file.bytes, sha256=sha256)
            return IndexedFile(path=file.path, key=key, bytes=file.bytes, sha256=sha256), True
        return IndexedFile(path=file.path, key=key, bytes=file.bytes, sha256=sha256), False

    def _digest(self, file: LocalFile) -> str:
        noted = self._noted.get(file.path)
        if not file.sha256 and noted and (noted.bytes, noted.modified) == (file.bytes, file.modified):
            return noted.sha256
        return file.sha256


def noted(file: LocalFile, there: IndexedFile, now: int, *, indexed: bool) -> SentFile:
    """A file as the ledger notes it."""
    return SentFile(
        path=file.path,
        key=there.key,
        bytes=there.bytes,
        sha256=there.sha256,
        modified=file.modified,
        proved_at=now,
        indexed=indexed,
    )
