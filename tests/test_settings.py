"""A wrong configuration ends with one clear sentence that names key, file and line, before anything starts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fulltape import errors
from fulltape.cli import app
from fulltape.node import assemble, rules
from fulltape.settings import load
from fulltape.settings.rules import Rules

GOOD = """\
[universe.mine]
symbols = ["AAPL", "IBM"]

[dataset.equities_bars_day]
universe = "mine"
sources = ["alpaca.sip"]
from = 2016-01-04

[vendor.alpaca]
key = "${TEST_KEY:-k-e-y}"
secret = "s-e-c-r-e-t"
"""


def check(tmp_path: Path, text: str) -> None:
    (tmp_path / "fulltape.toml").write_text(text)
    assemble.check(load.load(tmp_path))


def test_a_good_file_is_good(tmp_path: Path) -> None:
    check(tmp_path, GOOD)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('universe = "mine"', 'univers = "mine"', 5, "there is no setting dataset.equities_bars_day.univers. Did you mean universe?"),
        ("[universe.mine]", "[universe.mine]\nfile = 3", 2, "universe.mine.file = 3 is wrong"),
        ("[vendor.alpaca]", "[vendr.alpaca]", 9, "there is no setting vendr. Did you mean vendor?"),
        ("from = 2016-01-04", 'from = "tomorrow"', 7, 'dataset.equities_bars_day.from = "tomorrow" is wrong: a date is written YYYY-MM-DD'),
        ('["alpaca.sip"]', '"alpaca.sip"', 6, 'sources = "alpaca.sip" is wrong: a list is written in brackets'),
        ("from = 2016-01-04", "from = 20160104", 7, "a date is written YYYY-MM-DD"),
        ("from = 2016-01-04", "from = 2016-01-04\nuntil = 2015-01-02", 8, "lies before"),
        ("from = 2016-01-04", 'from = 2016-01-04\nrecheck = ["5m"]', 8, "recheck"),
        ("[universe.mine]", "[export]\npurge = 3\n[universe.mine]", 2, "about export.splits, and there are none"),
        ("[universe.mine]", "[export]\nsplits = { a = 2016-02-01, b = 2016-01-04 }\n[universe.mine]", 2, "b begins on 2016-01-04, not after a"),
        ("from = 2016-01-04", 'from = 2016-01-04\nrecheck = "1d"', 8, "a list is written in brackets"),
        ("from = 2016-01-04", "from = 1980-01-02", 7, "lies outside the calendar XNYS"),
        ("from = 2016-01-04", "", 4, "dataset.equities_bars_day.from is missing"),
        ('["alpaca.sip"]', '["alpaca.spi"]', 6, "Alpaca has no source alpaca.spi; it has alpaca.sip, alpaca.iex, alpaca.opra, alpaca.crypto. Did you mean alpaca.sip?"),
        ('["alpaca.sip"]', '["massive.sip"]', 6, "no vendor massive is configured"),
        ('["alpaca.sip"]', "[]", 6, "sources is empty; name some, such as alpaca.sip, alpaca.iex"),
        ("equities_bars_day", "equities_bars_dya", 4, "there is no dataset 'equities_bars_dya'. Did you mean equities_bars_day?"),
        ('universe = "mine"', 'universe = "mime"', 5, "there is no [universe.mime]. Did you mean mine?"),
        ('secret = "s-e-c-r-e-t"', "", 9, "vendor.alpaca.secret is missing"),
        ('secret = "s-e-c-r-e-t"', 'secret = ""', 11, "vendor.alpaca.secret is missing"),
        ("${TEST_KEY:-k-e-y}", "${TEST_KEY_NOT_SET}", 10, "needs the environment variable TEST_KEY_NOT_SET, which is not set"),
        ("s-e-c-r-e-t", 's-e-c-r-e-t"\nplan = "golden', 12, 'vendor.alpaca.plan = "golden" is no plan of Alpaca: basic, plus.'),
        ("s-e-c-r-e-t", 's-e-c-r-e-t"\ntimeout = "soon', 12, 'a duration looks like "250ms"'),
        ("s-e-c-r-e-t", 's-e-c-r-e-t"\nbase_url = "not an address', 12, "an address looks like"),
        ("[vendor.alpaca]", "[vendor.alpacca]", 9, "there is no vendor 'alpacca'. Did you mean alpaca?"),
        ('symbols = ["AAPL", "IBM"]', 'symbols = ["A PL"]', 2, "'A PL' is no symbol"),
        ('symbols = ["AAPL", "IBM"]', 'file = "nobody.csv"', 2, "nobody.csv cannot be read: No such file"),
        ("[universe.mine]", "[universe.mine", 0, "is not TOML"),
        ("[universe.mine]", '[node]\nworker = "Pi 4"\n[universe.mine]', 2, 'node.worker = "Pi 4" is wrong: a name has small letters'),
        ("[universe.mine]", '[node]\nworker = "../x"\n[universe.mine]', 2, 'node.worker = "../x" is wrong'),
    ],
)  # fmt: skip
def test_a_mistake_names_key_file_and_line(tmp_path: Path, old: str, new: str, line: int, words: str) -> None:
    assert old in GOOD
    with pytest.raises(errors.ConfigError) as caught:
        check(tmp_path, GOOD.replace(old, new, 1))
    message = str(caught.value)
    assert words in message
    place = f"{tmp_path / 'fulltape.toml'}:{line}" if line else f"{tmp_path / 'fulltape.toml'}"
    assert place in message
    assert "s-e-c-r-e-t" not in message


def test_everything_that_cannot_be_is_told_at_once(tmp_path: Path) -> None:
    text = (
        GOOD.replace('["AAPL", "IBM"]', '["AAPL", "BRK-B", "ibm", "AAPL"]') + "[vendor.polygon]\nkey = 'x'\n"
    )
    text += '[dataset.crypto_bars_day]\nuniverse = "other"\nfrom = 2016-01-04\n'
    with pytest.raises(errors.ConfigError) as caught:
        check(tmp_path, text)
    told = str(caught.value).splitlines()
    assert len(told) == 4
    for words in (
        "there is no vendor 'polygon'. It is called massive now",
        "'ibm' is no ticker",
        "dataset.crypto_bars_day.sources is empty; name some, such as alpaca.crypto",
        "universe.mine.symbols names AAPL more than once",
    ):
        assert any(words in line for line in told), words
    with pytest.raises(errors.ConfigError, match=r"where BRK-B is written BRK\.B\."):
        check(tmp_path, GOOD.replace('"IBM"', '"BRK-B"'))


@pytest.mark.parametrize(
    "wrong",
    ['[vendor]\nalpaca = "s-e-c-r-e-t"\n', '[[vendor.alpaca]]\nkey = "s-e-c-r-e-t"\n', '[vendor.alpaca]\nkey = "s-e-c-r-e-t\\nx"\n', '[vendor.alpaca]\nkey = "s-e-c-r-e-t é"\n', '[vendor.alpaca]\nkey = ["s-e-c-r-e-t"]\n', '[vendor.alpaca]\nsecrte = "s-e-c-r-e-t"\n'],
)  # fmt: skip
def test_no_mistake_shows_a_secret(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(errors.ConfigError) as caught:
        check(tmp_path, GOOD.split("[vendor.alpaca]", maxsplit=1)[0] + wrong)
    assert "s-e-c-r-e-t" not in str(caught.value)
    assert "fulltape.toml:" in str(caught.value)


def test_secrets_come_from_files_too_and_are_masked_when_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key.txt").write_text("from-a-file\n")
    monkeypatch.setenv("TEST_SECRET", "from-the-environment")
    text = GOOD.replace('key = "${TEST_KEY:-k-e-y}"', 'key_file = "key.txt"').replace(
        "s-e-c-r-e-t", "${TEST_SECRET}"
    )
    check(tmp_path, text)
    loaded = load.load(tmp_path)
    key, secret = loaded.values.vendor["alpaca"].key, loaded.values.vendor["alpaca"].secret
    assert key
    assert key.get_secret_value() == "from-a-file"
    assert secret
    assert secret.get_secret_value() == "from-the-environment"
    shown = CliRunner().invoke(app, ["config", "show", "--node", str(tmp_path)])
    assert shown.exit_code == 0
    assert "from-a-file" not in shown.output
    assert "from-the-environment" not in shown.output
    assert "(fulltape.toml:11, environment TEST_SECRET)" in shown.output
    assert "backfill.max_wait" in shown.output
    assert "(default)" in shown.output


def test_a_folder_without_a_node_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(errors.NodeNotFoundError, match="fulltape init"):
        load.find(tmp_path)


def test_a_day_that_does_not_exist_says_how_days_are_written(tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigError, match="is not TOML") as told:
        check(tmp_path, GOOD.replace("2016-01-04", "2016-02-30"))
    assert told.value.hint == "A date is written YYYY-MM-DD, and must exist."


def test_defaults_stand_once(tmp_path: Path) -> None:
    """What the stages decide by without a settings file is what an empty section says."""
    (tmp_path / "fulltape.toml").write_text(GOOD)
    found = rules.rules(load.load(tmp_path))
    assert dataclasses.replace(found, shares={}) == Rules()


def test_a_setting_that_was_renamed_is_still_read(tmp_path: Path) -> None:
    for name in ("workers", "lanes"):
        (tmp_path / "fulltape.toml").write_text(f"{GOOD}\n[backfill]\n{name} = 3\n")
        assert load.load(tmp_path).values.backfill.workers == 3
