"""`fulltape symbols` and `fulltape vendors check` against simulated vendors."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import cases
import polars as pl
import pytest
from test_cli import run
from test_every_dataset import node

import fulltape
from clocks import SkippingClock
from fulltape.clock import SystemClock
from fulltape.market.time import utc_date
from fulltape.node import nightly
from fulltape.simulator import run as twins_of
from fulltape.simulator import scenario
from nodes import opened

WISH = ("equities_bars_day", "AAPL", ["massive.sip"], "2012-12-03", "2012-12-07")
LISTINGS = """symbol,listed_from,listed_to,instrument,type,venue,spelling:kraken
AAPL,1980-12-12,,,CS,XNAS,
FB,2012-05-18,2022-06-08,FB,CS,XNAS,
META,2022-06-09,,FB,CS,XNAS,
SPY,1993-01-29,,,ETF,ARCX,
"""


def test_listings_come_from_a_file_and_from_a_vendor_and_are_shown(tmp_path: Path) -> None:
    with twins_of.running(cases.market(), scenario.Scenario()) as twins:
        folder = node(tmp_path / "node", twins, WISH)
        (folder / "listings.csv").write_text(LISTINGS)
        done = run("symbols", "import", "listings.csv", cwd=folder)
        assert (done.returncode, done.stdout) == (0, "4 rows added; the reference table has 4\n")
        assert run("symbols", "import", "listings.csv", cwd=folder).stdout.startswith("0 rows added")
        asked = run("symbols", "import", "--vendor", "massive", "IBM", "ZZZZ", cwd=folder)
        assert asked.returncode == 1
        assert "ZZZZ: ZZZZ: ticker not found" in asked.stdout
        shown = json.loads(run("symbols", "show", "IBM", "--json", cwd=folder).stdout)
        assert [(one["first"], one["facts"]["venue"], one["origin"]) for one in shown] == [("2000-03-01", "XNAS", "massive")]  # fmt: skip
        assert "0 rows added" in run("symbols", "refresh", "--vendor", "massive", cwd=folder).stdout
    told = run("symbols", "show", "META", "--on", "2024-01-02", cwd=folder).stdout.splitlines()
    assert [line.split()[:2] for line in told] == [["FB", "FB"], ["FB", "META"]]
    nobody = run("symbols", "show", "META", "--on", "2015-01-02", cwd=folder)
    assert nobody.returncode == 2
    assert "no instrument is known by the symbol META on 2015-01-02" in nobody.stderr


def test_a_file_that_contradicts_the_table_is_refused_whole(tmp_path: Path) -> None:
    with twins_of.running(cases.market(), scenario.Scenario()) as twins:
        folder = node(tmp_path / "node", twins, WISH)
    (folder / "listings.csv").write_text(LISTINGS)
    run("symbols", "import", "listings.csv", cwd=folder)
    (folder / "more.csv").write_text(
        "symbol,listed_from,instrument\nQQQ,1999-03-10,QQQ\nMETA,2023-01-03,OTHER\n"
    )
    done = run("symbols", "import", "more.csv", cwd=folder)
    assert done.returncode == 2
    assert "the symbol META has two instruments at a time" in done.stderr
    assert "4" in run("symbols", "import", "listings.csv", cwd=folder).stdout
    assert run("symbols", "show", "QQQ", cwd=folder).returncode == 2


def test_a_universe_by_query_is_who_the_table_has_and_its_membership_is_exported(tmp_path: Path) -> None:
    with twins_of.running(cases.market(), scenario.Scenario()) as twins:
        folder = node(tmp_path / "node", twins, WISH)
        text = (folder / "fulltape.toml").read_text()
        text = text.replace('file = "equities_bars_day.csv"', 'query = "type=CS venue=XNAS active=yes"')
        (folder / "fulltape.toml").write_text(text)
        empty = run("audit", cwd=folder)
        assert "equities_bars_day has no symbols: its universe is empty" in empty.stdout + empty.stderr
        (folder / "listings.csv").write_text(LISTINGS)
        run("symbols", "import", "listings.csv", cwd=folder)
        with opened(folder) as context:
            assert set(context.wanted["equities_bars_day"].instruments) == {"AAPL", "FB"}
            done = nightly.run(context, SkippingClock())
    assert done.audit.missing == 0
    rows = fulltape.open(folder).scan("equities_bars_day").collect()
    assert dict(rows.group_by("instrument", "symbol").len().select("instrument", "symbol").iter_rows()) == {"AAPL": "AAPL", "FB": "FB"}  # fmt: skip
    (bundle,) = (folder / "lake" / "exports" / "nightly").iterdir()
    members = pl.read_parquet(bundle / "universe_membership.parquet")
    assert sorted(members["instrument"]) == ["AAPL", "FB"]
    assert members["until"].null_count() == 2


def test_a_reference_spelling_comes_before_the_vendors_rule(tmp_path: Path) -> None:
    wish = ("crypto_bars_day", "BTC/USD", ["kraken.spot"], "2024-10-29", "2024-11-05")
    with twins_of.running(cases.market(), scenario.Scenario()) as twins:
        folder = node(tmp_path / "node", twins, wish)
        (folder / "listings.csv").write_text("symbol,spelling:kraken\nBTC/USD,XXBTZUSD\n")
        run("symbols", "import", "listings.csv", cwd=folder)
        with opened(folder) as context:
            nightly.run(context, SkippingClock())
        asked = {line.params.get("pair") for line in twins.servers["kraken"].log}
    assert asked == {"XXBTZUSD"}


@pytest.mark.parametrize("vendor", ["alpaca", "kraken", "fred", "deriv", "tiingo"])
def test_a_vendor_is_checked_with_the_smallest_requests(tmp_path: Path, vendor: str) -> None:
    with twins_of.running(cases.market(), scenario.Scenario(limits={"alpaca": 199})) as twins:
        folder = node(tmp_path / "node", twins, ("equities_bars_day", "IBM", ["alpaca.sip"], "2012-12-03", "2012-12-07"))  # fmt: skip
        if vendor != "alpaca":
            keys = {"fred": f'key = "{"0" * 32}"', "tiingo": 'key = "k"'}.get(vendor, "")
            url = twins.servers[vendor].url
            text = (folder / "fulltape.toml").read_text()
            (folder / "fulltape.toml").write_text(f'{text}\n[vendor.{vendor}]\n{keys}\nbase_url = "{url}"\n')
        done = run("vendors", "check", vendor, cwd=folder)
        # The simulated market has ended: of the newest days there are no bars, and an answer without rows is no success.
        nothing = "an answer, but nothing to read in it" in done.stdout
        assert nothing is (vendor != "fred")
        assert done.returncode == (1 if nothing else 0), done.stdout + done.stderr
        assert len(twins.servers[vendor].log) <= 12
    assert f"{vendor}." in done.stdout
    if vendor == "alpaca":
        assert "Your key is allowed 199 requests a minute" in done.stdout


def test_a_check_says_when_the_key_is_refused_or_the_vendor_is_not_there(tmp_path: Path) -> None:
    with twins_of.running(cases.market(), scenario.Scenario()) as twins:
        folder = node(tmp_path / "node", twins, WISH)
        text = (folder / "fulltape.toml").read_text()
        (folder / "fulltape.toml").write_text(f'{text}\n[vendor.fred]\nkey = "short"\nbase_url = "{twins.servers["fred"].url}"\n')  # fmt: skip
        refused = run("vendors", "check", "fred", cwd=folder)
        absent = run("vendors", "check", "kraken", cwd=folder)
    assert refused.returncode == 3
    assert "bad credentials" in refused.stdout
    assert absent.returncode == 2
    assert "there is no [vendor.kraken]" in absent.stderr


def test_a_first_day_that_has_not_come_is_said(tmp_path: Path) -> None:
    day = utc_date(SystemClock().now()) + dt.timedelta(days=7)
    with twins_of.running(cases.market(), scenario.Scenario()) as twins:
        dataset, symbol, sources, _, _ = WISH
        folder = node(tmp_path / "node", twins, (dataset, symbol, sources, f"{day}", f"{day}"))
        night = run("nightly", cwd=folder)
    sentence = f"{dataset} is wanted from {day} on, a day that has not come: nothing is fetched for it"
    assert f"note      {sentence}" in night.stdout
    assert sentence in run("status", cwd=folder).stdout.splitlines()


def test_a_dry_run_says_of_what_it_guesses(tmp_path: Path) -> None:
    with twins_of.running(cases.market(), scenario.Scenario()) as twins:
        folder = node(tmp_path / "node", twins, WISH)
        guess = "rows and disk of equities_bars_day are a guess: nothing of it is held yet"
        run("audit", cwd=folder)
        assert guess in run("backfill", "--dry-run", cwd=folder).stdout
        run("nightly", cwd=folder)
        toml = folder / "fulltape.toml"
        toml.write_text(toml.read_text().replace("from = 2012-12-03", "from = 2012-11-26"))
        run("audit", cwd=folder)
        later = run("backfill", "--dry-run", cwd=folder).stdout
    assert "done in about" in later
    assert "guess" not in later


def test_what_a_vendor_told_before_an_error_is_kept(tmp_path: Path) -> None:
    with twins_of.running(cases.market(), scenario.Scenario()) as twins:
        folder = node(tmp_path / "node", twins, WISH)
        toml = folder / "fulltape.toml"
        toml.write_text(
            toml.read_text().replace("[vendor.massive]\n", "[vendor.massive]\nrequests_per_day = 2\n")
        )
        asked = run("symbols", "import", "--vendor", "massive", "IBM", "AAPL", "MSFT", cwd=folder)
    assert "massive has no room for another request now" in asked.stderr
    assert asked.returncode == 3
    assert "IBM" in run("symbols", "show", "IBM", cwd=folder).stdout
