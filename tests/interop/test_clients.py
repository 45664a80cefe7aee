"""Other people's clients cannot tell the simulated vendors from the real ones: they parse exactly what is served."""

from __future__ import annotations

from pathlib import Path

import proof
import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "vendors.md"
EVERY = pytest.mark.parametrize("client", proof.CLIENTS)
REFUSALS = {
    "alpaca_py": {"malformed symbol": "APIError 400"},
    "binance_spot": {"unknown symbol": "BadRequestError: (-1121, 'Invalid symbol.')"},
    "ccxt_exchanges": {"binance: unknown symbol": "BadSymbol", "kraken: unknown symbol": "BadSymbol"},
    "deriv_sdk": {"unknown symbol": "InvalidSymbol"},
    "fred_api": {"unknown series": "ValueError: Bad Request.  The series does not exist.", "first release": "28000.0"},
    "kraken_sdk": {"unknown pair": "KrakenUnknownAssetError"},
    "massive_sdk": {"unknown ticker": "0 rows", "grouped": "AAPL=586.19,FB=27.04,GOOG=695.25,IBM=189.48,MSFT=26.4294"},
    "tiingo_client": {"unknown ticker": "RestClientError"},
    "y_finance": {},
}  # fmt: skip


@EVERY
def test_a_client_parses_what_the_market_has(client: str) -> None:
    if not proof.python(client).exists():
        pytest.skip("the clients' environments are not there: run `make .interop/.clients .interop/.deriv`")
    told = proof.ask(client)
    assert told.rows
    for (source, dataset), parsed in told.rows.items():
        assert parsed, (source, dataset)
        wanted = proof.between(proof.truth(source, dataset, {row[0] for row in parsed}), parsed)
        assert set(parsed) == wanted, (source, dataset)
        assert len(parsed) == len(wanted)
    for what, words in REFUSALS[client].items():
        assert told.refused[what] == words
    listed = DOCUMENT.read_text()
    listed = listed[listed.index(proof.BEGIN) : listed.index(proof.END)]
    for line in listed.splitlines()[3:]:
        _, source, dataset, by, _ = (cell.strip().strip("`") for cell in line.split("|"))
        said = f"{told.client} {told.version}" in by.split(", ")
        assert said == ((source, dataset) in told.rows), f"make reference: {line}"
