"""Calls for a person, and gives signs of life, by a child that may wait for a server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fulltape.service import conditions
from fulltape.service.calls import ChildCall
from fulltape.service.conditions import Condition, Message, NotifyOrder
from fulltape.service.config import NotifyConfig
from fulltape.service.control import ControlReply, Respond
from fulltape.service.memory import Memory, SentCondition
from fulltape.service.plan import Moment
from fulltape.service.sentences import Say

_PATIENCE = 60.0
"""Seconds that sending may take."""
_AGAIN = 300.0
"""Seconds after which messages that did not come through are sent again."""
_MODULE = "fulltape.service.notify"


class Caller:
    """Sends what a person has not been told yet, one child at a time."""

    def __init__(self, folder: Path, memory: Memory, say: Say, kept: Callable[[], None]) -> None:
        self._node, self._memory, self._say, self._kept = folder.resolve().name, memory, say, kept
        self._call: ChildCall | None = None
        self._sending: tuple[Message, ...] = ()
        self._not_before = float("-inf")
        self._call_by = float("inf")
        self._told = ""
        self._beat_at = float("-inf")
        self._respond: Respond | None = None

    @property
    def fds(self) -> list[int]:
        """What to wait for."""
        return [self._call.fd] if self._call else []

    def look(self, config: NotifyConfig, now: dict[str, Condition], at: Moment, *, well: bool) -> None:
        """Send what is to be sent. `well`: live capture is durable and the last export has succeeded."""
        if self._call is not None and at.steady >= self._call_by:
            # A server that takes its time must not be the end of all messages.
            self._call.kill()
            self._call, self._not_before = None, at.steady + _AGAIN
            if self._respond is not None:
                self._respond(ControlReply(ok=False, message="no answer in time"))
                self._respond = None
        able = bool(config.webhook or config.apprise)
        new = conditions.messages(self._node, now, self._memory.sent)
        if not able:
            self._note(new, at)
            new = ()
        elif conditions.is_quiet(config.quiet, config.zone, at.wall) or at.steady < self._not_before:
            new = ()
        beat = well and bool(config.heartbeat_url) and at.steady - self._beat_at >= config.heartbeat_every
        if self._call is None and (new or beat):
            if beat:
                self._beat_at = at.steady
            self._sending = new
            self._call_by = at.steady + _PATIENCE
            self._call = ChildCall(_MODULE, NotifyOrder(config=config, messages=new, heartbeat=beat))

    def renew(self, before: NotifyConfig, now: NotifyConfig) -> None:
        """The settings have changed: who is called for the first time is told everything that needs them."""
        if (before.webhook, before.apprise) != (now.webhook, now.apprise):
            self._memory.sent.clear()
            self._kept()

    def test(self, config: NotifyConfig, respond: Respond, at: Moment) -> None:
        """Send a message now, and answer whether it has come through."""
        if not (config.webhook or config.apprise):
            hint = "Add a webhook to fulltape.toml, then `fulltape reload`."
            respond(ControlReply(ok=False, message="[notify] names neither webhook nor apprise.", hint=hint))
            return
        if self._call is not None:
            respond(ControlReply(ok=False, message="another message is on its way; try again."))
            return
        self._respond = respond
        message = Message(
            node=self._node,
            key="test",
            state="test",
            title="A test of fulltape",
            text="No action is needed.",
        )
        self._sending = ()
        self._call_by = at.steady + _PATIENCE
        self._call = ChildCall(_MODULE, NotifyOrder(config=config, messages=(message,), heartbeat=True))

    def came(self, at: Moment) -> None:
        """The child has spoken or ended."""
        if self._call is None or not self._call.came():
            return
        status, said = self._call.result()
        self._call = None
        words = "; ".join(said.decode(errors="replace").splitlines()) or (
            f"status {status}" if status else ""
        )
        if self._respond is not None:
            self._respond(ControlReply(ok=not words, message=words or "delivered"))
            self._respond = None
            return
        if words and words != self._told:
            self._say(f"notifications: {words}", kind="notifications")
        self._told = words
        if status:
            self._not_before = at.steady + _AGAIN
        else:
            self._note(self._sending, at)

    def close(self) -> None:
        """Send no more."""
        if self._call is not None:
            self._call.kill()

    def _note(self, new: tuple[Message, ...], at: Moment) -> None:
        for message in new:
            if message.state == "begun":
                self._say(f"needs you: {message.title}. {message.text}")
                sent = SentCondition(title=message.title, text=message.text, since=at.wall)
                self._memory.sent[message.key] = sent
            else:
                self._say(message.title)
                self._memory.sent.pop(message.key, None)
        if new:
            self._kept()
