"""No spelling of a secret stays, and in data nothing moves."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulltape.contract.redaction import Redaction

SECRETS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x1F600, exclude_categories=["Cs"]), min_size=8
)
ECHOES: list[Callable[[str], str]] = [
    str,
    lambda secret: json.dumps(secret)[1:-1],
    lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    lambda secret: json.dumps(secret)[1:-1].replace("/", "\\/"),
    html.escape,
    quote,
    lambda secret: quote(secret, safe=""),
    quote_plus,
    lambda secret: "".join(f"%{byte:02x}" for byte in secret.encode()),
    lambda secret: repr(secret)[1:-1],
]


@pytest.mark.parametrize("echo", ECHOES)
@given(secret=SECRETS)
def test_no_spelling_of_a_secret_stays(echo: Callable[[str], str], secret: str) -> None:
    echoed = echo(secret).encode()
    content = b'{"message": "bad key ' + echoed + b'", "price": 1.5}'
    redaction = Redaction([secret])
    assert echoed not in redaction(content)
    masked = redaction.masked(content)
    assert echoed not in masked
    assert len(masked) == len(content)


def test_data_is_not_searched_for_what_may_be_a_number() -> None:
    content = b'{"price": 1234.5, "size": 99991234}'
    assert Redaction(["1234"]).masked(content) == content
    assert Redaction(["", "abc"])(content) == content
