"""What `--json` prints is what docs/json.md says: every field, with its type."""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from test_cli import UNIVERSE, run

from fulltape.coverage.live import CapturedDay, Interval
from fulltape.market.time import Instant
from fulltape.simulator import market as markets
from fulltape.simulator import scenario
from fulltape.simulator.run import running
from fulltape.terminal import printed
from nodes import DAYS_2012, Wish, opened, simulated, write_node

DOCUMENT = Path(__file__).parents[2] / "docs" / "json.md"
_ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \|", re.MULTILINE)


def documented() -> dict[str, dict[str, str]]:
    """By command or record the types of its fields."""
    found: dict[str, dict[str, str]] = {}
    for section in re.split(r"^##+ ", DOCUMENT.read_text(), flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        name = title.strip("` ").removeprefix("fulltape ")
        found[name] = {field: kind.strip() for field, kind in _ROW.findall(body)}
    return found


SAID = documented()


def is_a(kind: str, value: Any) -> bool:
    """Whether a value is of a type of the document."""
    if kind.endswith(" or null"):
        return value is None or is_a(kind.removesuffix(" or null"), value)
    if kind == "any":
        return True
    if kind in SAID:
        return isinstance(value, dict) and not list(wrong(SAID[kind], value))
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "flag":
        return isinstance(value, bool)
    if kind == "text":
        return isinstance(value, str) and bool(value)
    if kind == "day":
        return isinstance(value, str) and str(dt.date.fromisoformat(value)) == value
    if kind == "moment":
        return (
            isinstance(value, str)
            and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value) is not None
        )
    return kind == "export" and isinstance(value, dict)


def parts(field: str) -> list[str]:
    return [part for part in field.replace("[]", ".[]").split(".") if part]


def wrong(fields: dict[str, str], value: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Fields of a value that are not documented or have another type."""
    said = {tuple(parts(field)): kind for field, kind in fields.items()}

    def alike(known: tuple[str, ...], path: tuple[str, ...]) -> bool:
        return len(known) == len(path) and all(
            (one.startswith("{") and other != "[]") or one == other
            for one, other in zip(known, path, strict=True)
        )

    exact = [kind for known, kind in said.items() if known == path]
    kinds = exact or [kind for known, kind in said.items() if alike(known, path)]
    deeper = any(len(known) > len(path) and alike(known[: len(path)], path) for known in said)
    if kinds and not (deeper and isinstance(value, dict)):
        if not any(is_a(kind, value) for kind in kinds):
            yield f"{'.'.join(path)}: {value!r} is no {' or '.join(kinds)}"
    elif isinstance(value, dict) and (deeper or not path):
        for name, one in value.items():
            yield from wrong(fields, one, (*path, name))
    elif isinstance(value, list) and deeper:
        for one in value:
            yield from wrong(fields, one, (*path, "[]"))
    else:
        yield f"{'.'.join(path)} is not documented: {value!r}"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A node after a night with something captured, and one whose vendor cannot be reached."""
    with simulated(tmp_path_factory.mktemp("json"), markets.sample(), [DAYS_2012], universe=UNIVERSE) as (
        folder,
        _,
    ):
        assert run("nightly", "--node", str(folder)).returncode == 0
    with opened(folder) as context, context.ledger.write():
        about: dict[str, Any] = {
            "source": "alpaca.sip",
            "dataset": "equities_bars_day",
            "instrument": "AAPL",
            "symbol": "AAPL",
        }
        session, begin = dt.date(2012, 10, 26), 1_351_252_800_000_000
        context.ledger.streams.add_day(
            CapturedDay(**about, session=session, start=begin, end=begin + 10**9, rows=5, reconnects=1)
        )
        context.ledger.intervals.add(
            [
                Interval(
                    **about,
                    session=session,
                    start=begin,
                    end=begin + 10**6,
                    kind="closed",
                    state="unverified",
                    evidence="",
                    since=begin,
                )
            ]
        )
    lacking = write_node(
        tmp_path_factory.mktemp("lacking") / "node", {"alpaca": "http://127.0.0.1:9"},
        [Wish("equities_bars_day", "2012-10-01", "2012-10-31", ("alpaca.sip",))], universe=UNIVERSE,
    )  # fmt: skip
    assert run("audit", "--node", str(lacking)).returncode == 1
    return {"finished": folder, "lacking": lacking}


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("audit", ["audit"]),
        ("audit --incremental", ["audit", "--incremental"]),
        ("audit --explain", ["audit", "--explain", "equities_bars_day", "AAPL", "2012-10-26"]),
        ("audit --explain", ["audit", "--explain", "equities_bars_day", "FB", "2012-05-17"]),
        ("backfill --dry-run", ["backfill", "--dry-run"]),
        ("backfill", ["backfill"]),
        ("seal", ["seal"]),
        ("seal", ["seal", "--fill"]),
        ("curate", ["curate"]),
        ("curate --explain", ["curate", "--explain", "equities_bars_day", "AAPL", "2012-10-26"]),
        ("check", ["check"]),
        ("regroup", ["regroup"]),
        ("compact", ["compact"]),
        ("nightly", ["nightly"]),
        ("gaps", ["gaps"]),
        ("status", ["status"]),
        ("verify", ["verify", "--deep"]),
        ("sweep", ["sweep", "--dry-run"]),
        ("tasks", ["tasks"]),
        ("vendors", ["vendors"]),
        ("streams", ["streams"]),
        ("config show", ["config", "show"]),
        ("symbols show", ["symbols", "show"]),
        ("bundles", ["bundles"]),
        ("jobs run", ["jobs", "run", "check"]),
        ("schedule", ["schedule"]),
        ("doctor", ["doctor"]),
        ("repairs", ["repairs"]),
    ],
    ids=lambda of: of if isinstance(of, str) else " ".join(of[:3]),
)
@pytest.mark.parametrize("node", ["finished", "lacking"])
def test_every_field_is_documented_with_its_type(
    nodes: dict[str, Path], node: str, name: str, args: list[str]
) -> None:
    done = run(*args, "--json", "--node", str(nodes[node]))
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert list(wrong(SAID[name], found)) == []
    said = {parts(field)[0] for field in SAID[name]} - {"[]"}
    assert not isinstance(found, dict) or found.keys() == said
    if name == "tasks":
        shown = json.loads(
            run("tasks", "show", str(found[0]["task_id"]), "--json", "--node", str(nodes[node])).stdout
        )
        assert list(wrong(SAID["tasks show"], shown)) == []


def test_an_export_is_documented(nodes: dict[str, Path]) -> None:
    found = json.loads(run("export", "--json", "--node", str(nodes["finished"])).stdout)
    assert list(wrong(SAID["export"], found)) == []


def test_an_export_in_a_format_is_documented(nodes: dict[str, Path], tmp_path: Path) -> None:
    args = ["export", "--format", "zipline", "--to", str(tmp_path / "out"), "--json"]
    said = json.loads(run(*args, "--node", str(nodes["finished"])).stdout)
    assert list(wrong(SAID["export --format"], said)) == []
    assert said.keys() == {parts(field)[0] for field in SAID["export --format"]}


def test_an_import_and_a_test_of_a_vendor_are_documented(nodes: dict[str, Path], tmp_path: Path) -> None:
    listings = tmp_path / "listings.csv"
    listings.write_text("symbol,listed_from,listed_to,instrument\nIBM,1962-01-02,,\n")
    for name, args, node in (
        ("symbols import", [str(listings)], "finished"),
        ("vendors check", ["alpaca"], "finished"),
        ("vendors check", ["alpaca"], "lacking"),
    ):
        done = run(*name.split(), *args, "--json", "--node", str(nodes[node]))
        assert done.stdout, done.stderr
        assert list(wrong(SAID[name], json.loads(done.stdout))) == []


class Colour(enum.Enum):
    RED = "red"


class Pair(NamedTuple):
    name: str
    at: Instant


class Struct(msgspec.Struct):
    at: Instant
    count: int


def test_a_sync_and_a_restore_are_documented(
    nodes: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKET_KEY", "x")
    target, node = tmp_path / "target", nodes["finished"]
    target.mkdir()
    settings = node / "fulltape.toml"
    text = settings.read_text()
    settings.write_text(re.sub(r"^(key|secret) = .*$", r'\1 = "${MARKET_KEY}"', text, flags=re.MULTILINE))
    for name, args in (
        ("sync", [str(target), str(tmp_path / "nowhere"), "--node", str(node)]),
        ("restore-from", [str(target), "--node", str(tmp_path / "back")]),
    ):
        done = run(name, *args, "--json")
        assert done.stdout, done.stderr
        said = json.loads(done.stdout)
        assert list(wrong(SAID[name], said)) == []
        assert said.keys() == {parts(field)[0] for field in SAID[name]}
    settings.write_text(text)


def test_an_adoption_is_documented(nodes: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "AAPL.csv").write_text(
        "date,open,high,low,close,volume\n2012-10-26,1,2,1,2,5\n2012-10-29,1,2,1,2,5\n2012-10-30,1,-2,1,2,5\n"
    )
    args = ["adopt", str(tmp_path), "-d", "equities_bars_day", "-s", "alpaca.sip", "--json", "--dry-run"]
    for more in ([], ["--adjustment", "raw"]):
        said = json.loads(run(*args, *more, "--node", str(nodes["finished"])).stdout)
        assert list(wrong(SAID["adopt"], said)) == []
        assert said.keys() == {parts(field)[0] for field in SAID["adopt"]}


def test_a_download_is_documented(tmp_path: Path) -> None:
    with running(markets.sample(), scenario.parse("", where="test")) as twins:
        wish = [
            "alpaca.sip",
            "AAPL",
            "-d",
            "bars_minute",
            "--from",
            "2012-11",
            "--to",
            "2012-11",
            "--out",
            str(tmp_path / "out"),
        ]
        more = ["--base-url", twins.servers["alpaca"].url, "--history-from", "2000", "--json"]
        for name in ("download --dry-run", "download", "download --verify"):
            extra = [name.partition(" ")[2]] if " " in name else []
            done = run("download", *wish, *more, *extra, ALPACA_KEY="k", ALPACA_SECRET="s")
            assert not list(wrong(SAID[name], json.loads(done.stdout))), done.stdout


def test_values_are_told_in_one_way() -> None:
    moment = 1_351_252_800_000_000
    told = "2012-10-26T12:00:00Z"
    assert printed.plain(Pair("", moment)) == {"name": None, "at": told}
    assert printed.plain(Struct(at=0, count=0)) == {"at": None, "count": 0}
    assert printed.plain({"sent_at": moment, "sent": moment, 3: (Colour.RED, dt.date(2024, 2, 29))}) == {
        "sent_at": told, "sent": moment, "3": ["red", "2024-02-29"],
    }  # fmt: skip
    assert printed.plain([math.nan, math.inf, 1.5, True, None, Path("a/b"), frozenset({"b", "a"})]) == [
        None, None, 1.5, True, None, "a/b", ["a", "b"],
    ]  # fmt: skip
    with pytest.raises(TypeError, match="nothing that JSON can tell"):
        printed.plain(object())
