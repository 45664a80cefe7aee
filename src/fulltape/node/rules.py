"""The numbers by which the stages decide, out of the settings."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from fulltape import errors
from fulltape.context.members import near
from fulltape.market.time import SECOND
from fulltape.schedule import cron
from fulltape.schedule.rules import SCHEDULE
from fulltape.settings import running
from fulltape.settings.load import Loaded
from fulltape.settings.rules import RetentionRules, Rules, SyncRules


def rules(loaded: Loaded) -> Rules:
    """Durations become microseconds."""
    values = loaded.values
    backfill = values.backfill
    return Rules(
        worker=values.node.worker,
        max_wait=int(backfill.max_wait * SECOND),
        lease=int(backfill.lease * SECOND),
        max_failures=backfill.max_failures,
        attempts=backfill.attempts,
        retry_wait=backfill.retry_wait,
        cooldown=int(backfill.cooldown * SECOND),
        seal_after=int(backfill.seal_after * SECOND),
        seal_bytes=backfill.seal_bytes,
        rounds=backfill.rounds,
        workers=backfill.workers,
        shares={name.upper(): share for name, share in values.budget.model_dump().items()},
        export_policy=values.export.policy,
        export_sign=values.export.sign,
        splits=values.export.splits,
        purge=values.export.purge,
        embargo=values.export.embargo,
        keep_messages=int(values.capture.keep_messages * SECOND),
        clock_tolerance=int(values.capture.clock_tolerance * SECOND),
        min_free=values.node.min_free,
        lock_wait=values.node.lock_wait,
        stop_within=values.node.stop_within,
        clock_wait=values.node.clock_wait,
        verify_for=values.verify.nightly,
        thresholds=loaded.thresholds,
        retention=RetentionRules(
            **{
                name: int(value * SECOND)
                for name, value in values.retention.model_dump(exclude={"bundles"}).items()
            },
            bundles=values.retention.bundles,
        ),
        sync=SyncRules(
            targets=values.sync.targets,
            include=values.sync.include,
            exclude=values.sync.exclude,
            settings=values.sync.settings,
            bandwidth=values.sync.bandwidth or 0,
            keep=int(values.sync.keep * SECOND),
            ledger=int(values.sync.ledger * SECOND),
        ),
    )


def problems(loaded: Loaded) -> Iterator[errors.ConfigError]:
    """What cannot be meant."""
    yield from _schedule(loaded)
    yield from _web(loaded)
    shares = loaded.values.budget.model_dump()
    if sum(shares.values()) > 1 + 1e-9:
        shown = " + ".join(f"{name} {share:g}" for name, share in shares.items())
        yield errors.ConfigError(
            f"the shares in [budget], with their defaults, come to more than 1: {shown}.",
            where=loaded.where("budget"),
            hint="Lower the others too.",
        )
    export = loaded.values.export
    firsts = list(export.splits.items())
    for (name, first), (later, second) in itertools.pairwise(firsts):
        if second <= first:
            yield errors.ConfigError(
                f"export.splits: {later} begins on {second}, not after {name} ({first}).",
                where=loaded.where("export.splits"),
            )
    if not firsts and (export.purge or export.embargo):
        yield errors.ConfigError(
            "export.purge and export.embargo are about export.splits, and there are none.",
            where=loaded.where("export.purge" if export.purge else "export.embargo"),
        )


_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_SHORTEST_TOKEN = 32


def _web(loaded: Loaded) -> Iterator[errors.ConfigError]:
    web = loaded.values.web
    token = web.token.get_secret_value() if web.token else ""
    if web.enabled and web.host not in _LOOPBACK and not token:
        yield errors.ConfigError(
            f"web.host = {web.host} can be reached from other machines, and web.token is missing.",
            where=loaded.where("web.host"),
            hint='Add token = "${FULLTAPE_WEB_TOKEN}"; openssl rand -hex 32 makes one.',
        )
    if token and len(token) < _SHORTEST_TOKEN:
        yield errors.ConfigError(
            f"web.token has {len(token)} characters; {_SHORTEST_TOKEN} are the fewest.",
            where=loaded.where("web.token"),
            hint="openssl rand -hex 32 makes one.",
        )


def _schedule(loaded: Loaded) -> Iterator[errors.ConfigError]:
    for name, rule in running.rules(loaded.values.schedule, syncing=bool(loaded.values.sync.targets)).items():
        key = f"schedule.{name}"
        default = SCHEDULE.get(name)
        if not rule.job:
            yield errors.ConfigError(
                f"{key}.job is missing: {name} is an entry of your own.{near(name, SCHEDULE)}",
                where=loaded.where(key),
                hint="Such an entry says which job it runs; fulltape jobs lists them.",
            )
        if default and rule.job != default.job:
            yield errors.ConfigError(
                f"{key}.job = {rule.job}: the entry {name} runs the job {default.job}.",
                where=loaded.where(f"{key}.job"),
                hint="Give an entry of your own another name.",
            )
        reason = cron.problem(rule.cron, rule.zone) if rule.cron else cron.zone_problem(rule.zone)
        if reason:
            which = "zone" if cron.zone_problem(rule.zone) else "cron"
            value = rule.zone if which == "zone" else rule.cron
            yield errors.ConfigError(
                f'{key}.{which} = "{value}": {reason}.', where=loaded.where(f"{key}.{which}")
            )
    if reason := cron.zone_problem(loaded.values.notify.zone):
        yield errors.ConfigError(f"notify.zone: {reason}.", where=loaded.where("notify.zone"))
