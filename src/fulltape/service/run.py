"""`python -m fulltape.service FOLDER`: the supervisor's process, as `fulltape run` becomes it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from fulltape import clock, errors, log
from fulltape.lake import files
from fulltape.lake.layout import Layout
from fulltape.market.time import to_second
from fulltape.service import memory, rereading, shown
from fulltape.service.config import ServiceConfig
from fulltape.service.supervisor import Supervisor


def serve(folder: Path) -> int:
    """Run the node in `folder` until SIGTERM or SIGINT; the exit status."""
    with contextlib.ExitStack() as held:
        held.enter_context(_alone(folder))
        prepared = rereading.read_settings(folder)
        if prepared.config is None:
            _say(f"fulltape: {prepared.error}")
            if prepared.hint:
                _say(prepared.hint)
            return prepared.exit_code
        config = prepared.config
        lock = Layout(root=Path(config.lake)).capture_lock(config.writer)
        held.enter_context(files.alone(lock, f"live capture of {folder} by `fulltape capture`"))
        if (before := shown.read(folder)) and not before.stopping:
            _say(
                "the service before did not end in order; what it left unfinished goes on", kind="recovering"
            )
        supervisor = Supervisor(folder, config, _say)
        wakes = held.enter_context(_signals(supervisor))
        supervisor.start()
        _begun(folder, config)
        killed = supervisor.run(wakes)
    if killed:
        _say(f"ended; {', '.join(killed)} had not ended within node.stop_within, and go on at the next start")
    else:
        _say("ended")
    return 0


def _begun(folder: Path, config: ServiceConfig) -> None:
    _say(f"runs in {folder.resolve()} (process {os.getpid()})", kind="begun", process=os.getpid())
    if config.capture:
        _say(f"captures {', '.join(feed.source for feed in config.capture.feeds)}")
    if config.web:
        host = f"[{config.web.host}]" if ":" in config.web.host else config.web.host
        _say(f"pages: http://{host}:{config.web.port}{config.web.base_path}")


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the service's lock; `BusyError` names the process that holds it."""
    lock = folder / memory.FOLDER / "lock"
    try:
        with files.alone(lock, "the service"):
            yield
    except errors.BusyError:
        state = shown.read(folder)
        process = f" (process {state.process})" if state else ""
        raise errors.BusyError(
            f"the service of {folder.resolve()} runs already{process}.",
            hint="`fulltape schedule` shows what it does; Ctrl-C or SIGTERM stops it.",
        ) from None


@contextlib.contextmanager
def _signals(supervisor: Supervisor) -> Iterator[int]:
    """SIGTERM and SIGINT stop, SIGHUP reads the settings again; the file number on which a signal tells itself, so that no wait
    misses one."""
    wakes, teller = socket.socketpair()
    for end in (wakes, teller):
        end.setblocking(False)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        supervisor.signals.append("stop")

    def reload(_signal: int, _frame: FrameType | None) -> None:
        supervisor.signals.append("reload")

    before = {
        signal.SIGTERM: signal.signal(signal.SIGTERM, stop),
        signal.SIGINT: signal.signal(signal.SIGINT, stop),
        signal.SIGHUP: signal.signal(signal.SIGHUP, reload),
    }
    waker = signal.set_wakeup_fd(teller.fileno(), warn_on_full_buffer=False)
    try:
        yield wakes.fileno()
    finally:
        signal.set_wakeup_fd(waker)
        for number, handler in before.items():
            signal.signal(number, handler)
        wakes.close()
        teller.close()


def _say(words: str, /, *, kind: str = "said", **fields: object) -> None:
    """See `sentences.Say`; without words there is nothing for people."""
    if log.chosen():
        log.write("service", kind, {"message": words, **fields})
    elif words:
        sys.stderr.write(f"{to_second(clock.wall_ns() // 1_000)} {words}\n")


def main() -> None:
    """Serve the node that the first argument names."""
    log.choose(json=os.environ.get("FULLTAPE_LOG") == "json")
    try:
        sys.exit(serve(Path(sys.argv[1])))
    except errors.FulltapeError as error:
        sys.stderr.write(f"fulltape: {error}\n")
        sys.exit(error.exit_code)
