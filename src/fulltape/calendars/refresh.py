"""Rebuilds a session table with exchange_calendars, in a process of its own.

`python -m fulltape.calendars.refresh XNYS` prints the table. `run` starts that process, so that pandas never enters
the caller's; it needs the extra `fulltape[calendars]`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from fulltape import errors

FIRST = "1990-01-01"


def run(name: str, folder: Path | None = None) -> Path:
    """Write the table of calendar `name` and return its path (default: beside the package's own tables)."""
    child = subprocess.run(
        [sys.executable, "-m", __name__, name], capture_output=True, text=True, check=False
    )
    if child.returncode != 0:
        raise errors.UsageError(
            f"the calendar {name} could not be rebuilt: {child.stderr.strip().splitlines()[-1:] or 'no reason given'}.",
            hint="It needs the extra: pip install 'fulltape[calendars]'.",
        )
    path = (folder or Path(__file__).parent / "tables") / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(child.stdout)
    return path


def table(name: str) -> str:
    """The table's text as exchange_calendars has it today; imports pandas."""
    import exchange_calendars

    # Without `start` the library begins only 20 years back.
    calendar = exchange_calendars.get_calendar(name, start=FIRST)
    schedule = calendar.schedule
    lines = [
        (
            f"# name={name} zone={calendar.tz.key} known_from={FIRST} known_to={calendar.last_session.date()}"
            f" source=exchange-calendars-{exchange_calendars.__version__}"
        ),
        "session,open,close",
    ]
    for session, opens, closes in zip(schedule.index, schedule["open"], schedule["close"], strict=True):
        lines.append(f"{session.date()},{opens:%H:%M},{closes:%H:%M}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table(sys.argv[1]))
