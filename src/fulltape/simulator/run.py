"""Starts the simulated vendors, from a market and a scenario."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fulltape.simulator import registry
from fulltape.simulator.market import Market
from fulltape.simulator.scenario import Scenario
from fulltape.simulator.server import ServedCall, Server, SocketServer
from fulltape.simulator.stream import StreamServer
from fulltape.simulator.tape import Tape


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The servers of all simulated vendors."""

    servers: Mapping[str, Server]

    def log(self) -> list[ServedCall]:
        """Everything that was asked, vendor by vendor."""
        return [line for server in self.servers.values() for line in server.log]

    def release(self) -> None:
        """Let held answers go on."""
        for server in self.servers.values():
            server.release()


@contextlib.contextmanager
def running(
    market: Market, scenario: Scenario, *, vendors: Mapping[str, int] | None = None
) -> Iterator[Running]:
    """Serve while the block runs; `vendors` maps names to ports (0: any free one), all simulated vendors by default."""
    with contextlib.ExitStack() as stack:
        servers = {
            name: stack.enter_context(_server(name)(name, registry.vendor(name)(market, scenario), port=port))
            for name, port in (vendors or dict.fromkeys(registry.vendors(), 0)).items()
        }
        yield Running(servers=servers)


def _server(name: str) -> type[Server]:
    return SocketServer if registry.vendor(name).over_socket else Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """A vendor whose market happens now: its history, its live socket, and the tape that both play."""

    history: Server
    stream: StreamServer
    tape: Tape


@contextlib.contextmanager
def alive(
    scenario: Scenario, *, rate: float = 10.0, ports: Mapping[str, int] | None = None, compress: bool = False
) -> Iterator[dict[str, Alive]]:
    """Every vendor that streams, over an invented market that happens while the block runs; `ports` maps names to the
    first of two ports (0: any free ones), `rate` is in ticks a second and symbol."""
    with contextlib.ExitStack() as stack:
        by_vendor = {}
        for name, port in (ports or dict.fromkeys(registry.streams(), 0)).items():
            protocol = registry.streams()[name]
            tape = Tape(
                dict(protocol.prices), time.time_ns, rate=rate, plain=protocol.plain, grain=protocol.grain
            )
            simulated_vendor = registry.vendor(name)(tape.market(), scenario)
            by_vendor[name] = Alive(
                history=stack.enter_context(_server(name)(name, simulated_vendor, port=port)),
                stream=stack.enter_context(
                    StreamServer(
                        protocol(frozenset(tape.prices)),
                        tape,
                        scenario,
                        port=port + 1 if port else 0,
                        compress=compress,
                    )
                ),
                tape=tape,
            )
        yield by_vendor
