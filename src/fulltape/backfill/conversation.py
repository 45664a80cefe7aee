"""Steps of a vendor's conversation, held to the contract in `contract/vendor.py`."""

from __future__ import annotations

from typing import NoReturn

from fulltape import errors
from fulltape.contract.vendor import Conversation, Outcome, PageResult, Request


class AgainError(errors.FulltapeError):
    """A try that failed and may be repeated."""

    def __init__(self, answer: PageResult) -> None:
        super().__init__(answer.reason)
        self.answer = answer


class BrokenError(AgainError):
    """The conversation died of a response; it cannot be continued."""


def most_pages(*, rows: int, rows_per_page: int, symbols: int, counted: bool) -> int:
    """How many pages an answer may have: far more than are expected, and not without end. Where rows are `counted` by the
    calendar twenty times as many; where they are guessed, as of trades, a thousand times."""
    expected = -(-rows // max(1, rows_per_page)) + symbols
    return 100 + (20 if counted else 1_000) * expected


def following(conversation: Conversation) -> Request | None:
    """The next request, None at the end."""
    try:
        step = next(conversation)
    except StopIteration:
        return None
    if not isinstance(step, Request):
        _broken("yielded an answer where a request was due")
    return step


def _goes_on(conversation: Conversation, request: Request) -> bool:
    """Continued after a retryable answer a conversation yields the same request again; False if it has died."""
    again = following(conversation)
    if again is not None and again != request:
        _broken("did not repeat its request after a retryable answer")
    return again is not None


def answer(step: Request | PageResult) -> PageResult:
    """What a response meant."""
    if not isinstance(step, PageResult):
        _broken("yielded a request where an answer was due")
    return step


def go_on(conversation: Conversation, request: Request, answer: PageResult) -> None:
    """Take the conversation to the same request again; one that has died, or breaks its contract, ends its fetch."""
    try:
        alive = _goes_on(conversation, request)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise BrokenError(PageResult(outcome=Outcome.MALFORMED, reason=reason)) from error
    if not alive:
        raise BrokenError(answer)


def may_repeat(error: Exception) -> bool:
    """Whether a try that failed may be repeated."""
    return isinstance(error, AgainError) and not isinstance(error, BrokenError)


def _broken(what: str) -> NoReturn:
    raise TypeError(f"a vendor's conversation {what}; see contract/vendor.py")


def fingerprint(request: Request) -> str:
    """What makes two requests the same one to a vendor that counts those."""
    params = {**request.params, **request.message}
    query = "&".join(f"{name}={value}" for name, value in sorted(params.items()))
    return f"{request.method} {request.host} {request.path}?{query}"
