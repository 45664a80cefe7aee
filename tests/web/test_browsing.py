"""The process that reads for the pages: it comes, it answers, and whatever happens to it the next question is answered."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx2
import msgspec
import pytest
from serving import lives, until

from fulltape.browse.questions import BrowseRefusal, CellQuestion, Question, Reply, TasksAnswer, TasksQuestion
from fulltape.service.config import WebSettingsConfig, encode
from fulltape.simulator import market as markets
from fulltape.web.browsing import BrowseProcess
from nodes import DAYS_2012, opened, simulated

# Each waits for a process that has polars to import.
pytestmark = pytest.mark.timeout(200)
QUESTION = TasksQuestion()


@pytest.fixture
def config(tmp_path: Path) -> WebSettingsConfig:
    with simulated(tmp_path, markets.sample(), [DAYS_2012]) as (folder, _), opened(folder):
        pass
    return WebSettingsConfig(
        folder=str(folder), text=(folder / "fulltape.toml").read_text(), host="127.0.0.1", port=1, hosts=()
    )


def answered(
    config: WebSettingsConfig,
    story: Callable[[BrowseProcess], Awaitable[Reply]],
    *,
    patience: float = 60.0,
    idle: float = 60.0,
) -> Reply:
    async def whole() -> Reply:
        browse = BrowseProcess(config, patience=patience, idle=idle)
        try:
            return await story(browse)
        finally:
            process = browse.process
            await browse.close()
            assert not browse.process
            if process:
                with pytest.raises(ProcessLookupError):
                    os.kill(process, 0)

    return asyncio.run(whole())


def test_many_questions_at_once_get_each_its_own_answer(config: WebSettingsConfig) -> None:
    async def story(browse: BrowseProcess) -> Reply:
        cell = CellQuestion(dataset="equities_bars_day", symbol="AAPL", session="2012-02-01")
        questions: list[Question] = [QUESTION, cell, QUESTION, cell]
        answers = await asyncio.gather(*map(browse.answer, questions))
        kinds = [type(answer).__name__ for answer in answers]
        assert kinds == ["TasksAnswer", "CellAnswer", "TasksAnswer", "CellAnswer"]
        crowd = await asyncio.gather(*(browse.answer(QUESTION) for _ in range(20)))
        refused = [answer for answer in crowd if isinstance(answer, BrowseRefusal)]
        assert 0 < len(refused) < 20
        assert all(answer.ours for answer in refused)
        return answers[0]

    answered(config, story)


def test_after_a_kill_the_next_question_is_answered(config: WebSettingsConfig) -> None:
    async def story(browse: BrowseProcess) -> Reply:
        assert isinstance(await browse.answer(QUESTION), TasksAnswer)
        os.kill(browse.process, signal.SIGSTOP)
        waiting = asyncio.create_task(browse.answer(QUESTION))
        await asyncio.sleep(0)
        os.kill(browse.process, signal.SIGKILL)
        lost = await waiting
        assert isinstance(lost, BrowseRefusal)
        assert lost.ours
        return await browse.answer(QUESTION)

    assert isinstance(answered(config, story), TasksAnswer)


def test_what_takes_too_long_is_ended(config: WebSettingsConfig) -> None:
    async def story(browse: BrowseProcess) -> Reply:
        return await browse.answer(QUESTION)

    late = answered(config, story, patience=0.01)
    assert isinstance(late, BrowseRefusal)
    assert "longer than" in late.text


def test_a_question_that_is_given_up_takes_its_answer_along(config: WebSettingsConfig) -> None:
    async def story(browse: BrowseProcess) -> Reply:
        await browse.answer(QUESTION)
        given_up = asyncio.create_task(
            browse.answer(CellQuestion(dataset="equities_bars_day", symbol="AAPL", session="2012-02-01"))
        )
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        return await browse.answer(QUESTION)

    assert isinstance(answered(config, story), TasksAnswer)


def test_it_goes_when_no_question_follows(config: WebSettingsConfig) -> None:
    async def story(browse: BrowseProcess) -> Reply:
        answer = await browse.answer(QUESTION)
        async with asyncio.timeout(30):
            while browse.process:
                await asyncio.sleep(0.01)
        return answer

    assert isinstance(answered(config, story, idle=0.2), TasksAnswer)


def test_settings_that_cannot_be_read_are_a_refusal(config: WebSettingsConfig, tmp_path: Path) -> None:
    async def story(browse: BrowseProcess) -> Reply:
        return await browse.answer(QUESTION)

    (Path(config.folder) / "universe.csv").unlink()
    answer = answered(config, story)
    assert isinstance(answer, BrowseRefusal)
    assert "universe.csv" in answer.text


def test_a_signal_ends_both_processes(config: WebSettingsConfig) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    order = msgspec.structs.replace(config, port=port, hosts=("127.0.0.1",))
    process = subprocess.Popen([sys.executable, "-m", "fulltape.web"], stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(encode(order))
    process.stdin.flush()
    until(lambda: answers(f"http://127.0.0.1:{port}/tasks"))
    (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.terminate()
    assert process.wait(20) == 0
    until(lambda: not lives(int(child)))
    process.stdin.close()


def answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=60).status_code == 200
    except httpx2.HTTPError:
        return False
