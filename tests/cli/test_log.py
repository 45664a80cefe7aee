"""What happens, as fields: one JSON object a line, without secrets; and as sentences, one for each kind of event."""

from __future__ import annotations

import ast
import json
import re
import string
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

import fulltape
from fulltape import log
from fulltape.cli import app
from fulltape.context import Event, EventKind
from fulltape.terminal import sentences
from fulltape.terminal.progress import Watch

SOURCE = Path(fulltape.__file__).parent


@pytest.fixture(autouse=True)
def _text_again() -> object:
    yield
    log.choose(json=False)


def fields_of(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def test_every_kind_of_event_has_its_sentence() -> None:
    assert set(sentences.SENTENCES) | {"progress"} == set(get_args(EventKind))


def test_events_carry_the_fields_of_their_sentences() -> None:
    """Read from the code: `Event(kind=…, fields={…})` and `_tell("…", …)`."""
    seen: dict[str, set[str]] = {}
    for path in SOURCE.rglob("*.py"):
        text = path.read_text()
        for call in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
            told = isinstance(call.func, ast.Attribute) and call.func.attr == "_tell" and call.args
            if told and isinstance(call.args[0], ast.Constant):
                seen[str(call.args[0].value)] = {str(one.arg) for one in call.keywords} | {"source"}
            named = {one.arg: one.value for one in call.keywords}
            kind, fields = named.get("kind"), named.get("fields")
            if (
                isinstance(kind, ast.Constant)
                and isinstance(fields, ast.Dict)
                and kind.value in sentences.SENTENCES
            ):
                seen[str(kind.value)] = {
                    str(key.value) for key in fields.keys if isinstance(key, ast.Constant)
                }
    assert len(seen) > 10
    for name, carried in seen.items():
        assert fields_of(sentences.SENTENCES[name]) <= carried, name  # type: ignore[index]


def test_json_has_fields_and_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    log.choose(json=True)
    log.keep_secret("hunter2/hunter2", "")
    with Watch(quiet=True) as watch:
        watch(Event(stage="backfill", done=2, total=7, unit="tasks"))
        about = {
            "source": "a.sip",
            "reason": "key hunter2%2Fhunter2 or hunter2\\/hunter2",
            "outcome": "not_entitled",
        }
        watch(Event(stage="backfill", kind="refused", fields=about))
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", first.pop("timestamp"))
    assert first == {"event": "progress", "stage": "backfill", "done": 2, "total": 7, "unit": "tasks"}
    assert (second["event"], second["source"], second["outcome"]) == ("refused", "a.sip", "not_entitled")
    assert "hunter2" not in second["reason"]


def test_sentences_are_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    with Watch() as watch:
        about = {"source": "a.sip", "symbol": "X", "outcome": "unknown_symbol", "reason": "no such ticker"}
        watch(Event(stage="backfill", kind="symbol_refused", fields=about))
    assert "backfill: a.sip X: unknown symbol (no such ticker)" in capsys.readouterr().err


def test_the_command_line_chooses() -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["--log", "json", "audit", "--help"]).exit_code == 0
    assert log.chosen()
    assert runner.invoke(app, ["audit", "--help"]).exit_code == 0
    assert not log.chosen()
    assert runner.invoke(app, ["--log", "xml", "audit", "--help"]).exit_code == 2


def test_whatever_a_field_holds_the_line_is_json_and_tells_no_secret(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.choose(json=True)
    log.keep_secret("s3cr3t-key")
    fields = {
        "text": "half \udcff", "many": ["s3cr3t-key"], "inside": {"a": "s3cr3t-key"}, "nan": float("nan"),
        "error": ValueError("s3cr3t-key"), "event": "mine", "lines": "a\nb",
    }  # fmt: skip
    log.write("x", "odd", fields)
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line, parse_constant=pytest.fail)
    assert (told["event"], told["event_"], told["lines"]) == ("odd", "mine", "a\nb")
    assert "s3cr3t-key" not in line
