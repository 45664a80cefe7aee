"""`[schedule.NAME]` and `[notify]`: what a running node does when, and how it calls for a person."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr

from fulltape.schedule import rules as schedule
from fulltape.schedule.rules import ScheduleRule, Trigger
from fulltape.settings.kinds import (
    Duration,
    Secret,
    Section,
    Size,
    as_written,
    host_name,
    interval,
    quiet_hours,
    url_path,
    web_address,
)

Every = Annotated[float, BeforeValidator(interval)]
HostName = Annotated[str, BeforeValidator(host_name)]
WebAddress = Annotated[SecretStr, BeforeValidator(web_address)]


class ScheduleSettings(Section):
    """One entry of the schedule; what is absent stays as its default is (`fulltape schedule` prints them)."""

    job: str = Field(
        "",
        description="which job it runs, as `fulltape jobs` lists it; an entry with a name of your own needs one",
    )
    cron: str | None = Field(
        None,
        description='moments of a cron expression of five fields, such as "30 2 * * *"; with "" it has none',
    )
    zone: str | None = Field(None, description="time zone of `cron`, such as Europe/Berlin; absent: UTC")
    every: Every | None = Field(
        None, description="and so long after its last start, ten seconds at least; 0s: never"
    )
    after: tuple[Trigger, ...] | None = Field(
        None,
        description="and after events: `final` (sessions of a dataset are over and final), `closed` (journals wait to be sealed), `tasks` (something is to be fetched), `parts` (new rows came), `curated`, `checked`, `damaged` (a file is not what was written)",
    )
    spacing: Duration | None = Field(
        None, ge=0, description="least time between two starts, where events would make it run more often"
    )
    jitter: Duration | None = Field(
        None,
        ge=0,
        le=3_600,
        description="at most so much later than its moment, so that nodes do not all ask at once",
    )
    budget: Duration | None = Field(None, gt=0, description="how long it may go on, where it can end early")
    enabled: bool | None = Field(None, strict=True, description="false: never by itself")

    def rule(self, name: str) -> ScheduleRule:
        """The entry as it holds: its default, changed by what the file says."""
        default = schedule.SCHEDULE.get(name, ScheduleRule(job=self.job))
        given = {key: value for key, value in self.model_dump().items() if value not in (None, "")}
        if self.cron is not None:
            given["cron"] = self.cron
        return dataclasses.replace(default, **given)


def rules(sections: Mapping[str, ScheduleSettings], *, syncing: bool) -> dict[str, ScheduleRule]:
    """Every entry of the schedule, those of the file's own names last. Without a place to send files to, they are not sent."""
    given = {name: section.rule(name) for name, section in sections.items()}
    entries = {**schedule.SCHEDULE, **given}
    return {
        name: dataclasses.replace(rule, enabled=False) if rule.job == "sync" and not syncing else rule
        for name, rule in entries.items()
    }


class WebSettings(Section):
    """The pages of a running node."""

    enabled: bool = Field(True, strict=True, description="whether `fulltape run` serves them")
    host: str = Field(
        "127.0.0.1",
        description="address on which they are served; one that is not of this machine alone needs a `token`, and a proxy for TLS",
    )
    port: int = Field(8_470, ge=1, le=65_535, strict=True, description="its port")
    hosts: tuple[HostName, ...] = Field(
        (), description="names, without a port, by which they may be asked for beside localhost and `host`"
    )
    token: Secret | None = Field(
        None,
        description="what a browser, or a program as a bearer, must show; at least 32 characters: write ${VAR}",
    )
    base_path: Annotated[str, BeforeValidator(url_path)] = Field(
        "",
        description='the path under which a proxy serves them, such as "/market"',
    )


class NotifySettings(Section):
    """How a running node calls for a person."""

    webhook: WebAddress | None = Field(
        None,
        description='gets a POST with JSON (`node`, `key`, `state` "begun" or "over", `title`, `text`) once something needs a person, and once it is over',
    )
    apprise: tuple[WebAddress, ...] = Field(
        (), description="addresses of apprise, such as ntfy://… or mailto://…; needs the extra `notify`"
    )
    heartbeat_url: WebAddress | None = Field(
        None,
        description="is asked with GET while live capture is durable and the last export has succeeded: a service that misses it can call you, also when the machine is gone",
    )
    heartbeat_every: Duration = Field(as_written("5m"), ge=10, description="how often")
    quiet: Annotated[str, BeforeValidator(quiet_hours)] = Field(
        "",
        description='hours in which nothing is sent, such as "22:00-07:00"; what is still so is sent at their end',
    )
    zone: str = Field("UTC", description="time zone of `quiet`")


class SyncSettings(Section):
    """Where the node's files are kept a second time."""

    targets: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (),
        description="places: s3://bucket/prefix, user@host:/path, or a folder, such as that of a mounted share. With one, a running node sends what is new every ten minutes (`[schedule.sync]`)",
    )
    include: tuple[str, ...] = Field(
        (),
        description='what is sent: patterns of paths, such as "lake/curated/**"; none: everything. Settings and a copy of the ledger are always sent',
    )
    exclude: tuple[str, ...] = Field((), description='what of it is not sent, such as "lake/raw/**"')
    settings: bool = Field(
        True,
        strict=True,
        description="whether fulltape.toml is sent, with its universes; never with a secret in it",
    )
    bandwidth: Size | None = Field(
        None,
        ge=10_000,
        description="bytes a second at most, there and back; absent: as many as there is room for",
    )
    keep: Duration = Field(
        as_written("90d"),
        ge=0,
        description="how long a place keeps what the node has no more",
    )
    ledger: Duration = Field(
        as_written("1d"),
        ge=0,
        description="how old the copy of the ledger there may become; `fulltape sync` by hand always sends a new one",
    )
