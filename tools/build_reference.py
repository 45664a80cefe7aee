"""Writes docs/settings.md from the settings' own declarations; `make reference` runs it, a test compares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from fulltape.settings.model import SECTIONS

TARGET = Path(__file__).parent.parent / "docs" / "settings.md"
HEAD = """\
# Settings

`<node>/fulltape.toml`, found by `--node`, then by `FULLTAPE_NODE`, then in the working folder. Unknown keys are refused
with file, line and the nearest known key. `${VAR}` and `${VAR:-default}` are replaced by the environment in any text
value; a vendor's `key` and `secret` may come from a file (`key_file`, `secret_file`, relative to the node). Durations
are text with a unit ("250ms", "30s", "15m", "2h", "7d"), sizes too ("100MB"), dates are written 2016-01-04.

`fulltape config show` prints every effective value and where it comes from, `fulltape config check` validates all of it
without starting.

Exit codes of every command: 0 complete · 1 finished, with gaps or RED cells · 2 usage or configuration · 3 vendor or
credentials · 4 storage · 70 a defect of fulltape · 130 interrupted.

This page is made from the code (`make reference`).
"""


def text() -> str:
    """The page."""
    pieces = [HEAD]
    for name, section in SECTIONS.items():
        pieces.append(f"\n## [{name}]\n\n| key | default | meaning |\n| --- | --- | --- |\n")
        pieces += [_row(key, field) for key, field in section.model_fields.items()]
    return "".join(pieces)


def _row(key: str, field: FieldInfo) -> str:
    default = "required" if field.is_required() else _shown(field.default)
    return f"| `{field.alias or key}` | {default} | {field.description} |\n"


def _shown(value: Any) -> str:
    if value in (None, "", ()):
        return "none"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


if __name__ == "__main__":
    TARGET.write_text(text())
