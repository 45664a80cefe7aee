"""What needs a person, and when a person is told: once when it begins, once when it is over, never in quiet hours. Pure."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from typing import Literal

import msgspec

from fulltape.lake.capture_state import CaptureState
from fulltape.lake.disk import Room
from fulltape.market.time import MINUTE, Instant, to_datetime
from fulltape.service.config import NotifyConfig
from fulltape.service.memory import OutSource, SentCondition

SILENT = 60 * MINUTE
"""A source that has given no answer for so long needs a person."""
CRASHES = 3
"""So many times in a row something fails before a person is needed."""


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """Something that needs a person: what it is, and what to do."""

    title: str
    text: str


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What a person is told; `key` is the same when it begins and when it is over."""

    node: str
    key: str
    state: Literal["begun", "over", "test"]
    title: str
    text: str

    @property
    def fields(self) -> dict[str, object]:
        """For a webhook."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


class NotifyOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What to send: messages, and whether to give the sign of life."""

    config: NotifyConfig
    messages: tuple[Message, ...] = ()
    heartbeat: bool = False


def of_sources(out: Mapping[str, OutSource], now: Instant) -> dict[str, Condition]:
    """Sources that refused our credentials, and such as have given no answer for long."""
    silent = {
        f"no answer {source}": Condition(
            title=f"{source} gives no answer",
            text=f"{state.reason}, for {(now - state.since) // MINUTE:,} minutes. Is the network all right, and base_url? It is asked "
            "again every quarter of an hour.",
        )
        for source, state in out.items()
        if not state.stopped and state.since and now - state.since >= SILENT
    }
    return silent | {
        f"credentials {source}": Condition(
            title=f"{source} refuses the credentials",
            text=f"{state.reason}. Mend what [vendor.{source.partition('.')[0]}] says in fulltape.toml, then "
            "`fulltape reload`. Until then other sources are asked, and this one again in a few hours.",
        )
        for source, state in out.items()
        if state.stopped
    }


def of_disk(room: Room) -> dict[str, Condition]:
    """A disk that has little room."""
    if room.tier == "enough":
        return {}
    advice = "Delete other files, keep fewer bundles (retention.bundles), use a larger disk, or lower node.min_free."
    return {"disk": Condition(title="The disk is nearly full", text=f"{room.sentence}. {advice}")}


def of_capture(state: CaptureState | None, crashes: int) -> dict[str, Condition]:
    """Live capture that does not stay up, a stream that was refused for good, a disk that does not take what was received."""
    conditions = {}
    if crashes >= CRASHES:
        conditions["capture"] = Condition(
            title="Live capture does not stay up",
            text=f"Its process has ended {crashes} times in a row; it is started again. Its last words are in the log.",
        )
    for source in state.sources if state and state.running else ():
        if source.trouble:
            title = f"{source.source}: what is received cannot be written"
            conditions[f"journal {source.source}"] = Condition(title=title, text=f"{source.trouble}.")
        if "barred" in source.state:
            conditions[f"stream {source.source}"] = Condition(
                title=f"{source.source} refuses the live stream",
                text=f"{source.reason}. Mend what [vendor.{source.source.partition('.')[0]}] says in fulltape.toml, then "
                "`fulltape reload`.",
            )
    return conditions


def of_web(failures: int, address: str) -> dict[str, Condition]:
    """Pages that cannot be served."""
    if failures < CRASHES:
        return {}
    text = f"Their process has ended {failures} times in a row; why is in the log. Can {address} be used on this machine, or is it "
    text += "taken by another program ([web] host, port)?"
    return {"web": Condition(title="The pages cannot be served", text=text)}


def of_entry(name: str, failures: int, error: str, hint: str) -> dict[str, Condition]:
    """A job that fails again and again."""
    if failures < CRASHES:
        return {}
    text = f"It has failed {failures} times in a row: {error} {hint}".strip()
    return {f"job {name}": Condition(title=f"{name} fails", text=text)}


def messages(
    node: str, now: Mapping[str, Condition], sent: Mapping[str, SentCondition]
) -> tuple[Message, ...]:
    """What a person has not been told yet."""
    begun = [
        Message(node=node, key=key, state="begun", title=condition.title, text=condition.text)
        for key, condition in now.items()
        if key not in sent
    ]
    over = [
        Message(
            node=node,
            key=key,
            state="over",
            title=f"Over: {before.title}",
            text="No action is needed any more.",
        )
        for key, before in sent.items()
        if key not in now
    ]
    return (*begun, *over)


def is_quiet(hours: str, zone: str, now: Instant) -> bool:
    """Whether a moment lies in quiet hours, "HH:MM-HH:MM" in a zone: the begin is inside, the end is not."""
    if not hours:
        return False
    begin, end = (dt.time.fromisoformat(text) for text in hours.split("-"))
    at = to_datetime(now).astimezone(zoneinfo.ZoneInfo(zone)).time().replace(tzinfo=None)
    return begin <= at < end if begin <= end else at >= begin or at < end
