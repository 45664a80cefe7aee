"""What a job has found out about sources, and messages that reach a person by one way or another."""

from __future__ import annotations

import socket
from pathlib import Path

from serving import hearing

from fulltape.service import control, notify
from fulltape.service.caller import Caller
from fulltape.service.conditions import Message, NotifyOrder
from fulltape.service.config import JobEnd, NotifyConfig, ScheduleEntry
from fulltape.service.control import ControlReply, ControlRequest, ControlSocket
from fulltape.service.outlook import Outlook
from fulltape.service.plan import EntryState, Moment
from fulltape.service.schedule import Schedule

BACKFILL = EntryState(entry=ScheduleEntry(name="backfill", job="backfill", lane="fetch"), since=0)
MESSAGE = Message(node="node", key="disk", state="begun", title="The disk is nearly full", text="…")


def moment(seconds: float) -> Moment:
    return Moment(wall=int(seconds * 1e6), steady=seconds)


def test_a_refusal_that_an_old_key_met_says_nothing_of_the_new_one(tmp_path: Path) -> None:
    said: list[str] = []

    def say(words: str, /, **_: object) -> None:
        said.append(words)

    schedule = Schedule(tmp_path)
    caller = Caller(tmp_path, schedule.memory, say, schedule.touch)
    outlook = Outlook(tmp_path, schedule, caller, moment(0), say)
    end = JobEnd(id=1, outcome="done", stopped={"a.x": "401"}, unreachable={"b.y": "refused"})
    outlook.learn(BACKFILL, moment(1), end, moment(2))
    assert set(schedule.memory.out) == {"a.x", "b.y"}
    assert said == [
        "a.x is left alone until 1970-01-01T06:00:02Z: 401",
        "b.y is left alone until 1970-01-01T00:15:02Z: refused",
    ]
    outlook.forget(moment(3))
    assert schedule.memory.out == {}
    outlook.learn(BACKFILL, moment(2), end, moment(4))
    assert schedule.memory.out == {}
    outlook.learn(BACKFILL, moment(4), end, moment(5))
    first = schedule.memory.out["a.x"]
    outlook.learn(BACKFILL, moment(6), end, moment(7))
    assert schedule.memory.out["a.x"] == first, (
        "it is not left alone for longer because it is still left alone"
    )


def test_a_message_has_come_through_where_one_address_took_it() -> None:
    with hearing() as heard:
        heard.beat_status = 503
        config = NotifyConfig(webhook=f"{heard.url}/x", heartbeat_url=f"{heard.url}/beat")
        assert notify.sent(NotifyOrder(config=config, messages=(MESSAGE,), heartbeat=True)) == (
            True,
            ["heartbeat_url: status 503"],
        )
        assert [message["key"] for message in heard.messages] == ["disk"]
        heard.status = 500
        assert notify.sent(NotifyOrder(config=config, messages=(MESSAGE,))) == (
            False,
            ["the webhook: status 500"],
        )


def test_clients_of_the_control_socket_that_say_nothing_make_way(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    asked: list[ControlRequest] = []

    def handle(request: ControlRequest, respond: control.Respond) -> None:
        asked.append(request)
        respond(ControlReply(ok=True, message="done"))

    server = ControlSocket(tmp_path, handle)
    idle = [socket.socket(socket.AF_UNIX) for _ in range(40)]
    try:
        for client in idle:
            client.connect(str(control.path(tmp_path)))
            server.came(server.fds[0])
        assert len(server.fds) <= 17
        idle[-1].sendall(b'{"do":"reload"}\n')
        server.came(server.fds[-1])
        assert [request.do for request in asked] == ["reload"]
        assert b"done" in idle[-1].recv(1_000)
        idle[-2].sendall(b"x" * 100_000)
        server.came(server.fds[-1])
    finally:
        for client in idle:
            client.close()
        server.close()
