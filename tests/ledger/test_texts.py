"""What vendors say is kept, whatever characters it has, by both engines alike."""

from __future__ import annotations

import uuid

from hypothesis import example, given, settings
from hypothesis import strategies as st

from conftest import Opener
from fulltape.ledger.eligibility import Eligible
from fulltape.ledger.ledger import Rejection

_ANY = st.text(st.characters(exclude_categories=()), max_size=60)


@settings(max_examples=60)
@example("429\0 Too many requests")
@example("\ud800 half of a pair")
@example("\U0010ffff 币安人生 \x7f \u2028")
@given(_ANY)
def test_any_error_text_is_kept(open_ledger: Opener, text: str) -> None:
    ledger = open_ledger("texts")
    kept = text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    symbol = uuid.uuid4().hex
    with ledger.write():
        ledger.reject(
            Rejection(fetch_id=symbol, page=1, source="a", reason=text, rows=1, path=f"rejected/{text}"),
            now=1,
        )
        ledger.eligibility.record(
            Eligible(
                source="a", dataset="d", symbol=symbol, state="cooling down", until=9, reason=text, since=0
            )
        )
    assert kept in {row["reason"] for row in ledger.rejections()}
    (known,) = [one for one in ledger.eligibility.all() if one.symbol == symbol]
    assert known.reason == kept
    ledger.close()
