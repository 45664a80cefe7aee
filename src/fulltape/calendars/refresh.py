"""Rebuilds a session table with exchange_calendars, in a process of its own.

`python -m fulltape.calendars.refresh XNYS` prints the table. `run` starts that process, so that pandas never enters
the caller's; it needs the extra `fulltape[calendars]`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from fulltape import errors

FIRST = "1990-01-01"


def run(name: str, folder: Path) -> Path:
    """Write the table of calendar `name` into `folder` and return its path."""
    if not re.fullmatch(r"\w+", name):
        raise errors.UsageError(f"{name!r} is no table of an exchange.", hint="Such as XNYS, XLON or XTKS.")
    child = subprocess.run(
        [sys.executable, "-m", __name__, name], capture_output=True, text=True, check=False
    )
    if child.returncode != 0:
        raise _refusal(name, child.stderr)
    path = folder / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(child.stdout)
    return path


def _refusal(name: str, output: str) -> errors.UsageError:
    reason = (output.strip().splitlines() or ["no reason given"])[-1]
    if "ModuleNotFoundError" in reason:
        words = f"the calendar {name} cannot be built: exchange_calendars is not installed."
        return errors.UsageError(words, hint="Install fulltape with its extra calendars (README: extras).")
    if "InvalidCalendarName" in reason:
        hint = "They are named by their market's code in capitals, such as XNYS, XLON, XTKS."
        return errors.UsageError(f"exchange_calendars knows no calendar {name}.", hint=hint)
    return errors.UsageError(f"the calendar {name} could not be built: {reason}.")


def table(name: str) -> str:
    """The table's text as exchange_calendars has it today; imports pandas."""
    import exchange_calendars

    # Without `start` the library begins only 20 years back, and it refuses one that lies before what it knows.
    kind = type(exchange_calendars.get_calendar(name))
    bound, end = kind.bound_min(), kind.bound_max()
    first = max(FIRST, str(bound.date()) if bound is not None else FIRST)
    # The library goes a year ahead of today; holidays are published for calendar years.
    last = f"{kind.default_end().year}-12-31"
    last = min(last, str(end.date()) if end is not None else last)
    calendar = exchange_calendars.get_calendar(name, start=first, end=last)
    schedule = calendar.schedule
    breaks = schedule["break_start"].notna().any()
    columns = ["open", "close", *(("break_start", "break_end") if breaks else ())]
    lines = [
        (
            f"# name={name} zone={calendar.tz.key} known_from={first} known_to={last}"
            f" source=exchange-calendars-{exchange_calendars.__version__}"
        ),
        ",".join(["session", *columns]),
    ]
    for session, *moments in zip(schedule.index, *(schedule[column] for column in columns), strict=True):
        clocks = ["" if str(moment) == "NaT" else _clock(moment, session) for moment in moments]
        lines.append(",".join([str(session.date()), *clocks]))
    return "\n".join(lines) + "\n"


def _clock(moment: Any, session: Any) -> str:
    """A UTC time of day, with the offset in days where it is not on the day of the label."""
    days = (moment.date() - session.date()).days
    return f"{moment:%H:%M}{f'{days:+d}' if days else ''}"


if __name__ == "__main__":
    sys.stdout.write(table(sys.argv[1]))
