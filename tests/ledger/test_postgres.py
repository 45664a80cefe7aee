"""PostgreSQL alone: addresses that are wrong, and what must never be repeated of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fulltape import errors
from fulltape.ledger.postgres import Postgres
from test_settings import GOOD, check

PASSWORD = "CANARY-PASSWORD"


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://u:{PASSWORD}@127.0.0.1:9/db",
        f"postgresql://u:{PASSWORD}%zz@127.0.0.1/db",
        f"postgresql//u:{PASSWORD}@127.0.0.1/db",
        f"postgresql://u:{PASSWORD} x@127.0.0.1/db",
    ],
)
def test_no_error_repeats_the_password(address: str) -> None:
    with pytest.raises(errors.StorageError, match="cannot be opened") as caught:
        Postgres(address)
    assert PASSWORD not in str(caught.value)


def test_an_address_that_is_none_is_refused_with_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigError) as caught:
        check(tmp_path, f'{GOOD}\n[cluster]\nledger = "mysql://u:{PASSWORD}@h/db"\n')
    assert "cluster.ledger is wrong: an address looks like postgresql://" in str(caught.value)
    assert "fulltape.toml:14" in str(caught.value)
    assert PASSWORD not in str(caught.value)
