"""The supervisor: keeps capture running, gives workers what is due, and ends everything in order.

    starting --(settings read)--> running --(SIGTERM)--> stopping --(workers, then capture have ended, or time is up)--> ended
    running --(SIGHUP, `fulltape reload`)--> running, with the new settings as a whole, or with the old ones

One thread, one `select`: nothing in it waits for a busy disk, a server, or a child.
"""

from __future__ import annotations

import os
import selectors
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from fulltape import clock
from fulltape.clock import SystemClock
from fulltape.lake.layout import Layout
from fulltape.market.time import SECOND
from fulltape.service import rereading, systemd
from fulltape.service.caller import Caller
from fulltape.service.closed import ClosedJournals
from fulltape.service.config import JobEnd, ServiceConfig, Setup
from fulltape.service.control import ControlReply, ControlRequest, ControlSocket, Respond, run_reply
from fulltape.service.job_runs import JobRuns
from fulltape.service.outlook import Outlook, Surroundings
from fulltape.service.plan import LONGEST_LOOK, EntryState, Moment
from fulltape.service.rereading import SettingsReader
from fulltape.service.schedule import Schedule
from fulltape.service.sentences import Say, begun_words, ended_words, stopping_words
from fulltape.service.standing import StandingProcesses

_LOOK_EVERY = 1.0
"""Seconds between looks at capture's process and its closed journals."""
_RENEW_AFTER = 86_400.0
"""Seconds after which the moments at which sessions become final are made anew."""
_SHIFTED_LOOK = 0.001
_CAPTURE_NEEDS = 5.0
"""Of the time for stopping so many seconds are kept for capture."""


class Supervisor:
    """Runs one node. `say` writes a line for people or logs."""

    def __init__(self, folder: Path, config: ServiceConfig, say: Say) -> None:
        self._folder, self._config, self._say = folder, config, say
        self._steady, self._wall = SystemClock.since_boot(), SystemClock()
        self._layout = Layout(root=Path(config.lake))
        self._schedule = Schedule(folder)
        self._runs = JobRuns(Setup(folder=str(folder), text=config.text), self._job_ended)
        self._reader = SettingsReader(folder)
        self._caller = Caller(folder, self._schedule.memory, say, self._schedule.touch)
        self._outlook = Outlook(folder, self._schedule, self._caller, self.now(), say)
        self._control = ControlSocket(folder, self._asked)
        self._closed = ClosedJournals(self._layout)
        self._standing = StandingProcesses(self._layout, say)
        self._renewed_at = self.now().steady
        self._message = ""
        self._stop_at: float | None = None  # in steady seconds
        self._hard = False
        self.signals: deque[str] = deque()
        """"stop" and "reload", as signals have asked for; they are seen to between two looks."""

    def now(self) -> Moment:
        """Wall time, and the seconds since boot, which no setting of the clock changes."""
        return Moment(wall=self._wall.now(), steady=self._steady.steady() / SECOND)

    def start(self) -> None:
        """Begin: capture at once; and what an earlier process left unfinished is worth a run."""
        now = self.now()
        self._schedule.configure(self._config.entries, self._config.finals, now)
        self._standing.configure(self._config)
        self._schedule.trigger(["closed", "tasks", "parts", "curated"], now)
        systemd.tell("READY=1")

    def run(self, wakes: int) -> tuple[str, ...]:
        """Go on until everything has ended; the names of what had to be killed. `wakes`: a file number on which signals tell
        themselves."""
        while (killed := self._ended()) is None:
            while self.signals:
                self.stop() if self.signals.popleft() == "stop" else self.reload()
            now = self.now()
            if self._stop_at is None:
                self._go_on(now)
            self._runs.look()
            self._outlook.show(self._beside(), now)
            systemd.tell("WATCHDOG=1")
            self._wait(wakes)
        self._standing.stop_web()
        self._control.close()
        self._caller.close()
        self._reader.close()
        self._schedule.keep()
        self._outlook.show(self._beside(), self.now())
        return killed

    def stop(self) -> None:
        """End in order; asked a second time, at once."""
        if self._stop_at is not None:
            self._hard = True
            return
        self._stop_at = self.now().steady + self._config.stop_within
        systemd.tell("STOPPING=1")
        self._say(stopping_words(self._runs.names), kind="stopping")
        self._runs.stop()

    def reload(self, respond: Respond | None = None) -> None:
        """Read the settings again; they are taken as a whole or not at all."""
        if self._stop_at is None:
            self._reader.begin(respond)
        elif respond:
            respond(ControlReply(ok=False, message="the service ends"))

    def _go_on(self, now: Moment) -> None:
        self._standing.look()
        if self._closed.look():
            self._schedule.trigger(["closed"], now)
        if now.steady - self._renewed_at >= _RENEW_AFTER:
            self._renewed_at = now.steady
            self._reader.begin(None, text=self._config.text)
        self._outlook.measure(self._config, now)
        if self._outlook.clock_is_right:
            self._schedule.look(now)
        held = self._outlook.held(self._config)
        for entry, order in self._schedule.starts(now, self._runs.busy, held):
            self._runs.begin(entry, order, now)
            self._say(begun_words(entry), kind="started", entry=entry.entry.name, cause=entry.cause)
        self._outlook.call(self._beside(), now)
        self._schedule.keep()

    def _beside(self) -> Surroundings:
        return Surroundings(
            config=self._config,
            capture=self._standing.capture,
            web=self._standing.web,
            running=self._runs.shown,
            workers={worker.slot: worker.child.pid for worker in self._runs.workers.all},
            stopping=self._stop_at is not None,
            message=self._message,
        )

    def _timeout(self) -> float:
        timeout = LONGEST_LOOK
        if self._stop_at is None:
            if not self._outlook.clock_is_right:
                return _LOOK_EVERY
            held = self._outlook.held(self._config)
            timeout = self._schedule.wait(self.now(), self._runs.busy, held)
        looked_after = self._standing.capture or self._standing.web or self._runs.workers.all
        if looked_after or self._stop_at is not None:
            timeout = min(timeout, _LOOK_EVERY)
        return min(timeout, systemd.watchdog_seconds() or timeout)

    def _wait(self, wakes: int) -> None:
        """Wait until something happens, or is due."""
        handlers: dict[int, Callable[[], object]] = {wakes: partial(os.read, wakes, 4096)}
        handlers |= {fd: partial(self._control.came, fd) for fd in self._control.fds}
        handlers |= {fd: partial(self._caller.came, self.now()) for fd in self._caller.fds}
        handlers |= dict.fromkeys(self._reader.fds, self._settings_came)
        handlers |= {worker.fd: partial(self._runs.spoke, worker) for worker in self._runs.workers.all}
        with selectors.DefaultSelector() as selector:
            for fd in handlers:
                selector.register(fd, selectors.EVENT_READ)
            timeout = self._timeout()
            ready = selector.select(timeout if clock.shift is None else min(timeout, _SHIFTED_LOOK))
        if clock.shift and not ready and not self._runs.busy:
            # In tests nothing waits in real time: when all is idle, time jumps to the next thing that is due.
            clock.shift.jump(timeout)
        for key, _ in ready:
            handlers[key.fd]()

    def _job_ended(self, begun: EntryState, started: Moment, end: JobEnd) -> None:
        now = self.now()
        self._schedule.ended(begun, started, end, now)
        self._outlook.learn(begun, started, end, now)
        self._schedule.trigger(end.triggers, now)
        self._say(
            ended_words(begun, started, end, now),
            kind="finished",
            entry=begun.entry.name,
            job=begun.entry.job,
            cause=begun.cause,
            outcome=end.outcome,
            seconds=round(now.steady - started.steady, 3),
            **end.numbers,
        )

    def _settings_came(self) -> None:
        """Take settings once they are read, or say why not."""
        prepared = self._reader.came()
        if prepared is None:
            return
        config, problem, hint = prepared.config, prepared.error, prepared.hint
        if config is not None:
            problem = rereading.fixed(self._config, config)
        if config is None or problem:
            self._message = f"the settings were not taken: {problem}"
            self._say(f"{self._message} {hint}".strip())
        else:
            self._message = ""
            self._apply(config)
        self._reader.answer(self._message, hint)

    def _apply(self, config: ServiceConfig) -> None:
        now, before = self.now(), self._config
        self._config = config
        self._schedule.configure(config.entries, config.finals, now)
        if self._reader.anew:
            self._runs.workers.configure(Setup(folder=str(self._folder), text=config.text))
            self._standing.configure(config)
            self._outlook.forget(now)
            self._caller.renew(before.notify, config.notify)
            if config.data != before.data:
                # What the settings ask anew is looked for at once.
                self._schedule.trigger(["tasks", "parts"], now)
            self._say("the settings are read again")

    def _asked(self, request: ControlRequest, respond: Respond) -> None:
        """See to a request from outside."""
        now = self.now()
        if request.do == "reload":
            self.reload(respond)
        elif self._stop_at is not None:
            respond(ControlReply(ok=False, message="the service ends"))
        elif request.do == "test_message":
            self._caller.test(self._config.notify, respond, now)
        else:
            respond(run_reply(request.name, self._schedule.request(request.name, now), self._config))

    def _ended(self) -> tuple[str, ...] | None:
        """Once everything has ended, what had to be killed for it; None before."""
        if self._stop_at is None:
            return None
        left = self._stop_at - self.now().steady
        if self._runs.workers.all and left > _CAPTURE_NEEDS and not self._hard:
            return None
        if not self._standing.capture_ended(1.0 if self._hard else max(1.0, left), self.now().steady):
            return None
        if self._runs.workers.all and left > 0 and not self._hard:
            return None
        return self._runs.kill()
