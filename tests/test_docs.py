"""The documents are true: generated pages are current, links lead somewhere, commands and examples exist."""

from __future__ import annotations

import re
import runpy
import tomllib
import typing
from pathlib import Path

import pytest
import typer

from fulltape.cli import app
from fulltape.market import datasets
from fulltape.node import assemble
from fulltape.settings import load
from fulltape.simulator import registry, scenario
from fulltape.version import VERSION

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
EVERYTHING = "\n".join(page.read_text() for page in PAGES)


def test_the_settings_page_is_what_the_code_says() -> None:
    reference = runpy.run_path(str(ROOT / "tools" / "build_reference.py"))
    assert (ROOT / "docs" / "settings.md").read_text() == reference["text"](), "run: make reference"


def test_the_tables_of_vendors_are_what_the_vendors_declare() -> None:
    reference = runpy.run_path(str(ROOT / "tools" / "build_reference.py"))
    page = (ROOT / "docs" / "vendors.md").read_text()
    assert reference["vendors_page"](page) == page, "run: make reference"


def test_the_api_reference_is_what_the_docstrings_say() -> None:
    reference = runpy.run_path(str(ROOT / "tools" / "api_reference.py"))
    assert (ROOT / "docs" / "api.md").read_text() == reference["text"](), "run: make reference"


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    told = tomllib.loads((ROOT / "zensical.toml").read_text())
    pages = re.findall(r"[\w-]+\.md", repr(told["project"]["nav"]))
    assert sorted(pages) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_named_files_exist(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / target).exists(), target
    for named in re.findall(r"`((?:src|tests|core|docs|calendars|requirements)/[\w/.*-]+)`", text):
        found = list(ROOT.glob(named)) or list((ROOT / "src" / "fulltape").glob(named))
        assert found, named


def test_every_command_in_the_documents_exists() -> None:
    group = typer.main.get_command(app)
    commands = set(group.commands)  # type: ignore[attr-defined]
    used = set(re.findall(r"(?:^|`|/|\s)fulltape ([a-z]+(?:-[a-z]+)?)\b(?! node)", EVERYTHING))
    assert used - commands <= {"is", "knows", "node", "itself"}
    assert {"demo", "init", "nightly", "status", "audit", "tasks", "simulate"} <= used


def test_every_column_and_fault_is_described(tmp_path: Path) -> None:
    data = (ROOT / "docs" / "data.md").read_text()
    for dataset in datasets.DATASETS.values():
        for column in dataset.curated.names:
            assert re.search(rf"\b{column}\b", data), column
    simulator = (ROOT / "docs" / "simulator.md").read_text()
    for fault in typing.get_args(scenario.Do):
        assert f"`{fault}`" in simulator
    node, faults = re.findall(r"```toml\n(.*?)```", simulator, re.DOTALL)
    scenario.parse(faults, where="docs/simulator.md", vendors=list(registry.vendors()))
    (tmp_path / "fulltape.toml").write_text(node)
    assemble.check(load.load(tmp_path))


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
    assert f"## {VERSION}" in (ROOT / "CHANGELOG.md").read_text()
