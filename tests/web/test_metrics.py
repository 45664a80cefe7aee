"""What the metrics are called, what the alert rules name, and what the page about them says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
import yaml
from test_words import CAPTURED, GOOD, NOW, service, shown

from fulltape.lake.capture_state import CaptureState
from fulltape.service.memory import LastRun
from fulltape.web import metrics
from fulltape.web.snapshot import SourceCounts

ROOT = Path(__file__).parents[2]
RULES = ROOT / "ops" / "alerts.yml"
needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")


def everything() -> dict[str, str]:
    """Every metric and its help, of a node that has all there is."""
    entry = msgspec.structs.replace(
        service().entries[0], last=LastRun(started=NOW, ended=NOW, took=1.0, outcome="done", succeeded=NOW)
    )
    source = SourceCounts(
        source="a.x", last_minute=1, per_minute=10, today=1, per_day=100, closed_until="", outcomes={"ok": 1}
    )
    disk: dict[str, float | str | None] = {"free": 1, "total": 2, "wanted": 1}
    whole = shown(
        service=service(entries=(entry,), capture="running"),
        capture=CaptureState(at=NOW, running=True, process=1, sources=(CAPTURED,)),
        counts=msgspec.structs.replace(GOOD, sources=(source,), tasks={"queued": 1}, disk=disk),
    )
    named = {}
    for family in metrics.families(whole):
        assert family.samples or family.name == "fulltape_process_resident_bytes", family.name
        suffix = "_total" if family.type == "counter" else ""
        named[f"{family.name}{suffix}"] = family.documentation
    return named


def test_names_have_base_units_and_say_what_they_are() -> None:
    named = everything()
    assert len(named) > 25
    for name, text in named.items():
        assert re.fullmatch(r"fulltape_[a-z_]+", name)
        assert text.endswith("."), name
        assert not re.search(r"_(ms|kb|mb|gb|minutes|hours|percent)$", name)


def test_every_metric_and_label_of_the_dashboard_exists() -> None:
    board = json.loads((ROOT / "ops" / "grafana.json").read_text())
    targets = [target for panel in board["panels"] for target in panel["targets"]]
    assert len(targets) >= 16
    known = everything()
    labels = {"source", "state", "dataset", "verdict", "outcome", "window", "entry", "process"}
    for target in targets:
        named = set(re.findall(r"fulltape_[a-z_]+", target["expr"]))
        assert named
        assert named <= known.keys()
        assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= labels
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


@needs_promtool
def test_prometheus_understands_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    board = json.loads((ROOT / "ops" / "grafana.json").read_text())
    rules = [
        {"record": f"panel:number_{number}", "expr": target["expr"]}
        for number, target in enumerate(target for panel in board["panels"] for target in panel["targets"])
    ]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_that_a_rule_names_exists() -> None:
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    assert len(rules) >= 8
    used = {name for rule in rules for name in re.findall(r"fulltape_[a-z_]+", rule["expr"])}
    assert used <= everything().keys()
    assert all(rule["annotations"].keys() >= {"summary", "action"} for rule in rules)


def test_the_page_lists_every_metric_and_every_rule() -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    for name, text in everything().items():
        assert f"| `{name}` | {text} |" in page
    for rule in re.findall(r"alert: (\w+)", RULES.read_text()):
        assert rule in page


@needs_promtool
def test_promtool_takes_the_rules() -> None:
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        done = subprocess.run(
            ["promtool", *command], cwd=RULES.parent, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
