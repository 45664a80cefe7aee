"""`python -m fulltape.service.prepare`: reads the settings for the supervisor, which itself stays small, and prints what it needs of
them, or why they cannot be taken."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from fulltape import errors
from fulltape.clock import SystemClock
from fulltape.context import NodeContext
from fulltape.market.time import DAY, Instant
from fulltape.node import assemble, capturing, jobs
from fulltape.service.config import (
    NotifyConfig,
    Prepared,
    ScheduleEntry,
    ServiceConfig,
    Setup,
    WebSettingsConfig,
    encode,
)
from fulltape.settings import load, running
from fulltape.settings.load import Loaded
from fulltape.views import state

_BACK, _AHEAD = 14 * DAY, 40 * DAY
"""Over which time moments of finality are told: what was missed in a pause, and what comes."""


def prepared(setup: Setup) -> Prepared:
    """The configuration of a service; `text` '' reads the file."""
    try:
        folder = Path(setup.folder)
        text = setup.text or (folder / load.FILE).read_text(encoding="utf-8-sig")
        loaded = load.load(folder, text=text)
        assemble.check(loaded)
        return Prepared(config=_config(loaded, text))
    except errors.FulltapeError as error:
        return Prepared(error=error.message, hint=error.hint, exit_code=error.exit_code)
    except OSError as error:
        words = f"{error.filename or 'the disk'}: {error.strerror or error}"
        return Prepared(error=words, exit_code=errors.StorageError.exit_code)


def _config(loaded: Loaded, text: str) -> ServiceConfig:
    entries = tuple(_entries(loaded))
    context = assemble.open_context(loaded)
    try:
        now = SystemClock().now()
        live = any(wanted.live and wanted.instruments for wanted in context.wanted.values())
        notify = loaded.values.notify
        return ServiceConfig(
            lake=str(context.layout.root.resolve()),
            writer=context.capture_writer,
            text=text,
            data=_digest(loaded),
            entries=entries,
            finals=finals(context, now),
            capture=capturing.configuration(loaded, context) if live else None,
            web=_web(loaded, text),
            notify=NotifyConfig(
                webhook=notify.webhook.get_secret_value() if notify.webhook else "",
                apprise=tuple(address.get_secret_value() for address in notify.apprise),
                heartbeat_url=notify.heartbeat_url.get_secret_value() if notify.heartbeat_url else "",
                heartbeat_every=notify.heartbeat_every,
                quiet=notify.quiet,
                zone=notify.zone,
            ),
            stop_within=context.rules.stop_within,
            clock_wait=context.rules.clock_wait,
            min_free=context.rules.min_free,
            warnings=tuple(state.horizons(context, now)),
        )
    finally:
        context.close()


def _entries(loaded: Loaded) -> Iterator[ScheduleEntry]:
    for name, rule in running.rules(loaded.values.schedule, syncing=bool(loaded.values.sync.targets)).items():
        try:
            job = jobs.get(rule.job)
        except errors.UsageError as error:
            key = f"schedule.{name}.job"
            raise errors.ConfigError(
                f"{key}: {error.message}", where=loaded.where(key), hint=error.hint
            ) from None
        yield ScheduleEntry(name=name, lane=job.lane, **dataclasses.asdict(rule))


def _web(loaded: Loaded, text: str) -> WebSettingsConfig | None:
    web = loaded.values.web
    if not web.enabled:
        return None
    token = web.token.get_secret_value() if web.token else ""
    own = web.host if ":" not in web.host else f"[{web.host}]"
    return WebSettingsConfig(
        folder=str(loaded.folder),
        text=text,
        host=web.host,
        port=web.port,
        hosts=tuple(
            dict.fromkeys(("127.0.0.1", "localhost", "[::1]", own.lower(), *map(str.lower, web.hosts)))
        ),
        token_digest=hashlib.sha256(token.encode()).hexdigest() if token else "",
        base_path=web.base_path,
    )


def _digest(loaded: Loaded) -> str:
    """Of what concerns data, without secrets."""
    values = loaded.values.model_dump(mode="json", exclude={"schedule", "notify", "web"})
    return hashlib.sha256(repr(values).encode()).hexdigest()


def finals(context: NodeContext, now: Instant) -> tuple[Instant, ...]:
    """The moments, ascending, from which sessions of any dataset count as final: of the last two weeks and the next forty days."""
    moments = set()
    for wanted in context.wanted.values():
        stop = wanted.final_until(now + _AHEAD)
        if wanted.until:
            stop = min(stop, wanted.calendar.between(wanted.calendar.known_from, wanted.until)[1])
        for position in range(wanted.final_until(now - _BACK), stop):
            moments.add(wanted.final_at(position))
    return tuple(sorted(moments))


def main() -> None:
    """Read a `Setup`, print what it came to."""
    setup = msgspec.json.decode(sys.stdin.buffer.readline(), type=Setup)
    # Who has asked may be gone.
    with contextlib.suppress(BrokenPipeError):
        os.write(1, encode(prepared(setup)))


if __name__ == "__main__":
    main()
