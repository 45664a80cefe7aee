"""What all HTTP vendors' conversations share: retryable statuses, and error texts cut to a line."""

from __future__ import annotations

import re

from fulltape.core.vendor import Answer, Outcome, Response

_LONGEST_REASON = 200


def reason(text: str, status: int) -> str:
    """A vendor's error text as one short line."""
    line = re.sub(r"\s+", " ", text).strip()[:_LONGEST_REASON]
    return f"HTTP {status}: {line}" if line else f"HTTP {status}"


def server_trouble(response: Response, text: str) -> Answer | None:
    """TRANSIENT for server errors, None for everything else."""
    if response.status >= 500 or response.status in (408, 425):
        return Answer(outcome=Outcome.TRANSIENT, reason=reason(text, response.status))
    return None


def malformed(what: str) -> Answer:
    """The answer to a success whose body does not have the documented shape: keep the bytes, ask again."""
    return Answer(outcome=Outcome.MALFORMED, keep=True, reason=what)
