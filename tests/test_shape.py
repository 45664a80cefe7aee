"""The shape of the code, enforced: small files and functions, pure code pure, vendors in their rooms."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from fulltape import vendors

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "fulltape"
FILES = sorted(SOURCE.rglob("*.py"))
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
LONGEST_CLASS = 200
PURE_ROOMS = ("market", "schedule", "contract", "decoding", "coverage", "checks", "vendors")
PURE = [
    path
    for path in FILES
    if path.name == "plan.py" or path.relative_to(SOURCE).parts[0] in PURE_ROOMS
    if path != SOURCE / "vendors" / "__init__.py"
]
CLOCKS = {("time", "time"), ("time", "monotonic"), ("time", "sleep"), ("datetime", "now"), ("datetime", "utcnow"), ("date", "today")}  # fmt: skip
CLOCK_ROOMS = {SOURCE / "clock.py", *(SOURCE / "simulator").rglob("*.py"), SOURCE / "terminal" / "progress.py", SOURCE / "demo" / "story.py"}  # fmt: skip
GLOB_ROOMS = {SOURCE / "lake" / "layout.py", SOURCE / "demo" / "proof.py"}
VENDOR_ROOMS = ("vendors", "simulator", "demo", "cli/init.py", "cli/download.py")
PACKAGES = sorted(path.parent for path in SOURCE.rglob("__init__.py"))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def calls(path: Path) -> set[tuple[str, str]]:
    """(object, attribute) of every call like `time.sleep(…)`, and ('', name) of `open(…)`."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            value = node.func.value
            name = (
                value.id
                if isinstance(value, ast.Name)
                else value.attr
                if isinstance(value, ast.Attribute)
                else ""
            )
            found.add((name, node.func.attr))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found.add(("", node.func.id))
    return found


def name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name)
def test_files_classes_and_functions_are_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_FILE
    for node in ast.walk(tree(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{node.name} has {length} lines"
        if isinstance(node, ast.ClassDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= LONGEST_CLASS, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_every_module_and_public_definition_says_what_it_is(path: Path) -> None:
    module = tree(path)
    assert ast.get_docstring(module) or path.stat().st_size == 0 or name(path) == "__main__.py"
    for node in module.body:
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or node.name.startswith("_"):
            continue
        if name(path) != "settings/model.py":
            assert ast.get_docstring(node), f"{node.name} has no docstring"


@pytest.mark.parametrize("path", PURE, ids=name)
def test_pure_code_reads_no_clock_and_does_no_io(path: Path) -> None:
    made = calls(path)
    assert not made & CLOCKS
    assert not made & {("", "open"), ("", "print"), ("", "input")}
    assert not {attribute for _, attribute in made} & {
        "read_text",
        "write_text",
        "read_bytes",
        "write_bytes",
        "glob",
    }


@pytest.mark.parametrize("path", sorted(set(FILES) - CLOCK_ROOMS), ids=name)
def test_only_the_clock_asks_for_the_time(path: Path) -> None:
    assert not calls(path) & CLOCKS


@pytest.mark.parametrize("path", sorted(set(FILES) - GLOB_ROOMS), ids=name)
def test_data_is_found_through_the_catalogue_never_by_globbing(path: Path) -> None:
    assert not {attribute for _, attribute in calls(path)} & {"glob", "rglob", "iglob"}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_no_vendor_is_named_outside_its_rooms(path: Path) -> None:
    if name(path).startswith(VENDOR_ROOMS):
        return
    code = re.sub(r"https?://\S+", "", ast.unparse(_without_docstrings(tree(path))))
    for vendor in vendors.names():
        assert not re.search(rf"\b{vendor}\b", code), f"{vendor} is named"


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda path: name(path) or "fulltape")
def test_every_package_says_what_belongs_there(folder: Path) -> None:
    if folder in (
        SOURCE,
        SOURCE / "ledger" / "sql",
        SOURCE / "ledger" / "sql" / "migrations",
    ):
        return
    docstring = ast.get_docstring(tree(folder / "__init__.py")) or ""
    assert "Belongs here" in docstring


def test_there_are_no_rooms_for_leftovers() -> None:
    assert not [path for path in FILES if re.search(r"util|common|helper|misc", path.stem)]


def test_nothing_speaks_of_a_workplace_or_an_address() -> None:
    lock = "".join(path.read_text() for path in (ROOT / "requirements").glob("*.txt"))
    assert "://" not in lock
    for path in [
        *FILES,
        *(ROOT / "docs").glob("*.md"),
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        ROOT / "Makefile",
    ]:
        assert not re.search(r"/root/|/home/|/work/", path.read_text()), path


def test_no_two_public_classes_share_a_name() -> None:
    found: dict[str, list[str]] = {}
    for path in FILES:
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(name(path))
    assert not {one: where for one, where in found.items() if len(where) > 1}


RETIRED = {
    "ask", "asks", "ask_id", "takers", "stores", "Stores", "Wanted", "Feed", "Ask", "Answer", "Serves", "Shape", "Settled",
    "Told", "Line", "Leg", "Turn", "Dialogue", "Again", "Rhythm", "Pull", "Orders", "Guards", "Gate", "Fence",
    "Suspicions", "Paces", "Story", "Keeper", "Twin", "unwanted", "deliver", "quality", "leg", "legs",
    "stamp", "stamps", "stamp_zone", "stamp_kind", "lanes",
}  # fmt: skip
"""Words that the field does not know for what they named."""
QUOTES = ("simulator/", "settings/model.py", "settings/load.py", "node/rules.py")
"""Where such a word is another one: the sides of a quote, a section of the settings."""


def names_in(path: Path) -> set[str]:
    """Every identifier of a file."""
    return {
        word
        for node in ast.walk(tree(path))
        for word in (
            getattr(node, "id", ""),
            getattr(node, "arg", "") or "",
            getattr(node, "name", "") if isinstance(getattr(node, "name", ""), str) else "",
            node.attr if isinstance(node, ast.Attribute) else "",
        )
    }


@pytest.mark.parametrize("path", FILES, ids=name)
def test_values_are_named_after_what_they_hold(path: Path) -> None:
    assert not names_in(path) & {"found", "one", "told", "tmp", "obj", "thing", "stuff"}


@pytest.mark.parametrize("path", [path for path in FILES if not name(path).startswith(QUOTES)], ids=name)
def test_retired_words_name_nothing(path: Path) -> None:
    names = names_in(path)
    assert not names & RETIRED
    assert path.stem not in RETIRED


IN_MANIFESTS = "anybody could have had the row, UTC; null where nobody knows"
"""Stands in the manifest of every bundle, which stays as it is."""


def test_texts_speak_of_no_one() -> None:
    """Sentences name the thing that they are about: a source, a worker, an instrument."""
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in [*FILES, *(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
        for word in re.findall(
            r"(?i)\b(?:nobody|somebody|everybody|whoever|whom)\b", path.read_text().replace(IN_MANIFESTS, "")
        )
    ]
    assert not found


def test_retired_words_name_no_column() -> None:
    for path in (SOURCE / "ledger" / "sql").glob("*.sql"):
        words = set(re.findall(r"\w+", re.sub(r"--.*|'[^']*'", "", path.read_text())))
        assert not words & {"ask", "asks", "takers"}, path.name


def _without_docstrings(module: ast.Module) -> ast.Module:
    for node in ast.walk(module):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
    return module


LARGEST_FILE = 256 * 1024
LARGE_ROOMS = ("requirements/", "src/fulltape/calendars/tables/", "src/fulltape/simulator/sample/")


def test_no_large_file_is_committed() -> None:
    """A journal of a benchmark was, once."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: nobody knows what is committed")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    names = [name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]
    assert names
    large = [name for name in names if (ROOT / name).stat().st_size > LARGEST_FILE]
    assert [name for name in large if not name.startswith(LARGE_ROOMS)] == []
