"""The process that reads for the pages: comes with the first question, goes when none follow."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import cast

import msgspec

from fulltape import clock
from fulltape.browse.questions import BrowseOrder, BrowseRefusal, Question, Reply
from fulltape.service.config import WebSettingsConfig

IDLE = 60.0
"""Seconds without a question after which it goes."""
_PATIENCE = 30.0
"""Seconds that an answer may take."""
_LONGEST = 32 * 1024 * 1024
"""Bytes of an answer."""
_MOST_WAITING = 8


class BrowseProcess:
    """Answers one question at a time; what fails or takes too long ends the process, and the next question starts another."""

    def __init__(self, config: WebSettingsConfig, *, patience: float = _PATIENCE, idle: float = IDLE) -> None:
        self._order = msgspec.json.encode(BrowseOrder(folder=config.folder, text=config.text)) + b"\n"
        self._patience, self._idle = patience, idle
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._child: asyncio.subprocess.Process | None = None
        self._asked_at = 0.0
        self._watch: asyncio.Task[None] | None = None
        self._decoder = msgspec.json.Decoder(Reply)

    @property
    def process(self) -> int:
        """Its number; 0 where there is none."""
        return self._child.pid if self._child and self._child.returncode is None else 0

    async def answer(self, question: Question) -> Reply:
        """What it answers; a `BrowseRefusal` of ours where it does not."""
        if self._waiting >= _MOST_WAITING:
            return BrowseRefusal(text="Too many questions wait already; try again in a moment.", ours=True)
        self._waiting += 1
        try:
            async with self._turn:
                return await self._ask(question)
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """End it."""
        if self._watch is not None:
            self._watch.cancel()
        await self._end()

    async def _ask(self, question: Question) -> Reply:
        whole = False
        try:
            child = await self._running()
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(msgspec.json.encode(question) + b"\n")
            line = await asyncio.wait_for(child.stdout.readline(), self._patience)
            if not line.endswith(b"\n"):
                return BrowseRefusal(
                    text="What reads for the pages has ended; the log of the service says why.", ours=True
                )
            reply = cast("Reply", self._decoder.decode(line))
            whole = True
        except TimeoutError:
            return BrowseRefusal(text=f"The answer took longer than {self._patience:g} s.", ours=True)
        except (OSError, ValueError, msgspec.DecodeError) as error:
            return BrowseRefusal(text=f"The node could not be read: {error}.", ours=True)
        else:
            return reply
        finally:
            # An answer that comes late would be taken for that of the next question.
            if not whole:
                await self._end()

    async def _running(self) -> asyncio.subprocess.Process:
        self._asked_at = clock.steady_seconds()
        if self._child is None or self._child.returncode is not None:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "fulltape.browse",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_LONGEST,
            )
            assert self._child.stdin is not None
            self._child.stdin.write(self._order)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._until_idle())
        return self._child

    async def _until_idle(self) -> None:
        while self.process:
            quiet = clock.steady_seconds() - self._asked_at
            if quiet < self._idle:
                await asyncio.sleep(self._idle - quiet)
                continue
            async with self._turn:
                # While we waited for our turn a question may have been asked.
                if clock.steady_seconds() - self._asked_at >= self._idle:
                    await self._end()

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
