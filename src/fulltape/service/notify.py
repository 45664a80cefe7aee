"""`python -m fulltape.service.notify`: sends messages, or a sign of life, on behalf of the supervisor, which waits for no server."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from functools import partial

import msgspec

from fulltape import errors
from fulltape.service.conditions import Message, NotifyOrder
from fulltape.transport import notices


def sent(order: NotifyOrder) -> tuple[bool, list[str]]:
    """Send everything: whether each message has reached at least one address, and what did not come through, in words."""
    failures: list[str] = []
    addresses = bool(order.config.webhook) + len(order.config.apprise)
    reached = True
    for message in order.messages:
        before = len(failures)
        if order.config.webhook:
            failures += _tried("the webhook", partial(notices.post, order.config.webhook, message.fields))
        for address in order.config.apprise:
            scheme = address.partition("://")[0]
            failures += _tried(f"{scheme}://…", partial(_apprise, address, message))
        reached = reached and len(failures) - before < addresses
    if order.heartbeat and order.config.heartbeat_url:
        failures += _tried("heartbeat_url", partial(notices.ping, order.config.heartbeat_url))
    return reached, failures


def _tried(where: str, send: Callable[[], None]) -> list[str]:
    try:
        send()
    except errors.TransportError as error:
        return [f"{where}: {error.message}"]
    return []


def _apprise(address: str, message: Message) -> None:
    if importlib.util.find_spec("apprise") is None:
        raise errors.TransportError("apprise is not installed (the extra `notify`)")
    import apprise

    caller = apprise.Apprise()
    if not caller.add(address):
        raise errors.TransportError("apprise does not know this kind of address")
    if not caller.notify(title=message.title, body=message.text):
        raise errors.TransportError("it was not taken")


def main() -> None:
    """Read an order, send it, print what did not come through, a line each; status 1 where a message reached no address."""
    reached, failures = sent(msgspec.json.decode(sys.stdin.buffer.readline(), type=NotifyOrder))
    for words in failures:
        sys.stdout.write(f"{words}\n")
    sys.exit(not reached)


if __name__ == "__main__":
    main()
