"""What a simulated vendor writes down of its answers."""

from __future__ import annotations

import httpx2

from fulltape.simulator.server import Call, Reply, Server


def test_the_newest_answer_of_a_slow_worker_is_known_however_fast_another_goes_on() -> None:
    def handle(call: Call) -> Reply:
        return Reply(status=200, body=call.path.encode())

    with Server("alpaca", handle) as server, httpx2.Client() as slow, httpx2.Client() as fast:
        slow.get(f"{server.url}/earlier")
        slow.get(f"{server.url}/not-yet-written-down")
        for number in range(20):
            fast.get(f"{server.url}/{number}")
        assert [line.path for line in server.latest()] == ["/not-yet-written-down", "/19"]
