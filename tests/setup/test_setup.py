"""A new node out of a few answers: it is valid, its secrets are its owner's, and what does not go together is refused."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulltape import errors, vendors
from fulltape.contract.vendor import Vendor
from fulltape.market import datasets
from fulltape.node import assemble
from fulltape.settings import load
from fulltape.setup import plan, run
from fulltape.setup.plan import Answers, VendorChoice
from nodes import CANARY

BINANCE = Answers(
    vendors=(VendorChoice(name="binance"),),
    datasets=("crypto_bars_minute",),
    symbols=("BTC/USDT",),
    first=dt.date(2026, 1, 1),
)
ALPACA = VendorChoice(name="alpaca", secrets={"key": CANARY, "secret": f"{CANARY}2"})
LISTED = {name: vendors.load(name) for name in vendors.names() if vendors.load(name).SPEC.sources}


def having(**more: object) -> Answers:
    return dataclasses.replace(BINANCE, **more)  # type: ignore[arg-type]


def test_a_node_of_a_vendor_without_keys_is_ready(tmp_path: Path) -> None:
    written = run.create(tmp_path / "node", having(live=True, export="0 6 * * 1-5", zone="Europe/Berlin"))
    assert [path.name for path in written] == ["fulltape.toml"]
    values = load.load(tmp_path / "node").values
    assert list(values.dataset["crypto_bars_minute"].live) == ["binance.spot"]
    assert values.schedule["export"].cron == "0 6 * * 1-5"
    with pytest.raises(errors.UsageError, match="is a node already"):
        run.create(tmp_path / "node", BINANCE)


def test_secrets_are_files_of_their_owner_and_stand_nowhere_else(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    run.create(folder, having(vendors=(ALPACA,), datasets=("equities_bars_day",), symbols=("AAPL",)))
    alpaca = load.load(folder).values.vendor["alpaca"]
    assert alpaca.key is not None
    assert alpaca.key.get_secret_value() == CANARY
    assert CANARY not in (folder / "fulltape.toml").read_text()
    for name in ("alpaca_key", "alpaca_secret"):
        assert stat.S_IMODE((folder / "keys" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "keys").stat().st_mode) == 0o700


def test_keys_may_come_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALPACA_KEY", raising=False)
    chosen = (VendorChoice(name="alpaca"),)
    run.create(tmp_path / "node", having(vendors=chosen, datasets=("equities_bars_day",), symbols=("AAPL",)))
    with pytest.raises(errors.ConfigError, match="ALPACA_KEY"):
        load.load(tmp_path / "node")
    monkeypatch.setenv("ALPACA_KEY", "k")
    monkeypatch.setenv("ALPACA_SECRET", "s")
    assemble.check(load.load(tmp_path / "node"))


def test_several_classes_of_assets_have_a_universe_each(tmp_path: Path) -> None:
    many = tuple(f"T{number}" for number in range(60))
    run.create(
        tmp_path / "node",
        having(
            vendors=(VendorChoice(name="binance"), ALPACA),
            datasets=("crypto_bars_day", "equities_bars_day"),
            symbols=("BTC/USDT", *many),
        ),
    )
    values = load.load(tmp_path / "node").values
    assert list(values.dataset["crypto_bars_day"].sources) == ["binance.spot", "alpaca.crypto"]
    assert list(values.universe["crypto"].symbols) == ["BTC/USDT"]
    assert values.universe["equities"].file == "equities.csv"
    assert len((tmp_path / "node" / "equities.csv").read_text().splitlines()) == 61


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"symbols": ("AAPL",)}, "'AAPL' is no pair"),
        ({"symbols": ("../../etc/passwd",)}, "no pair"),
        ({"symbols": ('B"TC/USDT',)}, "B"),
        ({"datasets": ("equities_bars_day",), "symbols": ("AAPL",)}, "none of binance serves"),
        ({"datasets": ("nope",)}, "nope"),
        ({"vendors": (VendorChoice(name="nope"),)}, "there is no vendor 'nope'"),
        ({"vendors": (VendorChoice(name="ccxt"),)}, "say which one"),
        ({"vendors": (VendorChoice(name="binance.nope"),)}, "has no source"),
        ({"vendors": (VendorChoice(name="binance", plan="gold"),)}, "gold"),
        ({"export": "every night"}, "no cron expression"),
        ({"export": "0 6 * * *", "zone": "Mars"}, "no time zone"),
        ({"datasets": ("crypto_bars_day", "equities_bars_day"), "vendors": (VendorChoice(name="binance"), ALPACA)}, "no symbol is one of equities"),
        ({"webhook": "nowhere"}, "webhook"),
        ({"first": dt.date(2999, 1, 1)}, "2999"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused_and_nothing_is_left(
    tmp_path: Path, more: dict[str, object], words: str
) -> None:
    with pytest.raises(errors.FulltapeError, match=words):
        run.create(tmp_path / "node", having(**more))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_lies_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "crypto.csv").write_text("mine")
    many = tuple(f"T{number}/USDT" for number in range(60))
    with pytest.raises(errors.UsageError, match="is there already"):
        run.create(tmp_path, having(symbols=many))
    assert (tmp_path / "crypto.csv").read_text() == "mine"


@st.composite
def answers(draw: st.DrawFn) -> tuple[Answers, dict[str, Vendor]]:
    """Any vendors with any of their datasets, with a symbol of each class."""
    names = draw(st.lists(st.sampled_from(sorted(LISTED)), min_size=1, max_size=4, unique=True))
    specs = {name: LISTED[name] for name in names}
    choices = [
        VendorChoice(
            name=name,
            plan=draw(st.sampled_from(["", *specs[name].SPEC.plans])),
            secrets={secret: "x" for secret in specs[name].SPEC.secrets if draw(st.booleans())},
        )
        for name in names
    ]
    served = plan.offered(plan.sources(choices, specs))
    chosen = draw(st.lists(st.sampled_from(served), min_size=1, max_size=5, unique=True))
    symbols = dict.fromkeys(datasets.get(name).asset_class.sample for name in chosen)
    return (
        Answers(
            vendors=choices,
            datasets=chosen,
            symbols=tuple(symbols),
            first=dt.date(2026, 1, 2),
            live=draw(st.booleans()),
        ),
        specs,
    )


@given(answers())
def test_whatever_is_chosen_the_node_is_valid(drawn: tuple[Answers, dict[str, Vendor]]) -> None:
    chosen, _ = drawn
    number = next(_NUMBERS)
    folder = _PLACE / str(number)
    run.create(folder, chosen)
    values = load.load(folder, asking=False).values
    assert set(values.dataset) == set(chosen.datasets)
    for settings in values.dataset.values():
        assert settings.sources
        assert set(settings.live) <= set(settings.sources)


_NUMBERS = itertools.count()
_PLACE = Path()


@pytest.fixture(autouse=True, scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> None:
    global _PLACE  # noqa: PLW0603 — hypothesis runs a test many times over one fixture
    _PLACE = tmp_path_factory.mktemp("nodes")
