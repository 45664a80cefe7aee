"""Steps of a vendor's conversation, held to the contract in `core/vendor.py`."""

from __future__ import annotations

from typing import NoReturn

from fulltape.core.vendor import Answer, Conversation, Request


def following(conversation: Conversation) -> Request | None:
    """The next request, None at the end."""
    try:
        step = next(conversation)
    except StopIteration:
        return None
    if not isinstance(step, Request):
        _broken("yielded an answer where a request was due")
    return step


def goes_on(conversation: Conversation, request: Request) -> bool:
    """Continued after a retryable answer a conversation yields the same request again; False if it has died."""
    again = following(conversation)
    if again is not None and again != request:
        _broken("did not repeat its request after a retryable answer")
    return again is not None


def answer(step: Request | Answer) -> Answer:
    """What a response meant."""
    if not isinstance(step, Answer):
        _broken("yielded a request where an answer was due")
    return step


def _broken(what: str) -> NoReturn:
    raise TypeError(f"a vendor's conversation {what}; see core/vendor.py")
